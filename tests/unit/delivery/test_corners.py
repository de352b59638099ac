"""Where two rules of the core meet: each test is a defect that was found once."""

from collections import Counter
from itertools import count

import pytest

from streamer.delivery.commands import Commands
from streamer.delivery.commits import Commits
from streamer.delivery.core import CoreSettings, EndpointSettings
from streamer.delivery.flood import FLOOD_REFUSALS
from streamer.delivery.jobs import OwnedPartition
from streamer.delivery.letters import SCHEMA_GUARDS_MOST
from streamer.delivery.outcomes import Denied, Unavailable
from streamer.delivery.timers import Timers
from streamer.model import (
    Action,
    BadMessage,
    Generation,
    Message,
    Offset,
    Owned,
    Partition,
    Position,
    Reason,
    Refusal,
    RefusedReport,
)
from streamer.source.commit_metadata import NOTHING
from streamer.source.handover import Assigned, CommitFailure, CommitPlan, CommitResult
from streamer.source.offsets import Pin, Window
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    LOST,
    OWNED,
    PARTITION,
    REFUSED,
    UNAVAILABLE,
    Bench,
    CountingWatch,
    offsets,
    report,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def window_of(owned: Owned) -> Window:
    return Window(Assigned(owned, Position(0), NOTHING, 0), "cluster", "subscription")


# --- commits ----------------------------------------------------------------------------------


class Desk:
    """The core's commits, with partitions that settle a message when they are told to."""

    def __init__(self, partitions: int) -> None:
        self.now = 0.0
        self.timers = Timers()
        self.commands = Commands()
        self.succeeded: list[CommitPlan] = []
        self.commits = Commits(
            0.2,
            self.timers,
            lambda: self.commands,
            CountingWatch(),  # type: ignore[arg-type]  # answers every method
            lambda part, plan, now: self.succeeded.append(plan),
        )
        self.parts = []
        for number in range(partitions):
            owned = Owned(Partition("t", number), Generation(1))
            self.parts.append(OwnedPartition(owned, window_of(owned)))
        self._offsets = count()

    def settle(self, part: OwnedPartition) -> None:
        offset = Offset(next(self._offsets))
        part.window.take_in(offset, 1)
        part.window.settle(offset)
        self.commits.changed(part, self.now)

    def asked(self, after_s: float = 1.0) -> tuple[CommitPlan, ...]:
        """What is to be committed by then."""
        self.now += after_s
        self.timers.fire(self.now)
        plans, self.commands.commit = tuple(self.commands.commit), []
        return plans

    def end(self, plans: tuple[CommitPlan, ...], *failed: Partition) -> None:
        failures = tuple(CommitFailure(partition, "X") for partition in failed)
        self.commits.ended(CommitResult(plans, failures), self.now)


def test_the_last_commit_of_a_revocation_does_not_end_the_one_in_flight() -> None:
    desk = Desk(3)
    going, staying, third = desk.parts
    desk.settle(staying)
    first = desk.asked()
    desk.end((going.window.plan_anyway(),))
    desk.settle(third)
    assert desk.asked() == (), "one is in flight"
    desk.end(first)
    assert desk.succeeded == [*first]
    desk.settle(staying)
    again = desk.asked()
    desk.end(first)
    desk.end(again)
    assert desk.succeeded == [*first, *again]
    desk.settle(staying)
    assert desk.asked(), "it goes on"


def test_a_commit_that_fails_is_made_again_after_the_interval_though_a_report_waits_for_it() -> (
    None
):
    desk = Desk(1)
    (part,) = desk.parts
    desk.settle(part)
    desk.commits.verify(part, desk.now)
    plans = desk.asked(0.0)
    desk.end(plans, part.owned.partition)
    assert desk.asked(0.1) == ()
    assert desk.asked(0.2) != ()


def test_commits_go_on_after_all_that_waited_for_one_was_fenced_while_it_was_in_flight() -> None:
    desk = Desk(2)
    gone, staying = desk.parts
    desk.settle(gone)
    first = desk.asked()
    desk.settle(gone)
    assert desk.asked() == (), "one is in flight"
    desk.commits.forget([gone])
    desk.end(first)
    desk.settle(staying)
    assert [plan.owned for plan in desk.asked()] == [staying.owned]


