"""Where newly assigned partitions start, and when they may."""

from collections.abc import Sequence
from itertools import count

from structlog.testing import capture_logs

from streamer.model import Generation, Offset, Partition, Position
from streamer.source.another_topic import ANSWERS_BEFORE_ANOTHER
from streamer.source.commit_metadata import CommitContext, Encoded, encode, read
from streamer.source.commits import TOO_LARGE, Answered, Commits
from streamer.source.done_set import DoneSet
from streamer.source.handover import Assigned
from streamer.source.opening import ASK_AGAIN_S, Opening
from streamer.source.start import EARLIEST_MS
from tests.source_probe import CountingWatch
from tests.unit.source.fake_client import CLUSTER, FakeClient

A0, A1, B0 = Partition("a", 0), Partition("a", 1), Partition("b", 0)
MINE = "00ff"
CONFIGURED_MS = 9_000


class Case:
    def __init__(self, **topics: int) -> None:
        self.client = FakeClient(topics)
        self.watch = CountingWatch()
        generations = count(1)
        self.commits = Commits(self.client.submit)
        self.opening = Opening(
            self.client.cast(),
            self.commits,
            MINE,
            CONFIGURED_MS,
            lambda: list(topics),
            lambda: Generation(next(generations)),
            self.watch,
            1.0,
            self.client.topic_ids(),
        )
        self.now = 0.0

    def turn(self, later_s: float = ASK_AGAIN_S) -> list[Assigned]:
        self.now += later_s
        return self.opening.turn(self.now, CLUSTER)

    def has_committed(
        self,
        partition: Partition,
        position: int,
        moment_ms: int,
        subscription: str = MINE,
        topic_digest: int | None = None,
    ) -> None:
        context = CommitContext(CLUSTER, partition, moment_ms, subscription, topic_digest)
        run = (Offset(position + 2), Offset(position + 4))
        encoded = encode(context, Position(position), DoneSet(), [run], ())
        assert isinstance(encoded, Encoded)
        self.client.offsets[partition] = (Position(position), encoded.text)


def places(opened: Sequence[Assigned]) -> dict[Partition, int]:
    return {assigned.owned.partition: assigned.position for assigned in opened}


def test_a_partition_with_an_offset_starts_there_with_what_was_settled_beyond() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    case.opening.add([A0])

    (assigned,) = case.turn()

    assert assigned.position == 7
    assert assigned.restored.runs == ((9, 11),)
    assert assigned.started_at_ms == 100
    assert case.client.reading == {A0: 7}
    assert case.turn() == []


def test_nothing_is_opened_without_an_answer_and_it_is_asked_for_again() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    case.opening.add([A0])
    case.client.answers = False

    assert case.turn() == []
    assert case.client.reading == {}
    assert case.opening.problem is not None
    case.client.answers = True
    assert case.turn(later_s=0.1) == []
    assert places(case.turn()) == {A0: 7}
    assert case.opening.problem is None


def test_a_partition_without_an_answer_of_its_own_does_not_hold_back_the_others() -> None:
    case = Case(a=2)
    case.has_committed(A0, 7, 100)
    case.has_committed(A1, 8, 100)
    case.client.silent = {A1}
    case.opening.add([A0, A1])

    assert places(case.turn()) == {A0: 7}
    case.client.silent = set()
    assert places(case.turn()) == {A1: 8}


def test_a_partition_that_is_not_ready_to_be_read_is_tried_in_the_next_turn() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    case.client.not_ready = {A0}
    case.opening.add([A0])

    assert case.turn() == []
    case.client.not_ready = set()
    assert places(case.turn(later_s=0.001)) == {A0: 7}


def test_a_partition_that_never_gets_ready_is_held_anew() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    case.client.not_ready = {A0}
    case.opening.add([A0])

    for _ in range(9):
        assert case.turn(later_s=0.1) == []
    assert "hold again" not in case.client.calls
    for _ in range(3):
        assert case.turn(later_s=0.1) == []
    assert case.client.calls.count("hold again") == 1
    case.client.not_ready = set()
    assert places(case.turn(later_s=0.1)) == {A0: 7}


def test_a_start_is_committed_and_seen_before_the_partition_is_read() -> None:
    case = Case(a=1)
    case.opening.add([A0])

    (assigned,) = case.turn()

    calls = case.client.calls
    assert calls.index("commit") < calls.index("shown") < calls.index("read")
    position, text = case.client.offsets[A0]
    assert position == assigned.position == 50
    kept = read(text, position, CLUSTER, A0)
    assert (kept.started_at_ms, kept.subscription) == (CONFIGURED_MS, MINE)
    assert case.client.asked_moments == {A0: CONFIGURED_MS}


def test_a_start_that_the_broker_does_not_have_opens_nothing() -> None:
    case = Case(a=1)
    case.client.takes_commits = False
    case.opening.add([A0])

    assert case.turn() == []
    case.client.takes_commits = True
    assert places(case.turn()) == {A0: 50}


def test_an_added_partition_starts_at_the_moment_of_its_topic() -> None:
    case = Case(a=2, b=1)
    case.has_committed(A0, 7, 100, "another")
    case.has_committed(B0, 7, 50)
    case.opening.add([A1])

    (assigned,) = case.turn()

    assert assigned.started_at_ms == 100
    assert case.client.asked_moments == {A1: 100}


def test_no_moment_is_guessed_while_a_partition_of_the_group_is_unknown() -> None:
    case = Case(a=1, b=1)
    case.has_committed(B0, 7, 50)
    case.client.silent = {B0}
    case.opening.add([A0])

    assert case.turn() == []
    case.client.silent = set()
    (assigned,) = case.turn()
    assert assigned.started_at_ms == 50


