"""How long does an event wait in a lane with 10 events a second, under the default quota?

600 events a minute are three times the calls that a lane has. Two lanes of one run: one whose
events come at even distances, and one whose events come at random.
"""

from collections.abc import Sequence

from bench.lanes.figure import Figure
from bench.lanes.running import LaneRun, lane_run, spent
from bench.lanes.waits import Waits, waits_of
from bench.replies import Seen
from bench.stage import Stage

NAME = "lanes-trickle"
SAYS = (
    "Lanes with 10 events a second, quota 200/min, endpoint with a latency of 50 ms; waits from the"
    " record's timestamp to the call's arrival, from the first event on"
)
RATE = 10
FULL_S, QUICK_S = 300, 90
MOST_S = 1.0
EVEN, AT_RANDOM = "site-even", "site-random"


def measure(stage: Stage, quick: bool) -> Figure:
    seconds = QUICK_S if quick else FULL_S
    with lane_run(stage) as run:
        first = run.cost()
        _produce(run, seconds)
        cost = spent(first, run.cost())
        looks = run.endpoint.seen()
    rows: list[Sequence[str]] = [
        ("lane", "events", "calls/min", "events/call", "p50 s", "p99 s", "longest s")
    ]
    failures = []
    for name, site in (("even distances", EVEN), ("at random", AT_RANDOM)):
        waits = waits_of(looks, [site])
        rows.append(_row(name, looks[site], waits, seconds))
        if waits.percentile(0.99) >= MOST_S:
            failures.append(
                f"{NAME}: the 99th percentile of waiting ({name}) is"
                f" {waits.percentile(0.99):.2f} s, less than {MOST_S:g} s wanted"
            )
    refused = sum(seen.throttled for seen in looks.values())
    most = max(seen.most_in_a_minute for seen in looks.values())
    remarks = [
        f"{seconds} s. At most {most} calls in any sliding minute, {refused} answers 429.",
        f"In this run {cost}.",
    ]
    return Figure(NAME, SAYS, rows, remarks, failures)


def _produce(run: LaneRun, seconds: int) -> None:
    events = RATE * seconds
    with (
        run.producing({EVEN: 1}, events, rate=RATE) as even,
        run.producing({AT_RANDOM: 1}, events, rate=RATE, at_random=True) as at_random,
    ):
        even.wait()
        at_random.wait()
    run.wait_for_events(2 * events, timeout_s=60)


def _row(name: str, seen: Seen, waits: Waits, seconds: int) -> tuple[str, ...]:
    return (
        name,
        f"{seen.events:,}",
        f"{seen.calls * 60 / seconds:.0f}",
        f"{seen.events / seen.calls:.1f}",
        f"{waits.percentile(0.5):.3f}",
        f"{waits.percentile(0.99):.3f}",
        f"{waits.most_s:.3f}",
    )
