"""Does a process that stood still past its session do harm when it goes on?

It is stopped with SIGSTOP in the middle of traffic, as a machine that swaps, a debugger or a paused
virtual machine does it. Another process takes over. When the first goes on it has calls, messages
and commits of partitions that are no longer its own: it may start no call before a commit showed
that its partitions are still its own, and commits nothing of theirs.
"""

from collections.abc import Iterator
from functools import partial

from tests.chaos.job import Job, let_run, until
from tests.chaos.members import SESSION_MS, Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage

KINDS = (
    Kind("classic", static=False),
    Kind("consumer", static=False),
    Kind("classic", static=True),
)
STALL_AFTER_S = 4


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    for kind in KINDS[: size.of(3, 2)]:
        yield Part(kind.says, partial(_part, size=size, kind=kind))


def _part(stage: Stage, size: Size, kind: Kind) -> Outcome:
    # Slow enough that calls are in flight when it stops.
    job = Job(stage, sandbox=stage.sandbox(["--latency", "200ms"]))
    job.produce(1_000)
    delivery = {"stall_after": f"{STALL_AFTER_S}s"}
    stalls = stage.streamer(kind.config(job, "stalls", delivery=delivery))
    goes_on = stage.streamer(kind.config(job, "goes-on", delivery=delivery))
    job.until_delivered(1_000, [stalls, goes_on])
    pauses = size.of(4, 1)
    with job.traffic(size.of(1000, 300)):
        for _ in range(pauses):
            let_run(stage.random.uniform(1, 3))
            stalls.process.suspend()
            let_run(2.5 * SESSION_MS / 1000)
            stalls.process.resume()
            until(
                lambda: stalls.total("streamer_partitions_assigned") > 0,
                "the process that stood still to own partitions again",
                streamers=[stalls, goes_on],
            )
    job.until_settled([stalls, goes_on])
    seen = stalls.total("streamer_stalls_total")
    faults = [] if seen >= pauses else [f"it noticed {seen:g} of {pauses} stalls"]
    codes = [streamer.terminate() for streamer in (stalls, goes_on)]
    faults += [] if codes == [0, 0] else [f"the processes ended with exit codes {codes}"]
    accepted = job.accepted()
    figures = {
        "times that it stood still": pauses,
        "longest time without a delivery": f"{accepted.longest_pause_ms / 1000:.1f} s",
    }
    return job.compared(accepted, faults=faults, figures=figures)