# --- breakers ---------------------------------------------------------------------------------


def test_a_trigger_that_is_denied_and_then_unavailable_is_not_probed_without_a_pause(
    bench: Bench,
) -> None:
    for offset in range(30):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message))
    for call in bench.calls():
        bench.answer(call, Denied("403"))
    started = 0
    for _ in range(600):
        bench.wait(1.0)
        for call in bench.calls():
            started += 1
            bench.answer(call, UNAVAILABLE)
    assert started <= 60, "ten minutes of an outage"


# --- flood guards -----------------------------------------------------------------------------


def flooded(bench: Bench, first: int = 0) -> int:
    """Let route `bad` refuse until it is held; gives the next offset."""
    for offset in range(first, first + FLOOD_REFUSALS):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message, "bad"))
    for call in bench.calls():
        bench.answer(call, REFUSED)
    assert bench.core.letters.holding
    return first + FLOOD_REFUSALS


def test_a_probe_of_a_held_route_that_is_exhausted_is_followed_by_another() -> None:
    bench = Bench(CoreSettings(retry_for_s=60.0))
    offset = flooded(bench)
    for more in range(3):
        message = bench.message(offset + more, key=b"bad %d" % more)
        bench.take_in(message, report(message, "bad"))
    first = Offset(offset)
    ended = False
    for number in range(offset + 3, offset + 303):
        bench.wait(1.0)
        message = bench.message(number, key=b"fine %d" % number)
        bench.take_in(message, report(message, "good"))
        for call in bench.calls():
            (sent,) = call.batch.reports
            ended = ended or (sent.route == "bad" and sent.message.offset != first)
            bench.answer(call, UNAVAILABLE if sent.message.offset == first else ACCEPTED)
        bench.write_letters()
    assert (Reason.EXHAUSTED, "bad") in bench.letters
    assert ended
    assert not bench.core.letters.holding


def test_a_probe_whose_lane_is_held_does_not_hold_its_route_for_all_sites(bench: Bench) -> None:
    """Found by a stranger: six hours, and only the dead site was asked."""
    offset = flooded(bench)
    dead = bench.message(offset, key=b"dead")
    bench.take_in(dead, report(dead, "bad", instance="dead"))
    for more in range(1, 51):
        message = bench.message(offset + more, key=b"fine %d" % more)
        bench.take_in(message, report(message, "bad", instance="fine"))
    for _ in range(180):
        bench.wait(1.0)
        for call in bench.calls():
            is_dead = call.batch.lane.instance == "dead"
            bench.answer(call, Denied("403") if is_dead else ACCEPTED)
        bench.write_letters()
    assert not bench.core.letters.holding
    assert bench.part.window.held_messages == 1, "the dead site's"


def test_an_acceptance_from_before_a_route_was_held_does_not_end_the_hold(bench: Bench) -> None:
    early = bench.message(0, key=b"early")
    bench.take_in(early, report(early, "bad"))
    call = bench.call()
    flooded(bench, 1)
    bench.answer(call, ACCEPTED)
    assert bench.core.letters.holding


def test_guards_of_schemas_that_nobody_knows_are_bounded(bench: Bench) -> None:
    for number in range(3 * SCHEMA_GUARDS_MOST):
        bench.now += 0.1
        message = bench.message(number, key=None)
        refusal = Refusal(Reason.UNKNOWN_SCHEMA, "unknown")
        bad = BadMessage(message, refusal, f"schema id {number}")
        bench.core.take_bad(bench.part, bad, bench.now)
        bench.write_letters()
    assert bench.core.letters.guards <= 2 * SCHEMA_GUARDS_MOST


# --- tokens and lanes -------------------------------------------------------------------------


