"""Does the account hold when messages are missing from a topic, and when the topic itself changes?

Compaction and transactions leave gaps in the offsets. Retention that deletes what was not read is
the one loss there is: it is said loudly, and what is lost is exactly what Kafka deleted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from tests.chaos.job import Job, let_run, until
from tests.chaos.members import Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.records import committed, read_all
from tests.servers.streamer_process import StreamerProcess

ADMIN_WITHIN_S = 30
ALIKE = 8
"""Looks at the topic one after the other that find the same in it."""
REFRESH = {"topic.metadata.refresh.interval.ms": 1000}
KINDS = (Kind("classic", static=False), Kind("consumer", static=False))


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    yield Part("transactions, half of them aborted", partial(_transactions, size=size))
    yield Part("compaction before it is read", partial(_compaction, size=size))
    yield Part("retention deletes what was not read", partial(_retention, size=size))
    yield Part("retention deletes under a held partition", partial(_retention_held, size=size))
    for kind in KINDS:
        says = f"deleted and made anew, {kind.protocol} protocol"
        yield Part(says, partial(_made_anew, size=size, kind=kind, properties=REFRESH))
        says = f"deleted and made anew between two looks, {kind.protocol} protocol"
        yield Part(says, partial(_made_anew, size=size, kind=kind, properties={}))
        says = f"deleted and made anew while it stands still, {kind.protocol} protocol"
        yield Part(says, partial(_made_anew_unseen, size=size, kind=kind))
        says = f"partitions added during traffic, {kind.protocol} protocol"
        yield Part(says, partial(_grown, size=size, kind=kind))


# --- gaps -------------------------------------------------------------------------------------


def _transactions(stage: Stage, size: Size) -> Outcome:
    """Aborted events are numbered beyond all others, so that one that came through is seen."""
    job = Job(stage)
    job.register()
    streamer = stage.streamer(job.config())
    producer = Producer(
        {"bootstrap.servers": job.kafka.bootstrap, "transactional.id": job.topic, "log_level": 0}
    )
    producer.init_transactions(ADMIN_WITHIN_S)
    aborted = 0
    for number in range(size.of(200, 30)):
        aborts = number % 2 == 1
        producer.begin_transaction()
        for record in job.records(100) if not aborts else job.records_of_nobody(100):
            producer.produce(job.topic, record.value, record.key)
        producer.flush(ADMIN_WITHIN_S)
        if aborts:
            producer.abort_transaction(ADMIN_WITHIN_S)
            aborted += 100
        else:
            producer.commit_transaction(ADMIN_WITHIN_S)
    job.until_settled([streamer])
    until(
        lambda: streamer.total("streamer_lag_messages") == 0,
        lambda: f"no lag; it is {streamer.total('streamer_lag_messages'):g}",
        streamers=[streamer],
        stuck_after_s=30,
    )
    streamer.terminate()
    return job.outcome(figures={"events of aborted transactions": f"{aborted:,}"})


def _compaction(stage: Stage, size: Size) -> Outcome:
    """Of each key most numbers are compacted away before the process comes to them."""
    topic = stage.kafka.create_topic(
        partitions=12,
        config={
            "cleanup.policy": "compact",
            "segment.ms": "1000",
            "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "1000",
        },
    )
    job = Job(stage, topic=topic)
    for _ in range(3):
        job.produce(size.of(20_000, 2_000))
        let_run(1.5)
    # A segment is compacted once it is not the last.
    job.produce(400)
    written = job.produced
    until(
        lambda: len(read_all(job.kafka.bootstrap, topic)) < written / 2,
        "half of it to be compacted",
        stuck_after_s=120,
    )
    left = _compacted_no_more(job)
    streamer = stage.streamer(job.config())
    job.until_committed([streamer])
    streamer.terminate()
    taken = {key: set(range(count)) - left.get(key, set()) for key, count in job.good.items()}
    # What went while it was read, nobody could say of it whether it was lost.
    faults = [] if _numbers(job) == left else ["the topic was compacted while it was read"]
    return job.outcome(faults=faults, may_be_lost=taken)


def _compacted_no_more(job: Job) -> Mapping[str, set[int]]:
    """End the compaction of the topic; what it has left."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in (("cleanup.policy", "delete"), ("retention.ms", "-1"))
    ]
    asked = ConfigResource(ConfigResource.Type.TOPIC, job.topic, incremental_configs=entries)
    for done in job.kafka.admin.incremental_alter_configs([asked]).values():
        done.result(ADMIN_WITHIN_S)
    found: list[Mapping[str, set[int]]] = []

    def stays() -> bool:
        # A segment that the cleaner was at may still be put in the place of another.
        found.append(_numbers(job))
        return len(found) > ALIKE and all(it == found[-1] for it in found[-ALIKE - 1 :])

    until(stays, "the topic to be compacted no more", stuck_after_s=60)
    return found[-1]


