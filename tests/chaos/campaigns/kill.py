"""Is anything lost, doubled or out of order when the process is killed again and again?

One of seven sites is held all the time (the endpoint answers 503 for it), so that every partition's
position stays behind and much is settled beyond it: what a restart knows of that stands in the
commit's metadata. The second part has a broker that takes no metadata of use.

What the broker has at a kill is asked before the process starts again: nothing that it shows as
settled may be sent again, however long the machine took for a commit.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct

from streamer.model import Offset, Partition, Position
from streamer.source.commit_metadata import read
from streamer.source.done_set import DoneSet
from tests.chaos.job import Job, let_run
from tests.chaos.ledgers import Samples
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.records import committed, read_all
from tests.servers.streamer_process import StreamerProcess

HELD = "site-3"

Event = tuple[str, int]
"""Its key, and its number within the key."""


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
    killed = _kill_again_and_again(stage, job, streamer, kills)
    job.sandbox.faults("latency=20ms")
    job.until_settled([streamer])
    streamer.terminate()
    accepted = job.accepted()
    killed_ms = [kill.at_ms for kill in killed]
    oldest_ms = max((_age(at_ms, killed_ms) for at_ms in accepted.again_ms), default=0.0)
    needless = sent_again_though_committed(killed, _came(job), _places(job))
    faults = []
    if needless.count:
        first = ", ".join(needless.first)
        faults.append(f"{needless.count} sent again though committed as settled: {first}")
    figures = {"kills": kills, "oldest sent again, before its kill": f"{oldest_ms:.0f} ms"}
    return job.compared(accepted, faults=faults, figures=figures)


class Kill(Struct, frozen=True):
    """What there was between the end of a process and the start of the next."""

    at_ms: float
    """Since the epoch."""
    came: Mapping[Event, int]
    """How often the sandbox was sent each event that it accepted."""
    settled: Mapping[int, tuple[Position, DoneSet]]
    """What the broker has, by partition."""

    def shows(self, partition: int, offset: int) -> bool:
        """Whether it is committed as settled."""
        position, done = self.settled.get(partition, (Position(0), DoneSet()))
        return offset < position or done.covers(Offset(offset))


def sent_again_though_committed(
    killed: Sequence[Kill], at_end: Mapping[Event, int], places: Mapping[Event, tuple[int, int]]
) -> Samples:
    """A restart knows what was committed: it sends none of that again. `at_end`: how often each
    event came; `places`: partition and offset of each."""
    needless = Samples()
    again = {event for event, times in at_end.items() if times > 1}
    later = [*(kill.came for kill in killed[1:]), at_end]
    for kill, came in zip(killed, later, strict=True):
        for event in sorted(again & kill.came.keys()):
            if came[event] > kill.came[event] and kill.shows(*places[event]):
                needless.add("{}:{}".format(*event))
    return needless


def _came(job: Job) -> Mapping[Event, int]:
    return {
        (entry["payload"]["key"], int(entry["payload"]["number"])): entry["came"]
        for entry in job.sandbox.reports()
    }


def _places(job: Job) -> Mapping[Event, tuple[int, int]]:
    """Partition and offset of each good event."""
    found = {}
    keys = {key.encode() for key in job.good}
    for stored in read_all(job.kafka.bootstrap, job.topic):
        if stored.key in keys:
            fields = job.decoded(stored.value or b"")
            found[fields["key"], fields["number"]] = (stored.partition, stored.offset)
    return found


def _settled(job: Job) -> Mapping[int, tuple[Position, DoneSet]]:
    """What the broker has, as a restart reads it."""
    cluster = str(job.kafka.admin.list_topics(timeout=30).cluster_id)
    settled = {}
    for (topic, number), it in committed(job.kafka.bootstrap, job.group).items():
        position = Position(it.offset)
        known = read(it.metadata, position, cluster, Partition(topic, number))
        settled[number] = (position, known.restored)
    return settled


def _kill_again_and_again(
    stage: Stage, job: Job, streamer: StreamerProcess, kills: int
) -> Sequence[Kill]:
    """At moments drawn over what can be delivered."""
    reachable = job.produced * 6 // 7
    moments = sorted(stage.random.uniform(0.02, 0.9) for _ in range(kills))
    killed = []
    for moment in moments:
        job.until_delivered(int(moment * reachable), [streamer])
        let_run(stage.random.uniform(0, 0.4))
        streamer.kill()
        killed.append(Kill(time.time() * 1000, _came(job), _settled(job)))
        streamer.start(wait=False)
    return killed


def _age(accepted_ms: float, killed_ms: Sequence[float]) -> float:
    """How long before the next kill something was accepted; 0 after the last."""
    return min((at - accepted_ms for at in killed_ms if at >= accepted_ms), default=0.0)