def test_no_token_is_asked_for_that_nobody_waits_for_any_more() -> None:
    bench = Bench(grants=False)
    message = bench.message(0)
    bench.take_in(message, report(message))
    bench.calls()
    bench.core.books["default"].unavailable("site", "down", None, bench.now)
    bench.core.fenced([OWNED], bench.now)
    asked = 0
    for _ in range(600):
        bench.wait(1.0)
        bench.calls()
        for order in bench.last.tokens:
            asked += 1
            bench.core.books["default"].unavailable(order.scope, "down", None, bench.now)
    assert asked <= 1
    owned = Owned(PARTITION, Generation(2))
    bench.part = bench.core.assigned(owned, window_of(owned))
    message = bench.message(0)
    bench.take_in(message, report(message))
    bench.grants = True
    assert len(bench.calls()) == 1, "it is asked for again where it is needed again"


def test_a_slow_site_leaves_calls_to_the_others() -> None:
    bench = Bench(CoreSettings(max_in_flight=8))
    message = bench.message(0, key=b"0")
    bench.take_in(message, report(message, instance="fast"))
    bench.answer(bench.call(), ACCEPTED)
    for offset in range(1, 50):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message, instance="slow"))
    slow = bench.calls()
    assert len(slow) == 8, "alone it may have all"
    for offset in range(50, 70):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message, instance="fast"))
    bench.answer(slow.pop(), ACCEPTED)
    for _ in range(20):
        call = bench.call()
        assert call.batch.lane.instance == "fast"
        bench.answer(call, ACCEPTED)


def test_probes_of_dead_sites_take_nothing_from_the_others() -> None:
    """Found by a stranger: after a quarter of an hour four calls were left of 256."""
    bench = Bench()
    for second in range(1_200):
        bench.wait(1.0)
        for site in range(9):
            bench.fill(range(12 * second + site, 12 * second + site + 1), instance=f"dead-{site}")
        first = 12 * second + 9
        for offset in range(first, first + 2):
            bench.fill(range(offset, offset + 1), instance=f"light-{offset % 20}")
        for call in bench.calls():
            is_dead = call.batch.lane.instance.startswith("dead")
            bench.answer(call, LOST if is_dead else ACCEPTED)
    assert bench.core.limit.limit == 256


def test_a_slow_trigger_leaves_calls_to_the_other_triggers_of_its_site() -> None:
    bench = Bench(CoreSettings(max_in_flight=8))
    for offset in range(50):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message, trigger="slow"))
    slow = bench.calls()
    for offset in range(50, 70):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message, trigger="fast"))
    bench.answer(slow.pop(), ACCEPTED)
    for _ in range(20):
        call = bench.call()
        assert call.batch.trigger == "fast"
        bench.answer(call, ACCEPTED)


def test_waiting_for_a_token_spends_no_retry_budget() -> None:
    bench = Bench(CoreSettings(retry_for_s=900.0))
    for offset in range(2):
        message = bench.message(offset, key=b"%d" % offset)
        bench.take_in(message, report(message))
    first, second = bench.calls()
    bench.answer(first, UNAVAILABLE)
    bench.now += 0.01
    bench.answer(second, ACCEPTED)
    bench.core.books["default"].rejected("site", first.token, bench.now, bench.now)
    bench.core.take_commands()
    bench.wait(3600.0)
    bench.core.books["default"].granted("site", "fresh", 14400.0, bench.now)
    bench.answer(bench.call(), UNAVAILABLE)
    bench.write_letters()
    assert bench.letters == []


def test_waiting_for_its_turn_spends_no_retry_budget() -> None:
    """A busy lane's queue may be longer than the budget."""
    bench = Bench(
        CoreSettings(retry_for_s=60.0, max_in_flight=1),
        endpoint=EndpointSettings(quota_per_minute=60),
    )
    bench.fill(range(300))
    unlucky = Offset(0)
    attempts = 0
    for _ in range(900):
        bench.wait(1.0)
        for call in bench.calls():
            (sent,) = call.batch.reports
            attempts += sent.message.offset == unlucky
            is_refused = sent.message.offset == unlucky and attempts < 3
            bench.answer(call, UNAVAILABLE if is_refused else ACCEPTED)
        bench.write_letters()
    assert attempts == 3
    assert bench.letters == []


