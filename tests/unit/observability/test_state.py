"""What does a snapshot show of the core, and what do the gauges make of it?"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest

from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.outcomes import Denied, Throttled, Unavailable
from streamer.model import (
    Action,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
    RefusedReport,
    Routed,
    SchemaNeeded,
    SchemaRef,
)
from streamer.observability.gauges import StateGauges
from streamer.observability.standing import Standing
from streamer.observability.state import HELD_SHOWN, Snapshot, snapshot
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    CANCELLED,
    OWNED,
    PARTITION,
    UNAVAILABLE,
    Bench,
    report,
)

WALL_MS = 1_000_000


class Reading:
    """A source as it shows itself."""

    def __init__(self, now: float) -> None:
        self.last_turn = now
        self.joined = True
        self.stuck: str | None = None
        self.known_ends: dict[Partition, int] = {}
        self.full: frozenset[Partition] = frozenset()

    def ends(self) -> Mapping[Partition, int]:
        return self.known_ends

    def paused(self) -> frozenset[Partition]:
        return self.full


class Looking:
    """A bench with all that a snapshot looks at."""

    def __init__(self, grants: bool = True) -> None:
        self.bench = Bench(grants=grants)
        self.source = Reading(self.bench.now)
        self.standing = Standing()
        ref = SchemaRef("id", "7")
        self.intake = Intake(
            self.bench.core,
            lambda message: SchemaNeeded(message, ref),
            lambda event: Routed(()),
            Ordering.KEY,
            CANCELLED,
            lambda ref: None,
        )

    def look(self, loop_turn: float | None = None) -> Snapshot:
        now = self.bench.now
        turn = now if loop_turn is None else loop_turn
        return snapshot(
            self.bench.core, self.intake, self.source, self.standing, turn, now, WALL_MS
        )

    def take_in(self, offset: int, timestamp_ms: int = 0, instance: str = "site") -> Message:
        message = self.bench.message(offset, str(offset).encode())
        self.bench.part.timeline.append((message.offset, timestamp_ms))
        self.bench.take_in(message, report(message, instance=instance))
        return message


def test_a_core_that_has_nothing_to_do_holds_nothing() -> None:
    state = Looking().look()

    assert state.joined
    assert set(state.held.values()) == {0}
    assert (state.calls_in_flight, state.lanes, state.floods) == (0, [], {})
    [part] = state.partitions
    assert (part.topic, part.partition, part.lag, part.lag_s, part.end) == (
        PARTITION.topic,
        PARTITION.number,
        0,
        0.0,
        None,
    )


def test_the_committed_lag_and_what_is_undelivered_are_told_apart() -> None:
    looking = Looking()
    looking.source.known_ends = {PARTITION: 10}
    for offset in range(4):
        looking.take_in(offset, timestamp_ms=WALL_MS - 5_000 + offset)
    looking.bench.answer(looking.bench.calls()[0], ACCEPTED)

    [part] = looking.look().partitions
    assert part.position == 1
    assert part.window == 3
    assert part.undelivered == 6 + 3, "unread and taken in"
    assert part.lag == 10, "nothing is committed yet"
    assert part.lag_s == 4.999

    looking.bench.wait(1.0)
    assert looking.bench.commit()
    assert looking.look().partitions[0].lag == 9


def test_what_is_unread_while_nothing_is_read_grows_old() -> None:
    looking = Looking()
    looking.source.known_ends = {PARTITION: 3}

    def lag_s() -> float:
        return looking.look().partitions[0].lag_s

    assert lag_s() == 0.0
    looking.bench.wait(400)
    assert lag_s() == 400.0, "nothing was read of what is there"
    looking.take_in(0, timestamp_ms=WALL_MS - 5_000)
    assert lag_s() == 5.0, "reading goes on: what is taken in is the oldest"
    looking.bench.wait(60)
    assert lag_s() == 60.0, "and stands again"
    looking.source.known_ends = {PARTITION: 1}
    assert lag_s() == 5.0, "all is read"


def test_a_process_that_reads_nothing_says_so_in_a_gauge() -> None:
    looking = Looking()
    registry = CollectorRegistry()
    registry.register(StateGauges(looking.look))

    assert "streamer_reading_stuck 0.0" in generate_latest(registry).decode()
    looking.source.stuck = "not in the consumer group"
    assert "streamer_reading_stuck 1.0" in generate_latest(registry).decode()


def test_the_ages_of_both_threads_are_never_negative() -> None:
    looking = Looking()
    looking.source.last_turn = looking.bench.now - 3.0

    state = looking.look(loop_turn=looking.bench.now + 1.0)
    assert (state.poll_age_s, state.loop_age_s) == (3.0, 0.0)


def test_a_lane_that_waits_says_for_what() -> None:
    looking = Looking()
    looking.take_in(0, instance="refused")
    looking.bench.answer(looking.bench.call(), Denied("403: the app does not own the trigger"))

    state = looking.look()
    [lane] = state.lanes
    assert (lane.endpoint, lane.instance, lane.trigger, lane.reports) == (
        "default",
        "refused",
        "t",
        1,
    )
    assert "403" in lane.why
    assert state.held["breaker"] == 1


def test_a_lane_that_waits_for_a_time_says_how_long() -> None:
    looking = Looking()
    looking.take_in(0)
    looking.bench.answer(looking.bench.call(), Throttled(300.0))
    looking.bench.wait(100.0)

    [lane] = looking.look().lanes
    assert lane.kind == "throttled"
    assert lane.for_s is not None
    assert 200.0 <= lane.for_s <= 201.0

    looking.bench.wait(201.0)
    looking.bench.answer(looking.bench.call(), Denied("403"))
    [lane] = looking.look().lanes
    assert (lane.kind, lane.for_s) == ("breaker", 15.0)

    looking.bench.wait(15.0)
    assert looking.bench.calls(), "the probe"
    [lane] = looking.look().lanes
    assert (lane.kind, lane.for_s) == ("breaker", None)


def test_a_probe_that_waits_for_its_lanes_time_says_how_long() -> None:
    looking = Looking()
    looking.take_in(0)
    looking.bench.answer(looking.bench.call(), Denied("403"))
    looking.bench.wait(10.0)
    message = looking.bench.message(1, b"1")
    looking.bench.take_in(message, report(message, trigger="other"))
    looking.bench.answer(looking.bench.call(), Throttled(300.0))
    looking.bench.wait(10.0)

    assert looking.bench.calls() == [], "the probe is due, and its lane is throttled"
    lanes = {lane.trigger: lane for lane in looking.look().lanes}
    assert (lanes["t"].kind, lanes["other"].kind) == ("breaker", "throttled")
    assert lanes["t"].for_s == lanes["other"].for_s
    assert lanes["t"].for_s is not None
    assert lanes["t"].for_s >= 290.0


def test_a_probe_under_way_has_no_time_though_its_lane_is_throttled() -> None:
    looking = Looking()
    looking.take_in(0)
    looking.bench.answer(looking.bench.call(), Denied("403"))
    looking.bench.wait(14.0)
    message = looking.bench.message(1, b"1")
    looking.bench.take_in(message, report(message, trigger="other"))
    other = looking.bench.call()
    looking.bench.wait(1.0)
    assert looking.bench.calls(), "the probe"
    looking.bench.answer(other, Throttled(300.0))

    times = {lane.trigger: lane.for_s for lane in looking.look().lanes}
    assert times["t"] is None
    assert times["other"] is not None


def test_a_probe_that_waits_for_its_turn_has_no_time() -> None:
    looking = Looking()
    looking.source.full = frozenset({PARTITION})
    looking.take_in(0)
    looking.bench.answer(looking.bench.call(), UNAVAILABLE)
    looking.bench.wait(60.0)
    looking.bench.answer(looking.bench.call(), Denied("403"))
    looking.bench.wait(15.0)

    stopped_by = looking.look().partitions[0].stopped_by
    assert stopped_by is not None
    assert (stopped_by.kind, stopped_by.for_s) == ("breaker", None)


def test_a_report_that_waits_for_its_next_attempt_is_counted_and_says_how_long() -> None:
    looking = Looking()
    looking.take_in(0)
    looking.bench.answer(looking.bench.call(), Unavailable("503", 503, retry_after_s=600.0))
    looking.take_in(1)
    looking.bench.answer(looking.bench.call(), Unavailable("503", 503, retry_after_s=3600.0))
    looking.take_in(2)
    looking.bench.wait(100.0)

    state = looking.look()
    [lane] = state.lanes
    assert (lane.instance, lane.trigger, lane.reports, lane.kind) == ("site", "t", 2, "retry")
    assert "`Retry-After`" in lane.why
    assert lane.for_s is not None
    assert 500.0 <= lane.for_s <= 501.0, "the next of the two"
    assert state.held["retry"] == 2
    assert state.lanes_held == {}, "its trigger goes on"


def test_a_paused_partition_names_the_retry_that_stops_it() -> None:
    looking = Looking()
    looking.source.full = frozenset({PARTITION})
    for offset, wait_s in enumerate((3600.0, 600.0)):
        looking.take_in(offset)
        down = Unavailable("503", 503, retry_after_s=wait_s)
        looking.bench.answer(looking.bench.call(), down)
    looking.take_in(2)

    stopped_by = looking.look().partitions[0].stopped_by
    assert stopped_by is not None
    assert (stopped_by.instance, stopped_by.kind) == ("site", "retry")
    assert stopped_by.for_s is not None
    assert stopped_by.for_s >= 3600.0, "that one's, not the lane's next"
    assert 'trigger="t"} 1.0' in exposed(looking.look())


def test_what_only_waits_for_its_turn_beside_a_retry_stops_nothing() -> None:
    looking = Looking()
    looking.source.full = frozenset({PARTITION})
    looking.take_in(0)
    first = looking.bench.call()
    looking.take_in(1)
    looking.bench.answer(looking.bench.call(), Unavailable("503", 503, retry_after_s=600.0))
    looking.bench.core.dropped(first, looking.bench.now)

    state = looking.look()
    assert state.held["retry"] == 1
    assert state.partitions[0].stopped_by is None


def test_a_held_lane_whose_report_waits_longer_for_its_next_attempt_says_that_time() -> None:
    looking = Looking()
    looking.source.full = frozenset({PARTITION})
    looking.take_in(0)
    looking.bench.answer(looking.bench.call(), Unavailable("503", 503, retry_after_s=3600.0))
    looking.take_in(1)
    looking.bench.answer(looking.bench.call(), Throttled(300.0))

    state = looking.look()
    stopped_by, [lane] = state.partitions[0].stopped_by, state.lanes
    assert stopped_by is not None
    assert (stopped_by.kind, lane.reports) == ("throttled", 2)
    assert lane.for_s is not None
    assert lane.for_s < 400.0
    assert stopped_by.for_s is not None
    assert stopped_by.for_s >= 3600.0


def test_a_paused_partition_names_the_lane_that_stops_it() -> None:
    looking = Looking()
    looking.take_in(0, instance="other")
    looking.take_in(1, instance="refused")
    looking.take_in(2, instance="refused-too")
    other, *rest = looking.bench.calls()
    for call in rest:
        looking.bench.answer(call, Denied("403"))
    looking.source.full = frozenset({PARTITION})
    before = looking.look()

    looking.bench.answer(other, ACCEPTED)

    after = looking.look()
    assert before.partitions[0].stopped_by is None, "the first is in flight"
    stopped_by = after.partitions[0].stopped_by
    assert stopped_by is not None
    assert (stopped_by.instance, stopped_by.kind) == ("refused", "breaker")
    assert after.lanes_held == {"breaker": 2}
    assert after.lanes_known == 3


def test_lanes_that_wait_for_a_token_are_held_by_it_and_the_app_says_why() -> None:
    looking = Looking(grants=False)
    looking.take_in(0)
    looking.bench.calls()
    assert looking.look().held["token"] == 1
    assert looking.look().lanes[0].for_s is None

    looking.bench.core.books["default"].refused("site", "401 invalid_client", looking.bench.now)
    assert looking.look().app_held == {"default": "401 invalid_client"}


def test_of_many_lanes_that_wait_those_with_the_most_reports_are_shown() -> None:
    looking = Looking(grants=False)
    for offset in range(HELD_SHOWN + 20):
        looking.take_in(offset, instance=f"site-{offset}")
    looking.take_in(HELD_SHOWN + 20, instance="site-0")
    looking.bench.calls()

    state = looking.look()
    assert len(state.lanes) == HELD_SHOWN
    assert (state.lanes[0].instance, state.lanes[0].reports) == ("site-0", 2)
    assert state.held["token"] == HELD_SHOWN + 21, "all of them are counted"


def test_a_dead_letter_that_cannot_be_written_shows_the_writers_words() -> None:
    looking = Looking()
    message = looking.bench.message(0)
    refusal = Refusal(Reason.PAYLOAD_INVALID, "a null")
    looking.bench.take_in(message, RefusedReport(message, "r", "t", Action.REPORT, refusal))
    [order] = looking.bench.core.take_commands().letters
    looking.bench.core.letter_failed(order, "no-topic", "a.dlq does not exist", looking.bench.now)

    state = looking.look()
    assert state.letters_unwritten == "a.dlq does not exist"
    assert state.held["dead-letter"] == 1


def test_messages_that_wait_for_a_schema_name_it() -> None:
    looking = Looking()
    message = Message(PARTITION, OWNED.generation, Offset(0), 0, b"k", b"v")
    looking.intake.take_in([message], looking.bench.now)

    state = looking.look()
    assert state.schemas_awaited == ["schema id 7"]


# --- gauges -----------------------------------------------------------------------------------


def exposed(state: Snapshot | None) -> str:
    registry = CollectorRegistry()
    registry.register(StateGauges(lambda: state))
    return generate_latest(registry).decode()


def test_each_scrape_shows_the_state_of_that_moment() -> None:
    looking = Looking()
    looking.source.known_ends = {PARTITION: 4}
    looking.source.full = frozenset({PARTITION})
    looking.take_in(0, instance="slow")
    looking.bench.answer(looking.bench.call(), UNAVAILABLE)

    text = exposed(looking.look())
    where = f'{{partition="{PARTITION.number}",topic="{PARTITION.topic}"}}'
    assert f"streamer_lag_messages{where} 4.0" in text
    assert f"streamer_partition_paused{where} 1.0" in text
    assert "streamer_calls_limit" in text
    assert 'streamer_app_held{endpoint="default"} 0.0' in text


def test_a_loop_that_does_not_answer_leaves_the_gauges_out() -> None:
    assert exposed(None) == ""


def test_registering_takes_no_snapshot() -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(1)

    CollectorRegistry().register(StateGauges(look))
    assert looks == []
