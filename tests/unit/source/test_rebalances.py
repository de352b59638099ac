"""What happens when partitions come and go."""

import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, cast

from confluent_kafka import Consumer, TopicPartition

from streamer.model import Generation, Owned, Partition, Position
from streamer.source.commits import Commits
from streamer.source.ends import Ends
from streamer.source.flow import Flow
from streamer.source.handover import CommitPlan, Sink
from streamer.source.inbox import Inbox
from streamer.source.opening import Opening
from streamer.source.orders import Commit, Orders, Settled
from streamer.source.ranges import Ranges
from streamer.source.rebalances import Rebalances
from tests.source_probe import CountingWatch
from tests.unit.source.fake_client import CLUSTER, FakeClient

A0, A1 = Partition("a", 0), Partition("a", 1)
Finished = Callable[[Sequence[CommitPlan]], None]


def parts(*partitions: Partition) -> list[TopicPartition]:
    return [TopicPartition(*partition) for partition in partitions]


class Loop:
    """The event loop's side: keeps what it is told, and answers a revocation as told."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, Any]] = []
        self.on_revoking: Callable[[Sequence[Owned], Finished], None] = lambda owned, finished: (
            finished([])
        )

    def tell(self, method: Callable[..., None], *arguments: Any) -> None:
        method(*arguments)

    def revoking(self, owned: Sequence[Owned], finished: Finished) -> None:
        self.facts.append(("revoking", tuple(owned)))
        self.on_revoking(owned, finished)

    def revoked(self, owned: Sequence[Owned]) -> None:
        self.facts.append(("revoked", tuple(owned)))

    def lost(self, owned: Sequence[Owned]) -> None:
        self.facts.append(("lost", tuple(owned)))

    def committed(self, result: Any) -> None:
        self.facts.append(("committed", [f.code for f in result.failures]))


class Case:
    def __init__(self, timeout_s: float = 5.0) -> None:
        self.client = FakeClient({"a": 2})
        self.loop = Loop()
        self.orders = Orders()
        self.now = 100.0
        self.watch = CountingWatch()
        self.commits = Commits(self.client.submit)
        self.inbox = Inbox(Flow(100, 100_000))
        generations = count(1)
        self.opening = Opening(
            self.client.cast(),
            self.commits,
            "",
            0,
            lambda: ["a"],
            lambda: Generation(next(generations)),
            self.watch,
            1.0,
            self.client.topic_ids(),
        )
        self.rebalances = Rebalances(
            self.client.cast(),
            self.commits,
            self.inbox,
            self.opening,
            self.orders,
            cast(Sink, self.loop),
            self.loop.tell,
            self.watch,
            lambda: self.now,
            timeout_s,
        )
        self.consumer = cast(Consumer, self.client)

    def owns(self, *partitions: Partition) -> list[Owned]:
        self.rebalances.assigned(self.consumer, parts(*partitions))
        opened = self.opening.turn(self.now, CLUSTER)
        for assigned in opened:
            self.rebalances.open(assigned)
        self.now += 10
        return [assigned.owned for assigned in opened]

    def plan(self, owned: Owned, position: int) -> CommitPlan:
        return CommitPlan(owned, Position(position), "text", 1)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.loop.facts]


def test_an_assigned_partition_is_held_and_not_open_before_its_offset_is_known() -> None:
    case = Case()
    case.rebalances.assigned(case.consumer, parts(A0))

    assert case.client.calls == ["hold"]
    assert not case.rebalances.owned
    assert case.opening.partitions == (A0,)


def test_the_last_plans_are_committed_before_a_revoked_partition_is_let_go() -> None:
    case = Case()
    (owned,) = case.owns(A0)
    case.client.calls.clear()
    case.loop.on_revoking = lambda gone, finished: finished([case.plan(gone[0], 70)])

    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.kinds == ["revoking", "committed", "revoked"]
    assert case.loop.facts[1] == ("committed", [])
    assert case.client.calls == ["commit", "shown", "unassign"]
    assert case.client.offsets[A0] == (70, "text")
    assert not case.rebalances.owned
    assert not case.rebalances.is_owned(case.plan(owned, 71))


def test_while_a_revocation_waits_commits_of_other_partitions_are_served() -> None:
    case = Case()
    _, other = case.owns(A0, A1)

    def revoking(gone: Sequence[Owned], finished: Finished) -> None:
        case.orders.put(Commit([case.plan(other, 60)]))
        case.orders.put(Settled(other, 1, 1))
        threading.Timer(0.02, finished, [[]]).start()

    case.loop.on_revoking = revoking
    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.kinds == ["revoking", "committed", "revoked"]
    assert case.client.offsets[A1] == (60, "text")
    assert case.rebalances.take_left_over() == [Settled(other, 1, 1)]
    assert case.rebalances.take_left_over() == []
    assert set(case.rebalances.owned.values()) == {other}


def test_a_revocation_that_nobody_answers_ends_at_its_bound_and_commits_nothing() -> None:
    case = Case(timeout_s=0.0)
    case.owns(A0)
    case.client.calls.clear()
    late: list[Finished] = []
    case.loop.on_revoking = lambda gone, finished: late.append(finished)

    case.rebalances.revoked(case.consumer, parts(A0))
    late[0]([])

    assert case.kinds == ["revoking", "revoked"]
    assert case.client.calls == ["unassign"]


def test_a_late_answer_to_an_earlier_revocation_is_not_taken_for_the_present_one() -> None:
    case = Case()
    case.owns(A0)
    earlier: list[Finished] = []

    def first(gone: Sequence[Owned], finished: Finished) -> None:
        earlier.append(finished)
        finished([])

    case.loop.on_revoking = first
    case.rebalances.revoked(case.consumer, parts(A0))
    case.owns(A0)

    def second(gone: Sequence[Owned], finished: Finished) -> None:
        finished([case.plan(gone[0], 70)])
        earlier[0]([])

    case.loop.on_revoking = second
    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.client.offsets[A0] == (70, "text")


def test_a_commit_in_flight_is_ended_by_what_the_broker_shows() -> None:
    case = Case()
    owned, _ = case.owns(A0, A1)
    assert case.commits.make([case.plan(owned, 55)], case.rebalances.is_owned) is None

    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.loop.facts[1] == ("committed", [])
    assert not case.commits.busy


def test_a_commit_that_nobody_confirms_in_time_counts_as_unknown() -> None:
    case = Case()
    case.owns(A0)
    case.client.takes_commits = False
    case.loop.on_revoking = lambda gone, finished: finished([case.plan(gone[0], 70)])

    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.loop.facts[1] == ("committed", ["UNKNOWN"])


def test_a_lost_partition_is_fenced_at_once_without_a_commit() -> None:
    case = Case()
    (owned,) = case.owns(A0)
    case.client.calls.clear()

    case.rebalances.lost(case.consumer, parts(A0))

    assert case.loop.facts == [("lost", (owned,))]
    assert case.client.calls == ["unassign"]
    assert case.watch.events[-1] == ("rebalanced", "lost")


def test_a_partition_that_was_never_open_goes_without_a_word_to_the_loop() -> None:
    case = Case()
    case.rebalances.assigned(case.consumer, parts(A0))
    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.loop.facts == []
    assert case.opening.partitions == ()


def test_while_closing_a_revocation_does_not_wait() -> None:
    case = Case()
    (owned,) = case.owns(A0)
    case.rebalances.closing = True

    case.rebalances.revoked(case.consumer, parts(A0))

    assert case.loop.facts == [("revoked", (owned,))]


def test_a_partition_out_of_range_goes_on_or_begins_a_new_generation() -> None:
    case = Case()
    owned, _ = case.owns(A0, A1)
    ends = Ends(lambda partition: None)
    looks: list[str] = []
    ranges = Ranges(
        case.client.cast(), case.rebalances, ends, case.watch, lambda: looks.append("soon")
    )
    case.client.ends[A0] = (Position(80), Position(90))

    ranges.stopped(A0, Position(0))
    ranges.turn()
    assert case.client.reading[A0] == 50

    ranges.stopped(A0, Position(60))
    ranges.turn()
    assert case.client.reading[A0] == 80
    assert case.rebalances.owned[A0] == owned
    assert looks == [], "what was deleted before it was read says nothing of the topic"
    assert case.watch.deleted == 20

    ranges.stopped(A0, Position(200))
    case.client.answers = False
    ranges.turn()
    case.client.answers = True
    ranges.turn()
    (again,) = case.opening.turn(case.now, CLUSTER)
    assert again.position == 80
    assert again.owned.generation > owned.generation
    assert case.loop.facts == [("revoked", (owned,))]
    assert looks == ["soon"]
    assert case.watch.events.count(("out-of-range", "a")) == 2
    assert case.watch.deleted == 20, "a topic that is another one says nothing of how many"