def test_what_waits_for_its_next_attempt_is_forgotten_with_its_partition(bench: Bench) -> None:
    message = bench.message(0)
    bench.take_in(message, report(message))
    bench.answer(bench.call(), Unavailable("503", 503, True, retry_after_s=3600.0))
    (lane,) = bench.core.lanes
    (channel,) = lane.channels.values()
    assert channel.retries
    bench.core.fenced([OWNED], bench.now)
    assert not channel.retries
    bench.wait(3700.0)
    assert bench.calls() == []


# --- partitions -------------------------------------------------------------------------------


def test_a_drain_ends_when_what_it_waits_for_is_lost(bench: Bench) -> None:
    message = bench.message(0)
    bench.take_in(message, report(message))
    bench.call()
    bench.core.revoking([OWNED], "drain", bench.now)
    assert bench.core.take_commands().finished == []
    bench.core.fenced([OWNED], bench.now)
    (finished,) = bench.core.take_commands().finished
    assert (finished.ticket, finished.plans) == ("drain", ())


def test_a_partition_whose_assignment_a_stall_held_up_starts_no_call_before_a_commit(
    bench: Bench,
) -> None:
    bench.core.tick(bench.now)
    bench.now += 60.0
    other = Owned(Partition("billing.invoices", 1), Generation(2))
    bench.core.tick(bench.now)
    part = bench.core.assigned(other, window_of(other))
    assert not part.may_call
    bench.wait(0.1)
    assert bench.commit(), "the partition of before"
    bench.wait(0.1)
    assert bench.commit()
    assert part.may_call


def test_thousands_of_reports_and_cancels_of_one_entity_cost_no_square(bench: Bench) -> None:
    for offset in range(4_000):
        message = bench.message(offset, key=None)
        action = Action.CANCEL if offset % 2 else Action.REPORT
        bench.take_in(message, report(message, trigger="due", entity="e", action=action))
    call = bench.call()
    seen, waiting = set(call.jobs), list(call.jobs)
    edges = 0
    while waiting:
        followers = waiting.pop().followers
        edges += len(followers)
        waiting += set(followers) - seen
        seen |= set(followers)
    assert len(seen) == 4_000
    assert edges <= 2 * 4_000
    order = []
    for number in range(6):
        call = bench.call() if number else call
        order += offsets([call])
        bench.answer(call, ACCEPTED)
        bench.wait(0.3)
        bench.commit()
    assert order == [0, 1, 2, 3, 4, 5]


