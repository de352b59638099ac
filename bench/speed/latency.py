"""How long is an event under way, at a tenth, a half and nine tenths of the highest rate?

From the moment at which it was to be given to the producer's client to its call's arrival at the
endpoint, which answers at once: so it is the answer's moment too. The highest rate is what the
same configuration makes of a backlog. At a tenth a consumer that does nothing else reads beside
it: what Kafka and its client take is not the program's.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.lanes.figure import Figure
from bench.lanes.running import LaneRun, lane_run
from bench.lanes.waits import Waits, waits_of
from bench.stage import Stage, words_of

NAME = "latency"
SAYS = (
    "From the intended send time to the endpoint's answer, one instance without a quota, 10,000"
    " keys, batches of up to 100, endpoint that answers at once"
)
SITE = "site"
BACKLOG, QUICK_BACKLOG = 200_000, 60_000
SECONDS, QUICK_SECONDS = 20, 6
SHARES = (0.1, 0.5, 0.9)
OWN_MOST_S = 0.005
"""The program's own share at a tenth of the highest rate, at the 99th percentile."""
WARM_UP_EVENTS = 500
WITHIN_S = 120.0


def measure(stage: Stage, quick: bool) -> Figure:
    rows: list[Sequence[str]] = [("", "events/s", "p50 ms", "p99 ms", "p99.9 ms", "longest ms")]
    with lane_run(stage, latency_s=0.0, has_quota=False) as run:
        run.produce({SITE: 1}, WARM_UP_EVENTS)
        run.wait_for_events(WARM_UP_EVENTS, WITHIN_S)
        highest = _highest(run, QUICK_BACKLOG if quick else BACKLOG)
        bare: Waits | None = None
        light: Waits | None = None
        for share in SHARES:
            rate = share * highest
            events = int(rate * (QUICK_SECONDS if quick else SECONDS))
            with _bare(stage, run, wanted=share == SHARES[0]) as beside:
                run.endpoint.seen()
                produced = run.produce({SITE: 1}, events, rate=rate)
                _wait(run)
                waits = waits_of(run.endpoint.seen(), [SITE])
            rows.append(_row(f"{share:.0%} of the highest rate", produced.per_s, waits))
            if beside:
                light, bare = waits, _read(beside[0])
                rows.append(_row("a consumer alone beside it", produced.per_s, bare))
    assert light is not None, "the first share has it"
    assert bare is not None, "the first share has it"
    own_s = light.percentile(0.99) - bare.percentile(0.99)
    failures = []
    if own_s >= OWN_MOST_S:
        failures.append(
            f"{NAME}: the program's own share is {1000 * own_s:.0f} ms at the 99th percentile, less"
            f" than {1000 * OWN_MOST_S:.0f} ms wanted"
        )
    remarks = [
        f"The highest rate, of a backlog: {highest:,.0f} events/s.",
        f"The program's own share at a tenth of it: {1000 * own_s:.0f} ms at the 99th percentile.",
        "Times are whole milliseconds.",
    ]
    return Figure(NAME, SAYS, rows, remarks, failures)


def _highest(run: LaneRun, events: int) -> float:
    """Events a second of a backlog, once half of it is delivered."""
    before = run.cost().events
    run.produce({SITE: 1}, events)
    first = run.cost()
    run.wait_for_events(before + events, WITHIN_S)
    last = run.cost()
    delivered = last.events - first.events
    assert delivered > events // 10, "the backlog was gone before it was all written"
    return delivered / (last.at_s - first.at_s)


def _wait(run: LaneRun) -> None:
    """Until nothing more comes."""
    while True:
        before = run.cost().events
        time.sleep(0.5)
        if run.cost().events == before:
            return


@contextmanager
def _bare(stage: Stage, run: LaneRun, *, wanted: bool) -> Iterator[list[Path]]:
    """A consumer beside it; the path is written when it is left."""
    if not wanted:
        yield []
        return
    out = stage.folder("bare") / "waits.json"
    options = {"bootstrap": stage.kafka.bootstrap, "topic": run.topic, "out": out}
    with stage.module("bench.speed.bare_consumer", words_of(options)) as process:
        # It has its partitions once it is in its group; what it reads is what comes from then on.
        time.sleep(6)
        yield [out]
        process.terminate()
        process.wait(30)


def _read(path: Path) -> Waits:
    return Waits({int(ms): count for ms, count in json.loads(path.read_bytes()).items()})


def _row(name: str, rate: float, waits: Waits) -> Sequence[str]:
    shares = (0.5, 0.99, 0.999)
    cells = [f"{1000 * waits.percentile(share):.0f}" for share in shares]
    return (name, f"{rate:,.0f}", *cells, f"{1000 * waits.most_s:.0f}")