def _numbers(job: Job) -> Mapping[str, set[int]]:
    """By key, the numbers that the topic holds now."""
    found: dict[str, set[int]] = {}
    for stored in read_all(job.kafka.bootstrap, job.topic):
        event = job.decoded(stored.value or b"")
        found.setdefault(event["key"], set()).add(event["number"])
    return found


# --- retention --------------------------------------------------------------------------------


def _retention(stage: Stage, size: Size) -> Outcome:
    """The process is stopped; what it has not read is deleted; it starts again."""
    job = Job(stage)
    job.produce(size.of(20_000, 2_000))
    streamer = stage.streamer(job.config())
    job.until_delivered(job.produced // 4, [streamer])
    streamer.terminate()
    positions = committed(job.kafka.bootstrap, job.group)
    job.produce(size.of(20_000, 2_000))
    before = _places(job)
    upto = {
        number: positions[job.topic, number].offset + 50
        for number in range(12)
        if (job.topic, number) in positions
    }
    _delete_before(job, upto)
    taken = _taken(job, before, upto)
    streamer.start()
    job.until_committed([streamer])
    faults = _is_loud(streamer)
    figures = {"offsets counted as deleted unread": f"{_deleted(streamer):,}"}
    streamer.terminate()
    return job.outcome(faults=faults, figures=figures, may_be_lost=taken)


def _retention_held(stage: Stage, size: Size) -> Outcome:
    """Its windows are full, since the endpoint is away: what was not taken in yet is deleted."""
    job = Job(stage)
    config = job.config(
        delivery={"window": 200}, kafka={"properties": {"queued.max.messages.kbytes": 1}}
    )
    streamer = stage.streamer(config)
    job.sandbox.faults("503")
    job.produce(size.of(50_000, 20_000))
    until(
        lambda: streamer.total("streamer_partition_paused") == 12,
        "all windows to be full",
        streamers=[streamer],
    )
    before = _places(job)
    ends = Counter(number for number, _ in before)
    upto = {number: count - 100 for number, count in ends.items()}
    _delete_before(job, upto)
    taken = _taken(job, before, upto)
    job.sandbox.faults()
    job.until_committed([streamer])
    faults = _is_loud(streamer)
    figures = {"offsets counted as deleted unread": f"{_deleted(streamer):,}"}
    streamer.terminate()
    return job.outcome(faults=faults, figures=figures, may_be_lost=taken)


def _places(job: Job) -> Mapping[tuple[int, int], tuple[str, int]]:
    """Which event stands where."""
    return {
        (stored.partition, stored.offset): (event["key"], event["number"])
        for stored in read_all(job.kafka.bootstrap, job.topic)
        for event in [job.decoded(stored.value or b"")]
    }


def _delete_before(job: Job, upto: Mapping[int, int]) -> None:
    asked = [TopicPartition(job.topic, number, offset) for number, offset in upto.items()]
    for done in job.kafka.admin.delete_records(asked).values():
        done.result(ADMIN_WITHIN_S)


def _taken(
    job: Job, before: Mapping[tuple[int, int], tuple[str, int]], upto: Mapping[int, int]
) -> Mapping[str, set[int]]:
    """What was deleted, by key, and was not committed: some of it may have been read all the
    same."""
    positions = committed(job.kafka.bootstrap, job.group)
    taken: dict[str, set[int]] = {}
    for (number, offset), (key, of_key) in before.items():
        there = positions.get((job.topic, number))
        if offset < upto.get(number, 0) and offset >= (0 if there is None else there.offset):
            taken.setdefault(key, set()).add(of_key)
    return taken


def _deleted(streamer: StreamerProcess) -> int:
    return int(streamer.total("streamer_offsets_deleted_unread_total"))


def _is_loud(streamer: StreamerProcess) -> list[str]:
    faults = []
    if not streamer.total("streamer_offset_resets_total"):
        faults.append("streamer_offset_resets_total counts nothing")
    if not _deleted(streamer):
        faults.append("streamer_offsets_deleted_unread_total counts nothing")
    said = [it for it in streamer.log_events() if it["event"] == "offset_out_of_range"]
    if not any(it["level"] == "error" for it in said):
        faults.append("no error is logged")
    return faults


# --- the topic itself ---------------------------------------------------------------------------


def _made_anew(stage: Stage, size: Size, kind: Kind, properties: Mapping[str, object]) -> Outcome:
    """All of the first life is settled when it is deleted, so that nothing may be lost. The second
    has the same offsets again, and other messages: the keys must differ. Of a partition that has
    as many again before the process looks, the last are read before the first."""
    job = Job(stage)
    config = kind.config(job, "one", properties=properties)
    streamer = stage.streamer(config)
    for _ in range(size.of(3, 1)):
        job.produce(size.of(5_000, 1_000))
        job.until_settled([streamer])
        job.kafka.delete_topic(job.topic)
        job.kafka.create_topic(job.topic, partitions=12)
        job.produce(size.of(5_000, 1_000), keys=100)
        job.until_settled([streamer])
    streamer.terminate()
    return job.outcome(keeps_order=False)


def _made_anew_unseen(stage: Stage, size: Size, kind: Kind) -> Outcome:
    """When the process goes on, its positions are ones that the second topic has, too. It reads on
    from there until it sees that the topic is another one: so long there is no order."""
    job = Job(stage)
    classic = kind.protocol == "classic"
    # Long enough for the process to be a member still when it goes on.
    properties = {"session.timeout.ms": 45_000} if classic else {}
    streamer = stage.streamer(kind.config(job, "one", properties=properties))
    job.produce(size.of(5_000, 1_000))
    job.until_settled([streamer])
    streamer.process.suspend()
    job.kafka.delete_topic(job.topic)
    job.kafka.create_topic(job.topic, partitions=12)
    job.produce(size.of(20_000, 4_000))
    streamer.process.resume()
    job.until_settled([streamer])
    begun_anew = streamer.total("streamer_partitions_made_anew_total")
    faults = ["streamer_partitions_made_anew_total counts nothing"] if not begun_anew else []
    streamer.terminate()
    return job.outcome(
        faults=faults if classic else [],
        figures={"partitions begun from their first message": f"{begun_anew:g}"},
        keeps_order=False,
    )


def _grown(stage: Stage, size: Size, kind: Kind) -> Outcome:
    """A key's later events may go to another partition than its earlier ones: there is no order
    between partitions, so that each life of the topic has keys of its own."""
    job = Job(stage, partitions=3)
    config = kind.config(job, "one", kafka={"start": "latest"}, properties=REFRESH)
    streamer = stage.streamer(config)
    until(
        lambda: streamer.total("streamer_partitions_assigned") == 3,
        "three partitions",
        streamers=[streamer],
    )
    job.produce(size.of(5_000, 1_000))
    for life, partitions in enumerate((6, 12), start=1):
        job.kafka.grow_topic(job.topic, partitions)
        job.produce(size.of(5_000, 1_000), first_key=1000 * life)
        until(
            lambda: streamer.total("streamer_partitions_assigned") == partitions,  # noqa: B023
            "the new partitions",
            streamers=[streamer],
        )
    job.until_settled([streamer])
    streamer.terminate()
    return job.outcome()
