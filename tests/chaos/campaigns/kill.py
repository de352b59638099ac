"""Is anything lost, doubled or out of order when the process is killed again and again?

One of seven sites is held all the time (the endpoint answers 503 for it), so that every partition's
position stays behind and much is settled beyond it: what a restart knows of that stands in the
commit's metadata. The second part has a broker that takes no metadata of use.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial

from tests.chaos.job import Job, let_run
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.streamer_process import StreamerProcess

HELD = "site-3"
COMMIT_MS = 200
COMMIT_TAKES_MS = 1000
"""Until a commit is confirmed on a machine that is busy; its own time stands in the promise."""


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    yield Part("with the done-set", partial(_part, size=size, limit=None))
    says = "without it: offset.metadata.max.bytes is 8"
    yield Part(says, partial(_part, size=size, limit=8))


def _part(stage: Stage, size: Size, limit: int | None) -> Outcome:
    properties = {} if limit is None else {"offset.metadata.max.bytes": str(limit)}
    job = Job(stage, kafka=stage.own_kafka(properties=properties) if properties else None)
    events = size.of(200_000, 12_000)
    job.produce(events, bad_every=1000)
    job.sandbox.faults(f"503 instance={HELD}", "latency=20ms")
    streamer = stage.streamer(job.config())
    kills = size.of(5, 2)
    killed_ms = _kill_again_and_again(stage, job, streamer, kills)
    job.sandbox.faults("latency=20ms")
    job.until_settled([streamer])
    streamer.terminate()
    accepted = job.accepted()
    oldest_ms = max((_age(at_ms, killed_ms) for at_ms in accepted.again_ms), default=0.0)
    faults = []
    if limit is None and oldest_ms > (most := 2 * COMMIT_MS + COMMIT_TAKES_MS):
        faults.append(
            f"sent again although it was accepted {oldest_ms:.0f} ms before a kill;"
            f" at most {most} ms are promised"
        )
    figures = {"kills": kills, "oldest sent again, before its kill": f"{oldest_ms:.0f} ms"}
    return job.compared(accepted, faults=faults, figures=figures)


def _kill_again_and_again(
    stage: Stage, job: Job, streamer: StreamerProcess, kills: int
) -> Sequence[float]:
    """At moments drawn over what can be delivered; gives when, in ms since the epoch."""
    reachable = job.produced * 6 // 7
    moments = sorted(stage.random.uniform(0.02, 0.9) for _ in range(kills))
    killed_ms = []
    for moment in moments:
        job.until_delivered(int(moment * reachable), [streamer])
        let_run(stage.random.uniform(0, 0.4))
        streamer.kill()
        killed_ms.append(time.time() * 1000)
        streamer.start(wait=False)
    return killed_ms


def _age(accepted_ms: float, killed_ms: Sequence[float]) -> float:
    """How long before the next kill something was accepted; 0 after the last."""
    return min((at - accepted_ms for at in killed_ms if at >= accepted_ms), default=0.0)
