"""What does one held app instance cost the others, and how much of it stops a partition?

1,000 instances with equal traffic. One of them is refused for minutes, so that a thousandth of all
messages, spread over all partitions, waits while the rest goes on around it. Before and after it
the same without: what these two differ by is the machine's doing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from msgspec import Struct

from bench.lanes.figure import Figure
from bench.lanes.running import LATENCY_S, LaneRun, lane_run, spent
from bench.lanes.waits import Waits, waits_of
from bench.stage import Stage
from tests.servers.waiting import wait_until

NAME = "lanes-held"
RATE = 1_500
OTHERS = {f"site-{number}": 1.0 for number in range(1, 1_000)}
HELD = "site-held"
HELD_RATE = RATE / 1_000
STATUS = 503
SAYS = (
    f"1,000 instances, {RATE:,} events a second in all, keys over 12 partitions, endpoint with a"
    f" latency of 50 ms, no quota; one instance with 0.1 % of the traffic is answered {STATUS} all"
    " the time. Latency is from the record's timestamp to the call's arrival, and 50 ms more to its"
    " answer. Bursts: 100,000 events of the others that were written while streamer stood still"
)
FULL_S, QUICK_S = 600, 60
WARM_UP_S = 15
BURST = 100_000
BURSTS = 3
WITHIN = 0.05

STOP_EVENTS = 12_500
STOP_NOTES = (8, 4_096)
BESIDE_RATE = 50
STOP_S = 60


class Segment(Struct, frozen=True):
    """One run, of the others' events."""

    name: str
    seconds: float
    waits: Waits
    events_per_s: float
    bursts: Sequence[float]
    """Events a second."""
    refused: int
    cost: str

    @property
    def burst(self) -> float:
        return median(self.bursts)


def measure(stage: Stage, quick: bool) -> Figure:
    held_s = QUICK_S if quick else FULL_S
    before = _segment(stage, "without, before", held_s / 2, 0)
    held = _segment(stage, f"held for {held_s} s", held_s, STATUS)
    after = _segment(stage, "without, after", held_s / 2, 0)
    without = (before, after)
    remarks = [
        f"Held against the mean of both without: {_ratio(held, without, _throughput):.3f} of the"
        f" throughput in bursts; {_ratio(held, without, _median):.3f} of the median,"
        f" {_ratio(held, without, _mean):.3f} of the mean and {_ratio(held, without, _p99):.3f} of"
        " the 99th percentile of latency.",
        f"After against before: {_ratio(after, (before,), _throughput):.3f},"
        f" {_ratio(after, (before,), _median):.3f}, {_ratio(after, (before,), _mean):.3f},"
        f" {_ratio(after, (before,), _p99):.3f}.",
        f"{held.refused} calls of the held instance were refused. While it was held {held.cost}.",
    ]
    remarks += [_what_stops(stage, note_bytes) for note_bytes in STOP_NOTES]
    return Figure(NAME, SAYS, _table((before, held, after)), remarks, _failures(held, without))


def _throughput(segment: Segment) -> float:
    return segment.burst


def _median(segment: Segment) -> float:
    return segment.waits.percentile(0.5) + LATENCY_S


def _mean(segment: Segment) -> float:
    return segment.waits.mean_s + LATENCY_S


def _p99(segment: Segment) -> float:
    return segment.waits.percentile(0.99) + LATENCY_S


def _ratio(one: Segment, others: Sequence[Segment], figure: Callable[[Segment], float]) -> float:
    return figure(one) / (sum(map(figure, others)) / len(others))


def _failures(held: Segment, without: Sequence[Segment]) -> Sequence[str]:
    failures = []
    if (throughput := _ratio(held, without, _throughput)) < 1 - WITHIN:
        failures.append(f"{NAME}: the others have {throughput:.1%} of their throughput")
    # Few events make the last percentile, so that it differs by itself from run to run.
    worse = max(without, key=_p99)
    for name, figure, against in (
        ("median", _median, without),
        ("mean", _mean, without),
        ("99th percentile", _p99, (worse,)),
    ):
        if (latency := _ratio(held, against, figure)) > 1 + WITHIN:
            failures.append(f"{NAME}: the others' latency is {latency:.1%} of what it was ({name})")
    return failures


