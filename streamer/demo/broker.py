"""What is the demo's Kafka? librdkafka's mock cluster, inside this process.

Other processes reach it by its addresses. Its topics come into being on first use with 4
partitions, always, and it forgets a partition's oldest messages after about 5 MB, so that who
writes must keep step with who reads. Nothing of it is written to disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

PARTITIONS = 4  # what the mock cluster gives every topic
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Written:
    """A record that was read back."""

    topic: str
    key: bytes | None
    value: bytes | None


class EmbeddedBroker:
    """A cluster of one broker that lives as long as this object."""

    def __init__(self) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": "",  # the mock cluster sets it
                "test.mock.num.brokers": 1,
                "linger.ms": 5,
                "log_level": 3,
            }
        )
        brokers = self._producer.list_topics(timeout=TIMEOUT_S).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def make_topics(self, topics: Sequence[str]) -> None:
        for topic in topics:
            self._producer.list_topics(topic, timeout=TIMEOUT_S)

    def write(self, topic: str, key: bytes | None, value: bytes | None, timestamp_ms: int) -> None:
        """Queue a record; it is written within some milliseconds."""
        self._producer.produce(topic, value=value, key=key, timestamp=timestamp_ms)
        self._producer.poll(0)

    def flush(self) -> None:
        """Return when all that was queued is written. Raises KafkaException."""
        if self._producer.flush(TIMEOUT_S):
            raise KafkaException("the embedded broker takes no more records")

    def follow(self, topics: Sequence[str]) -> "Follower":
        return Follower(self.bootstrap, topics)

    def lag(self, group: str, topics: Sequence[str]) -> int:
        """Messages that the group has not committed yet."""
        everything = [
            TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)
        ]
        watcher = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 3})
        try:
            committed = watcher.committed(everything, timeout=TIMEOUT_S)
            # Without a commit the offset is a negative word of librdkafka's: all is open.
            return sum(
                watcher.get_watermark_offsets(it, timeout=TIMEOUT_S)[1] - max(it.offset, 0)
                for it in committed
            )
        finally:
            watcher.close()


class Follower:
    """Reads topics from their start, without a group."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "demo-follower",  # needed by the client, never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 3,
            }
        )
        self._consumer.assign(
            [TopicPartition(topic, number, 0) for topic in topics for number in range(PARTITIONS)]
        )

    def read(self) -> Iterator[Written]:
        """What came since the last call; does not wait."""
        for message in self._consumer.consume(1000, 0):
            if message.error() is None:
                yield Written(message.topic() or "", message.key(), message.value())

    def close(self) -> None:
        self._consumer.close()
