"""Is committed metadata that was not written for its offset read as empty, and said?

A tool that mirrors a group copies the text to offsets that it translated, of another cluster; a
newer release wrote a version that this one does not know; a broker takes less than is needed. In
each case what is read again carries the same idempotency keys.
"""

from collections.abc import Callable, Iterator
from functools import partial

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from tests.chaos.footprints import not_hit
from tests.chaos.job import Job, until
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Committed, committed
from tests.servers.streamer_process import StreamerProcess

HELD = "site-3"
LIMIT = 150
"""Bytes: room for the start, and for little of what is settled beyond the position."""
REFUSED = "refuses a commit's metadata as too large"

Rewrite = Callable[[Committed], Committed]


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    yield Part("mirrored from another cluster", partial(_mirrored, size=size))
    rewrites: dict[str, tuple[str, Rewrite]] = {
        "an unknown version": ("version", lambda it: _with(it, "streamer-9.AAAA")),
        "a broken text": ("corrupt", lambda it: _with(it, it.metadata[:-7])),
        "another tool's text": ("foreign", lambda it: _with(it, "connect-offset-5")),
        "the text of another offset": ("position", _set_back),
    }
    for says, (why, rewrite) in rewrites.items():
        yield Part(says, partial(_rewritten, size=size, why=why, rewrite=rewrite))
    yield Part(f"a broker that takes {LIMIT} bytes", partial(_too_large, size=size))


def _set_back(it: Committed) -> Committed:
    return Committed(max(0, it.offset - 3), it.metadata)


def _with(it: Committed, text: str) -> Committed:
    return Committed(it.offset, text)


def _half_done(stage: Stage, job: Job, size: Size) -> StreamerProcess:
    """A process that was stopped with one site held, so that there is much beyond the positions."""
    job.produce(size.of(20_000, 3_000), bad_every=500)
    job.sandbox.faults(f"503 instance={HELD}")
    streamer = stage.streamer(job.config())
    job.until_delivered(job.produced * 5 // 7, [streamer])
    streamer.terminate()
    return streamer


def _goes_on(job: Job, streamer: StreamerProcess, why: str) -> Outcome:
    job.sandbox.faults()
    streamer.start()
    job.until_settled([streamer])
    rejected = streamer.total("streamer_commit_metadata_rejected_total", reason=why)
    streamer.terminate()
    faults = [] if rejected else [f"nothing was counted as rejected for the reason {why}"]
    logged = [it for it in streamer.log_events() if it["event"] == "commit_metadata_rejected"]
    if not any(it["why"] == why for it in logged):
        faults.append(f"the log does not say that metadata was rejected for the reason {why}")
    figures = {"partitions whose metadata was rejected": f"{rejected:g}"}
    return job.outcome(faults=faults, figures=figures)


def _rewritten(stage: Stage, size: Size, why: str, rewrite: Rewrite) -> Outcome:
    job = Job(stage)
    streamer = _half_done(stage, job, size)
    there = committed(job.kafka.bootstrap, job.group)
    _set(job.kafka, job.group, {place: rewrite(it) for place, it in there.items()})
    return _goes_on(job, streamer, why)


def _set(kafka: KafkaCluster, group: str, offsets: "dict[tuple[str, int], Committed]") -> None:
    parts = [
        TopicPartition(topic, number, it.offset, metadata=it.metadata)
        for (topic, number), it in offsets.items()
    ]
    asked = [ConsumerGroupTopicPartitions(group, parts)]

    def is_set() -> bool:
        # A broker's first group makes it load its coordinator, which takes a moment.
        answer = kafka.admin.alter_consumer_group_offsets(asked)[group].result(30)
        return all(part.error is None for part in answer.topic_partitions)

    until(is_set, "the offsets to be set", stuck_after_s=30)


def _mirrored(stage: Stage, size: Size) -> Outcome:
    """The same topic with the same messages at the same offsets in two clusters, as after a fail
    over: the group's offsets came along with their text."""
    first = Job(stage)
    _half_done(stage, first, size)
    there = committed(first.kafka.bootstrap, first.group)
    other = stage.own_kafka()
    other.create_topic(first.topic, partitions=12)
    first.mirror_to(other)
    _set(other, first.group, dict(there))
    streamer = stage.streamer(first.config(), start=False)
    return _goes_on(first, streamer, "cluster")


def _too_large(stage: Stage, size: Size) -> Outcome:
    kafka = stage.own_kafka(properties={"offset.metadata.max.bytes": str(LIMIT)})
    job = Job(stage, kafka=kafka)
    streamer = _half_done(stage, job, size)
    longest = max(len(it.metadata) for it in committed(kafka.bootstrap, job.group).values())
    job.sandbox.faults()
    streamer.start()
    job.until_settled([streamer])
    streamer.terminate()
    faults = [] if longest else ["no commit had any metadata: the limit leaves room for some"]
    said = [it for it in streamer.log_events() if REFUSED in str(it.get("found"))]
    faults += not_hit({f"the words {REFUSED!r} in the log": bool(said)})
    figures = {"longest text": f"{longest} characters of {LIMIT}"}
    return job.outcome(faults=faults, figures=figures)
