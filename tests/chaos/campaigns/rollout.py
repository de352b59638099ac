"""Does the account hold over a rolling restart, and over the change of the group's protocol?

Three processes are stopped (SIGTERM) and started again, one after the other, during traffic, as a
rollout does it. Nothing may be sent twice: what was in flight was finished and committed.

From the classic protocol to `consumer` there is no rolling way: a broker refuses it while a member
with librdkafka's assignor is there. So a process that tries it ends with a sentence and disturbs
nobody, and the change is made by stopping all. The way back is a rolling restart.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from tests.chaos.job import Job, until
from tests.chaos.members import Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.streamer_process import StreamerProcess

NAMES = ("pod-0", "pod-1", "pod-2")
CLASSIC, CONSUMER = Kind("classic", static=False), Kind("consumer", static=False)


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    rounds = size.of(3, 1)
    for kind in (CLASSIC, CONSUMER, Kind("classic", static=True), Kind("consumer", static=True)):
        yield Part(kind.says, partial(_part, size=size, kinds=[kind] * (rounds + 1)))
    yield Part("from classic to consumer and back", partial(_change, size=size))


def _part(stage: Stage, size: Size, kinds: Sequence[Kind]) -> Outcome:
    """The first kind is what it starts with; each other is a rollout."""
    job = Job(stage)
    job.produce(1_000)
    group = _Group(stage, job)
    group.start(kinds[0])
    with job.traffic(size.of(1500, 500)):
        for kind in kinds[1:]:
            group.roll(kind)
    return group.end({"restarts": (len(kinds) - 1) * len(NAMES)})


def _change(stage: Stage, size: Size) -> Outcome:
    job = Job(stage)
    job.produce(1_000)
    group = _Group(stage, job)
    group.start(CLASSIC)
    with job.traffic(size.of(1500, 500)):
        early = stage.streamer(CONSUMER.config(job, "early"), wait=False)
        if (code := early.process.wait(60)) != 1:
            group.faults.append(f"a process of the new protocol ended with exit code {code}")
        if "stop all processes of the group" not in early.process.log():
            group.faults.append("a process of the new protocol does not say what to do")
        job.until_delivered(job.seen() + 500, group.members)
        group.stop()
        group.start(CONSUMER)
        job.until_delivered(job.seen() + 500, group.members)
        group.roll(CLASSIC)
    return group.end({})


class _Group:
    """Three processes."""

    def __init__(self, stage: Stage, job: Job) -> None:
        self._stage = stage
        self._job = job
        self._running: dict[str, StreamerProcess] = {}
        self.faults: list[str] = []

    @property
    def members(self) -> Sequence[StreamerProcess]:
        return list(self._running.values())

    def start(self, kind: Kind) -> None:
        for name in NAMES:
            self._start(kind, name)

    def stop(self) -> None:
        for name in NAMES:
            self._stop(name)

    def roll(self, kind: Kind) -> None:
        for name in NAMES:
            self._stop(name)
            self._start(kind, name)
            member = self._running[name]
            until(
                lambda: member.total("streamer_reports_delivered_total") > 0,  # noqa: B023
                "the restarted process to deliver",
                streamers=[member],
                stuck_after_s=90,
            )

    def end(self, figures: Mapping[str, object]) -> Outcome:
        self._job.until_settled(self.members)
        self.stop()
        accepted = self._job.accepted()
        if accepted.sent_again:
            self.faults.append(
                f"{accepted.sent_again} were sent again: a stop in order leaves nothing open"
            )
        pause = f"{accepted.longest_pause_ms / 1000:.1f} s"
        more = {**figures, "longest time without a delivery": pause}
        return self._job.compared(accepted, faults=self.faults, figures=more)

    def _start(self, kind: Kind, name: str) -> None:
        self._running[name] = self._stage.streamer(kind.config(self._job, name))

    def _stop(self, name: str) -> None:
        if (code := self._running[name].terminate()) != 0:
            self.faults.append(f"{name}: SIGTERM ended it with exit code {code}")
