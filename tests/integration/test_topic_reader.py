"""Are the records of a topic read from any place, without a group, whatever was there before?"""

import pytest
from confluent_kafka import TopicPartition

from streamer.dead_letters import reader as reader_module
from streamer.dead_letters.reader import Span, TopicReader
from streamer.dead_letters.stop import Stop, Stopped
from streamer.model import Partition
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, produce

MANY = 3_000


@pytest.fixture
def topic(kafka: KafkaCluster) -> str:
    return kafka.create_topic(partitions=2)


def _fill(kafka: KafkaCluster, topic: str, partition: int, count: int) -> None:
    records = [Record(b"%d" % number, partition=partition) for number in range(count)]
    produce(kafka.bootstrap, topic, records)


def _reader(kafka: KafkaCluster) -> TopicReader:
    return TopicReader(kafka.bootstrap, {}, "letters")


def _offsets(reader: TopicReader, partition: Partition, span: Span) -> list[int]:
    return [message.offset for batch in reader.read(partition, span) for message in batch]


def test_what_is_left_of_a_partition_is_read_after_its_beginning_was_deleted(
    kafka: KafkaCluster, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of twenty-five readers heard nothing for ever: what the broker said of offset 0 came
    after the seek to offset 2."""
    monkeypatch.setattr(reader_module, "SILENT_S", 10.0)
    monkeypatch.setattr(reader_module, "ANEW_S", ())
    partition = Partition(topic, 0)
    _fill(kafka, topic, 0, 6)
    for done in kafka.admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        done.result(30)
    for _ in range(100):
        reader = _reader(kafka)
        assert reader.topics()[topic] == 2
        assert _offsets(reader, partition, Span(2, 6)) == [2, 3, 4, 5]
        reader.close()


def test_spans_of_several_partitions_are_read_in_any_order(kafka: KafkaCluster, topic: str) -> None:
    first, second = Partition(topic, 0), Partition(topic, 1)
    for number in range(2):
        _fill(kafka, topic, number, 100)
    reader = _reader(kafka)
    for partition, span in (
        (first, Span(90, 100)),
        (second, Span(0, 10)),
        (first, Span(0, 3)),
        (second, Span(50, 60)),
        (first, Span(0, 100)),
    ):
        assert _offsets(reader, partition, span) == list(range(span.start, span.end))
    reader.close()


def test_a_partition_that_falls_silent_is_begun_anew_where_it_was(
    kafka: KafkaCluster, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "ANEW_S", (1.0, 3.0, 9.0))
    partition = Partition(topic, 0)
    _fill(kafka, topic, 0, MANY)
    reader = _reader(kafka)
    read: list[int] = []
    for batch in reader.read(partition, Span(0, MANY)):
        read += [message.offset for message in batch]
        if len(read) < MANY:
            # As if the client had lost it.
            reader._consumer.pause([TopicPartition(topic, 0)])
    assert read == list(range(MANY))
    reader.close()


def test_reading_ends_where_the_command_was_asked_to_stop(kafka: KafkaCluster, topic: str) -> None:
    _fill(kafka, topic, 0, MANY)
    stop = Stop()
    reader = TopicReader(kafka.bootstrap, {}, "letters", stop)
    batches = reader.read(Partition(topic, 0), Span(0, MANY))
    assert next(batches)
    stop.ask("asked to (SIGTERM)")
    with pytest.raises(Stopped, match="SIGTERM"):
        next(batches)
    reader.close()
