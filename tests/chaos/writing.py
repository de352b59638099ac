"""How are events written through whatever happens to the brokers, once each?"""

from collections.abc import Sequence
from functools import partial

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as KafkaMessage

from tests.servers.records import Record

CONFIRMED_WITHIN_S = 180
"""A producer's record: longer than any outage of a campaign."""


def write_through(
    bootstrap: str, topic: str, records: Sequence[Record]
) -> Sequence[tuple[int, int]]:
    """Write the records through whatever happens to the brokers; their (partition, offset)."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 5,
            "delivery.timeout.ms": CONFIRMED_WITHIN_S * 1000,
            "queue.buffering.max.messages": 1_000_000,
            "reconnect.backoff.max.ms": 500,
            "topic.metadata.refresh.interval.ms": 2000,
            # 30 s by default, in which a topic that was made anew is not believed to be there.
            "topic.metadata.propagation.max.ms": 3000,
            "log_level": 0,
        }
    )
    places: list[tuple[int, int]] = [(-1, -1)] * len(records)
    failures: list[str] = []

    def keep(number: int, error: KafkaError | None, message: KafkaMessage) -> None:
        if error is not None:
            failures.append(str(error))
        else:
            places[number] = (message.partition() or 0, message.offset() or 0)

    for number, record in enumerate(records):
        producer.produce(
            topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            partition=record.partition,
            timestamp=record.timestamp_ms,
            on_delivery=partial(keep, number),
        )
        if number % 1000 == 999:
            producer.poll(0)
    left = producer.flush(CONFIRMED_WITHIN_S)
    assert not failures, f"{len(failures)} records were not written: {failures[0]}"
    assert left == 0, f"{left} records were not confirmed within {CONFIRMED_WITHIN_S} s"
    return places
