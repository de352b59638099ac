"""Who waits for a schema, and what does it cost?"""

from collections.abc import Callable

import pytest

from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.model import (
    Action,
    BadMessage,
    Decoded,
    Event,
    Message,
    Offset,
    Reason,
    Refusal,
    Report,
    Routed,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)
from tests.unit.delivery.bench_core import CANCELLED, OWNED, PARTITION, Bench, offsets, report


class Reading:
    """A bench whose messages name their schema in the value: `7`, or nothing for none."""

    def __init__(self, ordering: Ordering = Ordering.KEY) -> None:
        self.bench = Bench()
        self.known: set[SchemaRef] = set()
        self.unknown: set[SchemaRef] = set()
        self.needed: list[SchemaRef] = []
        self.decoded = 0
        self.specs: dict[int, Callable[[Message], Report]] = {}
        self.intake = Intake(
            self.bench.core, self._decode, self._route, ordering, CANCELLED, self.needed.append
        )

    def _decode(self, message: Message) -> Decoded:
        self.decoded += 1
        if not message.value:
            return Event(message, "E", {})
        ref = SchemaRef("id", message.value.decode())
        if ref in self.unknown:
            refusal = Refusal(Reason.UNKNOWN_SCHEMA, "nobody knows it")
            return BadMessage(message, refusal, str(ref))
        return Event(message, "E", {}) if ref in self.known else SchemaNeeded(message, ref)

    def _route(self, event: Event | Tombstone) -> Routed:
        make = self.specs.get(event.message.offset, report)
        return Routed((make(event.message),))

    def take_in(self, offset: int, key: bytes | None, schema: str = "") -> None:
        bare = Message(PARTITION, OWNED.generation, Offset(offset), 0, key, schema.encode())
        self.intake.take_in([bare], self.bench.now)

    def learn(self, schema: str, *, exists: bool = True) -> None:
        ref = SchemaRef("id", schema)
        (self.known if exists else self.unknown).add(ref)
        self.intake.learned(ref, self.bench.now)


def _cancel(message: Message) -> Report:
    return report(message, trigger="due", entity="e", action=Action.CANCEL)


def test_what_is_behind_a_message_without_a_schema_by_its_key_waits_and_the_rest_goes_on() -> None:
    reading = Reading()
    reading.take_in(0, b"a", "7")
    reading.take_in(1, b"a")
    reading.take_in(2, b"b")
    reading.take_in(3, None)
    assert offsets(reading.bench.calls()) == [2, 3]

    reading.learn("7")

    assert offsets(reading.bench.calls()) == [0]
    assert len(reading.bench.part.deferred) == 0


def test_a_message_behind_two_schemas_waits_for_both() -> None:
    reading = Reading(Ordering.NONE)
    reading.specs[2] = _cancel
    reading.take_in(0, b"a", "7")
    reading.take_in(1, b"b", "8")
    reading.take_in(2, b"c")

    reading.learn("8")
    assert offsets(reading.bench.calls()) == [1]

    reading.learn("7")
    assert sorted(offsets(reading.bench.calls())) == [0, 2]


def test_with_the_partitions_order_everything_waits_behind_the_first() -> None:
    reading = Reading(Ordering.PARTITION)
    reading.take_in(0, None, "7")
    reading.take_in(1, b"b", "8")
    reading.take_in(2, None)

    reading.learn("8")
    assert reading.bench.calls() == []
    assert len(reading.bench.part.deferred) == 3

    reading.learn("7")
    assert len(reading.bench.part.deferred) == 0


def test_a_message_whose_turn_comes_and_that_needs_a_schema_of_its_own_asks_for_it() -> None:
    reading = Reading()
    reading.take_in(0, b"a", "7")
    reading.take_in(1, b"a", "8")
    assert reading.needed == [SchemaRef("id", "7")], "it was not looked at yet"

    reading.learn("7")

    assert reading.needed[1:] == [SchemaRef("id", "8")]
    assert len(reading.bench.part.deferred) == 1
    reading.learn("8")
    assert len(reading.bench.part.deferred) == 0


@pytest.mark.parametrize("ordering", list(Ordering))
def test_a_thousand_unknown_schemas_cost_a_thousand_looks_and_hold_nothing_else(
    ordering: Ordering,
) -> None:
    count = 1_000
    reading = Reading(ordering)
    for offset in range(count):
        reading.take_in(offset, f"key-{offset}".encode(), str(offset))

    for offset in range(count):
        reading.learn(str(offset), exists=False)

    assert len(reading.bench.part.deferred) == 0
    assert reading.decoded <= 3 * count


def test_unknown_schemas_of_a_topic_are_one_flood_whatever_ids_they_name() -> None:
    reading = Reading()
    for offset in range(300):
        reading.take_in(offset, None, str(offset))
    for offset in range(300):
        reading.learn(str(offset), exists=False)

    reading.bench.write_letters()

    assert 100 <= len(reading.bench.letters) < 110
    assert sum(reading.bench.core.letters.holding.values()) == 300 - len(reading.bench.letters)