def test_a_broker_without_room_for_the_moment_is_started_at_without_it() -> None:
    case = Case(a=1)
    case.client.takes_commits = False
    case.opening.add([A0])
    assert case.turn() == []

    case.commits.answered([Answered(A0, 50, TOO_LARGE)])
    case.client.takes_commits = True
    (assigned,) = case.turn()

    assert (assigned.position, assigned.started_at_ms) == (50, CONFIGURED_MS)
    assert case.client.offsets[A0] == (50, "")


def test_a_first_commit_that_fails_for_another_reason_is_made_again_with_the_moment() -> None:
    case = Case(a=1)
    case.client.takes_commits = False
    case.opening.add([A0])
    assert case.turn() == []

    case.commits.answered([Answered(A0, 50, "COORDINATOR_LOAD_IN_PROGRESS")])
    case.client.takes_commits = True
    case.turn()

    assert case.client.offsets[A0][1]


def test_a_position_that_is_given_wins_over_what_is_committed() -> None:
    case = Case(a=1)
    case.has_committed(A0, 700, 100)
    case.opening.add([A0], Position(3))

    (assigned,) = case.turn()

    assert (assigned.position, assigned.restored, assigned.started_at_ms) == (3, DoneSet(), 100)
    assert case.client.offsets[A0][0] == 3


def test_metadata_that_is_not_believed_is_counted_and_read_as_empty() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    case.client.offsets[A0] = (Position(8), case.client.offsets[A0][1])
    case.opening.add([A0])

    (assigned,) = case.turn()

    assert assigned.restored == DoneSet()
    assert assigned.started_at_ms == CONFIGURED_MS
    assert case.watch.events == [("rejected", "position")]


def test_a_partition_that_went_before_it_was_open_is_not_opened() -> None:
    case = Case(a=1)
    case.opening.add([A0])
    case.opening.remove([A0])

    assert case.turn() == []


def test_each_opening_has_a_generation_of_its_own() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    seen = []
    for _ in range(3):
        case.opening.add([A0])
        seen += [assigned.owned.generation for assigned in case.turn()]

    assert seen == [1, 2, 3]


# --- topics that were made anew ---------------------------------------------------------------


def test_an_offset_of_another_topic_is_none_and_the_topic_is_read_from_its_first_message() -> None:
    case = Case(a=2)
    case.has_committed(A0, 7, 100, topic_digest=1)
    case.has_committed(A1, 8, 100, topic_digest=2)
    case.client.ids["a"] = 2
    case.opening.add([A0, A1])

    assert places(case.turn()) == {A1: 8}
    for _ in range(ANSWERS_BEFORE_ANOTHER - 2):
        assert case.turn() == [], "one answer is not believed"
    with capture_logs() as logs:
        (assigned,) = case.turn()

    assert case.client.asked_moments == {A0: EARLIEST_MS}
    assert (assigned.restored, assigned.started_at_ms) == (DoneSet(), 100)
    assert assigned.topic_digest == 2
    position, text = case.client.offsets[A0]
    assert position == assigned.position == 50
    assert read(text, position, CLUSTER, A0).topic_digest == 2
    assert [it["event"] for it in logs] == ["topic_made_anew"]
    assert case.watch.events == [("made-anew", "a")]


def test_an_offset_that_names_no_topic_is_believed_and_the_next_commit_names_it() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100)
    case.client.ids["a"] = 2
    case.opening.add([A0])

    (assigned,) = case.turn()

    assert (assigned.position, assigned.topic_digest) == (7, 2)
    assert assigned.restored.runs == ((9, 11),)


def test_where_no_id_is_told_the_offset_is_believed_and_its_topic_is_carried_on() -> None:
    case = Case(a=1)
    case.has_committed(A0, 7, 100, topic_digest=1)
    case.opening.add([A0])

    (assigned,) = case.turn()

    assert (assigned.position, assigned.topic_digest) == (7, 1)


def test_a_topic_that_is_not_told_of_yet_is_asked_for_again() -> None:
    case = Case(a=1, b=1)
    case.has_committed(A0, 7, 100)
    case.has_committed(B0, 8, 100)
    del case.client.ids["a"]
    case.opening.add([A0, B0])

    assert places(case.turn()) == {B0: 8}
    case.client.ids["a"] = 1
    assert places(case.turn()) == {A0: 7}


def test_the_topic_is_asked_for_before_its_offsets() -> None:
    case = Case(a=1)
    case.opening.add([A0])
    case.turn()

    assert case.client.calls[:2] == ["ids", "committed"]


def test_a_start_without_an_offset_names_its_topic() -> None:
    case = Case(a=1)
    case.client.ids["a"] = 2
    case.opening.add([A0])

    (assigned,) = case.turn()

    position, text = case.client.offsets[A0]
    assert read(text, position, CLUSTER, A0).topic_digest == assigned.topic_digest == 2
    assert case.watch.events == []


# --- what is told -----------------------------------------------------------------------------


def test_a_group_without_any_offset_is_told_once_with_the_moment() -> None:
    case = Case(a=2)
    with capture_logs() as logs:
        case.opening.add([A0])
        case.turn()
        case.opening.add([A1])
        case.turn()

    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["event"] for entry in warnings] == ["group_has_no_offset"]
    assert warnings[0]["starts_at"] == "1970-01-01T00:00:09.000+00:00"
