"""Is the embedded Kafka enough of a Kafka for the demo?"""

import pytest
from confluent_kafka import Consumer, TopicPartition

from streamer.demo.broker import PARTITIONS, EmbeddedBroker, Written
from tests.servers.waiting import wait_until


@pytest.fixture(scope="module")
def broker() -> EmbeddedBroker:
    broker = EmbeddedBroker()
    broker.make_topics(["orders", "followed"])
    return broker


def test_what_is_written_is_followed_from_the_start(broker: EmbeddedBroker) -> None:
    broker.write("followed", b"key", b"value", 1_700_000_000_000)
    broker.write("followed", b"key", None, 1_700_000_000_001)
    broker.flush()
    follower = broker.follow(["followed"])
    read: list[Written] = []

    def both_came() -> bool:
        read.extend(follower.read())
        return len(read) == 2

    wait_until(both_came, "both records")
    follower.close()

    assert read == [Written("followed", b"key", b"value"), Written("followed", b"key", None)]


def test_lag_is_what_the_group_has_not_committed(broker: EmbeddedBroker) -> None:
    for _ in range(3):
        broker.write("orders", b"same key", b"value", 1_700_000_000_000)
    broker.flush()
    assert broker.lag("readers", ["orders"]) == 3
    ends = dict.fromkeys(range(PARTITIONS), 0)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "readers"})
    for number in ends:
        ends[number] = consumer.get_watermark_offsets(TopicPartition("orders", number))[1]

    consumer.commit(
        offsets=[TopicPartition("orders", number, end) for number, end in ends.items() if end],
        asynchronous=False,
    )
    consumer.close()

    assert broker.lag("readers", ["orders"]) == 0
