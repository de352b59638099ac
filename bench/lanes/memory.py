"""How much memory do 100,000 app instances take that were seen once?

Each instance has one event, so that each needs a lane and a token; the endpoint answers reports and
token calls at once. They come at a rate that leaves no backlog, whose memory `delivery.window`
bounds. A second and a third 100,000, of other instances, show that it does not grow with them.
"""

import time
from collections.abc import Sequence

from bench.lanes.figure import Figure
from bench.lanes.running import LaneRun, lane_run, spent
from bench.stage import Stage

NAME = "instances-memory"
RATE = 1_000
SAYS = (
    "Resident memory of the process with 100,000 instances seen, and as many others twice; the"
    f" endpoint answers reports and token calls at once, {RATE:,} new instances a second, quota"
    " 200/min"
)
FULL, QUICK = 100_000, 30_000
ROUNDS = 3
WARM_UP_EVENTS = 1_000
WITHIN_S = 600
SETTLE_S = 3.0
"""Commits and the garbage of the last calls."""
GROWTH_MOST = 0.1
"""Of what stood before, in the last round: caches are full by then."""
_LOOK_EVERY_S = 0.25


def measure(stage: Stage, quick: bool) -> Figure:
    instances = QUICK if quick else FULL
    rows: list[Sequence[str]] = [("seen", "MB after", "MB most", "lanes remembered", "seconds")]
    with lane_run(stage, latency_s=0.0) as run:
        run.produce({"site": 1}, WARM_UP_EVENTS)
        _watch(run, WARM_UP_EVENTS)
        before_mb = run.memory_mb
        rows.append(("1 instance", f"{before_mb:.0f}", "-", _lanes(run), "-"))
        after_mb = [before_mb]
        first = run.cost()
        for number in range(1, ROUNDS + 1):
            started = time.monotonic()
            names = {f"site-{number}-{site}": 1.0 for site in range(instances)}
            with run.producing(names, instances, rate=RATE, in_turn=True, keys=1) as producing:
                most_mb = _watch(run, WARM_UP_EVENTS + number * instances)
                producing.wait()
            seconds = time.monotonic() - started
            time.sleep(SETTLE_S)
            after_mb.append(run.memory_mb)
            rows.append(
                (
                    f"{number * instances:,} instances",
                    f"{after_mb[-1]:.0f}",
                    f"{most_mb:.0f}",
                    _lanes(run),
                    f"{seconds:.0f}",
                )
            )
        cost = spent(first, run.cost())
    remarks = [
        f"{before_mb:.0f} MB before, {after_mb[1]:.0f} MB with {instances:,} instances seen,"
        f" {after_mb[-1]:.0f} MB with {ROUNDS * instances:,}.",
        f"In this run, a token call for each event, {cost}.",
    ]
    return Figure(NAME, SAYS, rows, remarks, _failures(after_mb))


def _watch(run: LaneRun, events: int) -> float:
    """Wait until so many events were accepted; gives the most megabytes that were seen."""
    most_mb = 0.0
    deadline = time.monotonic() + WITHIN_S
    while run.endpoint.count().events < events:
        assert time.monotonic() < deadline, f"no {events} events within {WITHIN_S} s"
        most_mb = max(most_mb, run.memory_mb)
        time.sleep(_LOOK_EVERY_S)
    return most_mb


def _lanes(run: LaneRun) -> str:
    return f"{run.streamer.total('streamer_lanes'):,.0f}"


def _failures(after_mb: Sequence[float]) -> Sequence[str]:
    before, after = after_mb[-2:]
    if after <= before * (1 + GROWTH_MOST):
        return []
    return [f"{NAME}: memory grows with instances seen: {before:.0f} MB, then {after:.0f} MB"]
