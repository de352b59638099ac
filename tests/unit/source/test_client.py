"""What the poll thread asks of the client, where a broker does not answer."""

from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streamer.model import Partition
from streamer.source.client import UNANSWERED_MOST, Client


class Brokers:
    """In the place of the consumer: partitions below `away` are led by a broker that is away."""

    def __init__(self, away: int) -> None:
        self._away = away
        self.asked: list[int] = []

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        self.asked.append(partition.partition)
        if partition.partition < self._away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return 10, 20

    def offsets_for_times(self, parts: list[TopicPartition], timeout: float) -> list[Any]:
        return [TopicPartition(part.topic, part.partition, 15) for part in parts]


def positions(brokers: Brokers, count: int) -> dict[Partition, int]:
    client = Client(cast("Consumer", brokers), 2.0, lambda error: None)
    return {**client.position_at({Partition("t", number): 1 for number in range(count)})}


def test_partitions_whose_leader_is_away_are_left_out_and_the_others_found() -> None:
    assert positions(Brokers(away=2), 4) == {Partition("t", 2): 15, Partition("t", 3): 15}


def test_a_broker_that_leads_many_partitions_is_not_waited_for_at_each() -> None:
    brokers = Brokers(away=100)

    assert positions(brokers, 100) == {}
    assert len(brokers.asked) == UNANSWERED_MOST