def test_reports_and_cancels_of_one_entity_cost_no_square_while_the_position_stands(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[Pin] = []
    pin = Window.pin

    def counted(window: Window, offset: Offset, settlement: int) -> Pin:
        pinned.append(pin(window, offset, settlement))
        return pinned[-1]

    monkeypatch.setattr(Window, "pin", counted)
    bench.fill(range(1))
    stuck = bench.call()
    for offset in range(1, 1_001):
        message = bench.message(offset, key=None)
        action = Action.REPORT if offset % 2 else Action.CANCEL
        bench.take_in(message, report(message, trigger="due", entity="e", action=action))
    order = []
    for _ in range(1_000):
        call = bench.call()
        order += offsets([call])
        bench.answer(call, ACCEPTED)
        bench.wait(0.3)
        bench.commit()
    assert order == [*range(1, 1_001)]
    assert bench.position == 0
    assert stuck.channel.in_flight == 1
    assert Counter(pinned) == {Pin.NOT_COMMITTED: 499, Pin.HELD: 499}


def test_a_fenced_partition_keeps_nothing_alive(bench: Bench) -> None:
    for offset in range(10):
        message = bench.message(offset)
        bench.take_in(message, report(message, trigger="due", entity="e"))
    part = bench.part
    bench.core.fenced([OWNED], bench.now)
    assert not any([part.tails, part.entities, part.marks, part.commit_waiters, part.deferred])


def test_a_call_of_a_fenced_partition_that_ends_late_breaks_nothing(bench: Bench) -> None:
    message = bench.message(0)
    bench.take_in(message, report(message, trigger="due", entity="e"))
    call = bench.call()
    bench.core.fenced([OWNED], bench.now)
    bench.answer(call, LOST)
    bench.wait(120.0)
    assert bench.calls() == []


# --- breakers ---------------------------------------------------------------------------------


def _open_breakers(bench: Bench) -> int:
    return sum(
        channel.holds is not None for lane in bench.core.lanes for channel in lane.channels.values()
    )


def test_a_breaker_whose_partition_went_does_not_stay_open_for_good(bench: Bench) -> None:
    """Found by a stranger: the gauge stood at 1 for hours, and the lane was never forgotten."""
    message = bench.message(0)
    bench.take_in(message, report(message))
    bench.answer(bench.call(), Denied("403"))
    assert _open_breakers(bench) == 1
    bench.core.fenced([OWNED], bench.now)
    assert _open_breakers(bench) == 0


def test_a_breaker_whose_partition_went_while_its_probe_was_in_flight_closes(
    bench: Bench,
) -> None:
    message = bench.message(0)
    bench.take_in(message, report(message))
    bench.answer(bench.call(), Denied("403"))
    bench.wait(301.0)
    probe = bench.call()
    bench.core.fenced([OWNED], bench.now)
    bench.answer(probe, Denied("403"))
    assert _open_breakers(bench) == 0


# --- what is refused keeps its place ------------------------------------------------------------


def _refused(
    message: Message, *, instance: str | None = "site", entity: str | None = None
) -> RefusedReport:
    refusal = Refusal(Reason.PAYLOAD_INVALID, "broken")
    return RefusedReport(
        message,
        "broken",
        "due",
        Action.REPORT,
        refusal,
        instance,
        entity=entity,
        any_entity=entity is None,
    )


@pytest.mark.parametrize(("instance", "entity"), [("site", "e"), ("site", None), (None, None)])
def test_a_cancel_waits_for_a_refused_report_that_is_or_may_be_of_its_entity(
    bench: Bench, instance: str | None, entity: str | None
) -> None:
    """Found by a stranger: automations ran for invoices that were paid long since."""
    refused, cancel = bench.message(0, None), bench.message(1, None)
    bench.take_in(refused, _refused(refused, instance=instance, entity=entity))
    bench.take_in(cancel, report(cancel, trigger="due", entity="e", action=Action.CANCEL))
    assert bench.calls() == []

    bench.write_letters()

    assert offsets(bench.calls()) == [1]


@pytest.mark.parametrize("instance", ["site", None])
def test_later_reports_of_a_key_wait_for_one_that_was_refused(
    bench: Bench, instance: str | None
) -> None:
    refused, other, later = bench.message(0, b"k"), bench.message(1, b"o"), bench.message(2, b"k")
    bench.take_in(refused, _refused(refused, instance=instance))
    bench.take_in(other, report(other))
    bench.take_in(later, report(later))
    assert offsets(bench.calls()) == [1]

    bench.write_letters()

    assert offsets(bench.calls()) == [2]


def test_what_was_refused_of_any_instance_keeps_back_only_what_came_after_it(
    bench: Bench,
) -> None:
    for offset in range(3):
        message = bench.message(offset, b"k")
        bench.take_in(message, _refused(message, instance=None))
    later = bench.message(3, b"k")
    bench.take_in(later, report(later))
    first, second, third = bench.core.take_commands().letters
    for order in (third, first):
        bench.core.letter_written(order, bench.now)
        assert bench.calls() == []
    bench.core.letter_written(second, bench.now)
    assert offsets(bench.calls()) == [3]
    assert not bench.part.barriers


def test_thousands_of_refused_reports_of_one_key_cost_no_square() -> None:
    bench = Bench(CoreSettings(guard_floods=False))
    count = 5_000
    for offset in range(count):
        message = bench.message(offset, b"k")
        if offset % 2:
            bench.take_in(message, report(message))
        else:
            bench.take_in(message, _refused(message, instance=None))
    for _ in range(count):
        bench.write_letters()
        started = bench.calls()
        for call in started:
            bench.answer(call, ACCEPTED)
        if not started and not bench.last.letters:
            break
    assert bench.part.window.held_messages == 0
    assert not bench.part.barriers
