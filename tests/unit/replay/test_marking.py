"""Is every mark confirmed before it counts, and is it told where none can be written?"""

import asyncio
from typing import cast

import pytest

from streamer.dead_letters.found import read_found
from streamer.dead_letters.marks import Handling, Mark
from streamer.dead_letters.record import Record
from streamer.dead_letters.writer import Failed, NotWritten, Outcome, Writer, Written
from streamer.delivery.retry import Backoff
from streamer.model import Generation, Message, Offset, Partition
from streamer.replay.marking import Marker, NotMarked
from tests.unit.dead_letters.topic import LETTERS, Topic, letter


class Broker:
    """Answers each write with the next outcome; the last one stays."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.records: list[Record] = []

    async def put(self, record: Record) -> Outcome:
        await asyncio.sleep(0)
        outcome = self.outcomes[0]
        if len(self.outcomes) > 1:
            del self.outcomes[0]
        if isinstance(outcome, Written):
            self.records.append(record)
        return outcome


WRITTEN = Written(LETTERS, 0, 1)
AWAY = NotWritten(Failed.TRANSIENT, "the broker is away")
DENIED = NotWritten(Failed.DENIED, "this user may not write")


def marker(broker: Broker) -> Marker:
    return Marker(cast(Writer, broker), lambda: 77, Backoff(0.001, 0.001, lambda: 1.0))


def mark_one(of: Marker, partition: int = 0, group: str = "") -> str:
    topic = Topic()
    id = topic.letter(letter(1), partition, group)
    (record,) = topic.partitions[Partition(LETTERS, partition)]
    of.mark(read_found(record), Handling.DROPPED, "why")
    return id


async def test_a_mark_stands_in_the_letters_partition() -> None:
    broker = Broker(WRITTEN)
    some = marker(broker)
    id = mark_one(some, partition=3)
    await some.settled()
    (record,) = broker.records
    assert (record.topic, record.partition, some.written) == (LETTERS, 3, 1)
    message = Message(
        Partition(LETTERS, 3), Generation(0), Offset(1), 0, record.key, None, record.headers
    )
    assert read_found(message).what == Mark(id, Handling.DROPPED, "why", 77)


@pytest.mark.parametrize("group", ["billing", ""])
async def test_a_mark_is_of_the_letters_group(group: str) -> None:
    broker = Broker(WRITTEN)
    some = marker(broker)
    mark_one(some, group=group)
    await some.settled()
    ((record),) = broker.records
    assert dict(record.headers).get("streamer-group", b"") == group.encode()


async def test_a_broker_that_is_away_is_asked_again_without_end() -> None:
    broker = Broker(*[AWAY] * 20, WRITTEN)
    some = marker(broker)
    mark_one(some)
    await some.settled()
    assert len(broker.records) == 1
    assert some.waits == ""


async def test_a_topic_that_refuses_marks_is_told() -> None:
    some = marker(Broker(DENIED))
    mark_one(some)
    with pytest.raises(NotMarked, match="may not write"):
        await some.settled()


async def test_other_partitions_are_not_waited_for() -> None:
    broker = Broker(AWAY)
    some = marker(broker)
    mark_one(some, partition=1)
    await asyncio.wait_for(some.settled(frozenset({Partition(LETTERS, 2)})), 10)
    broker.outcomes = [WRITTEN]
    await some.settled()
