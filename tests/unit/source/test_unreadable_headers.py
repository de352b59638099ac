"""What becomes of header names that are not UTF-8, with the real client and any number of them?"""

import gc
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streamer.model import Generation, Message, Owned, Partition
from streamer.source.messages import read_message
from tests.servers.raw_records import RawRecord, write_raw
from tests.servers.waiting import wait_until

TOPIC = "t"
OWNED = Owned(Partition(TOPIC, 0), Generation(1))


@pytest.fixture
def bootstrap() -> Iterator[str]:
    """The address of a mock broker that leads the topic."""
    producer = Producer({"bootstrap.servers": "-", "test.mock.num.brokers": 1, "log_level": 0})
    producer.produce(TOPIC, b"made", partition=0)
    assert producer.flush(10) == 0
    brokers = producer.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    producer.flush(1)


def read(bootstrap: str, count: int) -> list[Message]:
    """As the poll thread does: many at a time, by code that was run many times before."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "log_level": 0})
    consumer.assign([TopicPartition(TOPIC, 0, 1)])
    messages: list[Message] = []

    def has_all() -> bool:
        messages.extend(read_message(raw, OWNED) for raw in consumer.consume(count, 0.1))
        return len(messages) >= count

    try:
        wait_until(has_all, lambda: f"{len(messages)} of {count} messages")
    finally:
        consumer.close()
    return messages


def test_each_of_many_messages_has_its_headers_or_is_known_to_have_none_that_can_be_read(
    bootstrap: str,
) -> None:
    odd = ((b"fine", b"1"), (b"\xff\xfe", b"2"))
    fine = ((b"fine", b"\xff"), ("gr\u00fc\u00dfe".encode(), None))
    written = [
        RawRecord(b"%d" % number, b"k", odd if number % 3 == 2 else fine) for number in range(90)
    ]
    write_raw(bootstrap, TOPIC, 0, written)

    messages = read(bootstrap, len(written))
    gc.collect()

    assert [message.value for message in messages] == [record.value for record in written]
    assert [message.headers_readable for message in messages] == [True, True, False] * 30
    assert {message.headers for message in messages if not message.headers_readable} == {()}
    readable = {message.headers for message in messages if message.headers_readable}
    assert readable == {(("fine", b"\xff"), ("gr\u00fc\u00dfe", None))}


def test_a_record_without_a_timestamp_has_minus_one(bootstrap: str) -> None:
    write_raw(bootstrap, TOPIC, 0, [RawRecord(b"a"), RawRecord(b"b", timestamp_ms=5)])

    assert [message.timestamp_ms for message in read(bootstrap, 2)] == [-1, 5]