def _table(segments: Sequence[Segment]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("the others", "events/s", "p50 s", "mean s", "p99 s", "burst, events/s", "bursts")
    ]
    for it in segments:
        rows.append(
            (
                it.name,
                f"{it.events_per_s:,.0f}",
                f"{_median(it):.3f}",
                f"{_mean(it):.4f}",
                f"{_p99(it):.3f}",
                f"{it.burst:,.0f}",
                ", ".join(f"{burst:,.0f}" for burst in it.bursts),
            )
        )
    return rows


def _segment(stage: Stage, name: str, seconds: float, status: int) -> Segment:
    with lane_run(stage, has_quota=False) as run:
        run.endpoint.refuse(HELD, status)
        with _traffic(run, WARM_UP_S + seconds):
            run.wait_for_events(1, timeout_s=60)
            time.sleep(WARM_UP_S)
            run.endpoint.seen()
            first = run.cost()
        last, looks = run.cost(), run.endpoint.seen()
        bursts = [_burst(run) for _ in range(BURSTS)]
    waits = waits_of(looks, OTHERS)
    refused = looks[HELD].refused
    passed_s = last.at_s - first.at_s
    return Segment(
        name, passed_s, waits, waits.events / passed_s, bursts, refused, spent(first, last)
    )


@contextmanager
def _traffic(run: LaneRun, seconds: float) -> Iterator[None]:
    """Left when all of it is written."""
    with (
        run.producing(OTHERS, int(RATE * seconds), rate=RATE) as others,
        run.producing({HELD: 1}, int(HELD_RATE * seconds), rate=HELD_RATE, at_random=True) as held,
    ):
        yield
        others.wait()
        held.wait()


def _burst(run: LaneRun) -> float:
    """How many events a second streamer delivers when very many wait."""
    _wait_until_quiet(run)
    before = run.endpoint.count().events
    process = run.streamer.process
    process.suspend()
    try:
        run.produce(OTHERS, BURST)
    finally:
        process.resume()
    started = time.monotonic()
    run.wait_for_events(before + BURST, timeout_s=300)
    return BURST / (time.monotonic() - started)


def _wait_until_quiet(run: LaneRun) -> None:
    """Until nothing arrived for a second."""
    events = -1
    while events != (now := run.endpoint.count().events):
        events = now
        time.sleep(1)


def _what_stops(stage: Stage, note_bytes: int) -> str:
    """Fill one partition with the held instance's messages until it stops."""
    with lane_run(stage, has_quota=False) as run:
        run.endpoint.refuse(HELD, STATUS)
        beside = BESIDE_RATE * STOP_S
        with (
            run.producing({"in-it": 1}, beside, rate=BESIDE_RATE, partition=0) as in_it,
            run.producing({"beside-it": 1}, beside, rate=BESIDE_RATE, partition=1) as beside_it,
        ):
            run.wait_for_events(1, timeout_s=60)
            run.produce({HELD: 1}, STOP_EVENTS, partition=0, note_bytes=note_bytes)
            wait_until(
                lambda: run.streamer.total("streamer_partition_paused", partition="0") == 1,
                "the partition to stop",
            )
            time.sleep(1)
            run.endpoint.seen()
            time.sleep(5)
            looks = run.endpoint.seen()
            held = run.streamer.total("streamer_window_messages", partition="0")
            assert looks["in-it"].events == 0, "the stopped partition goes on"
            went_on = looks["beside-it"].events / 5 / BESIDE_RATE
            stopped_by = run.streamer.total(
                "streamer_partition_stopped_by", partition="0", app_instance=HELD
            )
            run.endpoint.refuse(HELD, 0)
            in_it.wait()
            beside_it.wait()
        run.wait_for_events(STOP_EVENTS + 2 * beside, timeout_s=180)
    named = "the metrics name the instance" if stopped_by else "no metric names the instance"
    return (
        f"{held:,.0f} held messages in one partition stop it, with notes of {note_bytes:,} bytes;"
        f" another partition went on with {went_on:.0%} of its traffic; {named}; when the instance"
        " answered again all of it was delivered."
    )
