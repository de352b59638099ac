"""Does the account hold while members of the group join, leave and die every few seconds?

Of three processes one stays. The other two are stopped (SIGTERM) or killed (SIGKILL) and started
again at moments that are drawn, while events come all the time.
"""

import time
from collections.abc import Iterator
from functools import partial

from tests.chaos.footprints import not_hit
from tests.chaos.job import Job, let_run
from tests.chaos.members import KINDS, Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.streamer_process import StreamerProcess

KILLED_SHARE = 1 / 3


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    for kind in KINDS:
        yield Part(kind.says, partial(_part, size=size, kind=kind))


def _part(stage: Stage, size: Size, kind: Kind) -> Outcome:
    job = Job(stage)
    job.produce(1_000)
    stays = stage.streamer(kind.config(job, "stays"))
    others = [stage.streamer(kind.config(job, name), start=False) for name in ("one", "two")]
    stopped = killed = 0
    faults: list[str] = []
    until = time.monotonic() + size.of(90, 20)
    with job.traffic(size.of(1500, 500), bad_every=500):
        while time.monotonic() < until:
            changes = stage.random.choice(others)
            if not changes.running:
                changes.start(wait=False)
            elif stage.random.random() < KILLED_SHARE:
                changes.kill()
                killed += 1
            else:
                faults += _stopped(changes)
                stopped += 1
            let_run(stage.random.uniform(1, 5))
    running = [streamer for streamer in (stays, *others) if streamer.running]
    job.until_settled(running)
    rebalances = stays.total("streamer_rebalances_total", kind="assigned")
    lost = stays.total("streamer_rebalances_total", kind="lost")
    moved = lost + stays.total("streamer_rebalances_total", kind="revoked")
    for member in running[1:]:
        moved += member.total("streamer_rebalances_total", kind="assigned")
    faults += not_hit(
        {
            "members that were stopped or killed": stopped + killed > 0,
            "partitions that moved": moved > 0,
        }
    )
    for streamer in running:
        faults += _stopped(streamer)
    accepted = job.accepted()
    figures = {
        "members stopped and killed": f"{stopped} and {killed}",
        "partitions assigned to, and lost by, the one that stays": f"{rebalances:g}, {lost:g}",
        "longest time without a delivery": f"{accepted.longest_pause_ms / 1000:.1f} s",
    }
    return job.compared(accepted, faults=faults, figures=figures)


def _stopped(streamer: StreamerProcess) -> list[str]:
    """A sentence where it does not end in order."""
    code = streamer.terminate()
    return [] if code == 0 else [f"SIGTERM ended a process with exit code {code}"]
