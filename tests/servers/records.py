"""How does a test write records to Kafka, read a topic back whole, and see what was committed?"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient, OffsetSpec

TIMEOUT_S = 30
COORDINATOR_LOADS = ("COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR")

Headers = tuple[tuple[str, bytes | None], ...]
OnDelivery = Callable[[KafkaError | None, KafkaMessage], None]


@dataclass(frozen=True, slots=True)
class Record:
    """What is written. Without a partition, the key's hash or chance chooses one."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    timestamp_ms: int = 0
    """0: now."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """What stands in a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def produce(bootstrap: str, topic: str, records: Iterable[Record]) -> list[tuple[int, int]]:
    """Write the records; gives their (partition, offset) in the records' order, all confirmed."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 5,
            # 30 s by default; KafkaCluster.create_topic has waited already.
            "topic.metadata.propagation.max.ms": 3000,
        }
    )
    places: list[tuple[int, int]] = []
    failures: list[str] = []

    def keep(number: int, error: KafkaError | None, message: KafkaMessage) -> None:
        if error is not None:
            failures.append(str(error))
        else:
            places[number] = (message.partition() or 0, message.offset() or 0)

    for number, record in enumerate(records):
        places.append((-1, -1))
        _produce_one(producer, topic, record, partial(keep, number))
    left = producer.flush(TIMEOUT_S)
    assert not failures, f"{len(failures)} records were not written: {failures[0]}"
    assert left == 0, f"{left} records were not confirmed within {TIMEOUT_S} s"
    return places


def _produce_one(producer: Producer, topic: str, record: Record, report: OnDelivery) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp=record.timestamp_ms,
                on_delivery=report,
            )
        except BufferError:
            assert time.monotonic() < deadline, "the producer's queue stays full"
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The next offset to be written, by partition."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    partitions = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
    latest = OffsetSpec.latest()
    asked = {TopicPartition(topic, partition): latest for partition in partitions}
    answers = admin.list_offsets(asked, request_timeout=TIMEOUT_S)
    return {it.partition: answer.result().offset for it, answer in answers.items()}


def read_all(bootstrap: str, topic: str) -> list[StoredRecord]:
    """All records that stand in the topic now, by partition and offset; none of aborted ones."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            # Needed by the client; with assign() and without a commit no group comes of it.
            "group.id": "reads-all",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    open_partitions = end_offsets(bootstrap, topic)
    consumer.assign([TopicPartition(topic, number, 0) for number in open_partitions])
    records: list[StoredRecord] = []
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while open_partitions:
            message = consumer.poll(1)
            assert time.monotonic() < deadline, f"could not read {topic} to its end"
            if message is None:
                continue
            error = message.error()
            if error is None:
                records.append(_stored(message))
            elif error.name() == "_PARTITION_EOF":
                # A new partition's leader may tell an end of 0 that it has left behind already.
                number = message.partition() or 0
                if (message.offset() or 0) >= open_partitions.get(number, 0):
                    open_partitions.pop(number, None)
            else:
                raise AssertionError(f"reading {topic}: {error}")
    finally:
        consumer.close()
    return sorted(records, key=lambda record: (record.partition, record.offset))


def _stored(message: KafkaMessage) -> StoredRecord:
    # Typed more widely for what a producer is given.
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return StoredRecord(
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(headers),
    )


@dataclass(frozen=True, slots=True)
class Committed:
    offset: int
    metadata: str


def committed(bootstrap: str, group: str) -> Mapping[tuple[str, int], Committed]:
    """What the group has committed, by topic and partition; nothing for a group not known."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    partitions = _group_offsets(admin, group)
    return {
        (it.topic, it.partition): Committed(it.offset, it.metadata or "")
        for it in partitions
        if it.offset >= 0
    }


def _group_offsets(admin: AdminClient, group: str) -> list[TopicPartition]:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        asked = [ConsumerGroupTopicPartitions(group)]
        answer = admin.list_consumer_group_offsets(asked, request_timeout=TIMEOUT_S)[group]
        try:
            partitions: list[TopicPartition] = answer.result().topic_partitions or []
        except KafkaException as error:
            # A broker's first group makes it load its coordinator, which takes some tenths of a
            # second; the client gives that back instead of asking again.
            if error.args[0].name() not in COORDINATOR_LOADS or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return partitions
