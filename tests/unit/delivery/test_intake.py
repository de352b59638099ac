"""Who waits for a schema, and what does it cost?"""

from collections.abc import Callable

import pytest

from streamer.delivery.core import CoreSettings
from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.portions import PORTION_MESSAGES
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
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    CANCELLED,
    OWNED,
    PARTITION,
    Bench,
    offsets,
    report,
)


class Reading:
    """A bench whose messages name their schema in the value: `7`, or nothing for none."""

    def __init__(
        self, ordering: Ordering = Ordering.KEY, settings: CoreSettings | None = None
    ) -> None:
        self.bench = Bench(settings)
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
        self.intake.learned(ref)
        self.go_on()

    def go_on(self) -> None:
        """As far as there is room."""
        while self.intake.may_go_on:
            self.intake.go_on(self.bench.now)


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


# --- room for what is made --------------------------------------------------------------------


def _large(message: Message) -> Report:
    return report(message, payload=b"x" * 100)


def test_what_there_is_no_room_for_waits_as_it_is_and_the_other_partitions_go_on() -> None:
    """Found by a stranger: 3 MB of messages became 300 MB of payloads, which nobody counted."""
    reading = Reading(settings=CoreSettings(payload_bytes_most=800))
    bench, intake = reading.bench, reading.intake
    other = bench.assign(1)
    reading.specs = dict.fromkeys(range(100), _large)
    for offset in range(20):
        reading.take_in(offset, None)
    # Half of the room is its own, the other half is everybody's while they leave it free.
    assert reading.decoded == 5
    assert len(bench.part.postponed) == 15
    assert bench.part.window.held_messages == 20, "none is lost, and none is passed"
    assert not intake.may_go_on
    for offset in range(3):
        message = Message(
            other.owned.partition, other.owned.generation, Offset(offset), 0, None, b""
        )
        intake.take_in([message], bench.now)
    assert reading.decoded == 8, "the other partition has its share"
    delivered: list[int] = []
    for _ in range(20):
        for call in bench.calls():
            delivered += offsets([call])
            bench.answer(call, ACCEPTED)
        reading.go_on()
    assert sorted(delivered) == sorted([*range(20), *range(3)])
    assert bench.part.payload_bytes == 0
    assert not bench.part.postponed
    assert bench.position == 20


def test_a_fenced_partition_leaves_its_room_to_the_others() -> None:
    reading = Reading(settings=CoreSettings(payload_bytes_most=800))
    bench, intake = reading.bench, reading.intake
    other = bench.assign(1)
    reading.specs = dict.fromkeys(range(100), _large)
    for offset in range(20):
        reading.take_in(offset, None)
    (call, *_) = bench.calls()
    for offset in range(5):
        message = Message(
            other.owned.partition, other.owned.generation, Offset(offset), 0, None, b""
        )
        intake.take_in([message], bench.now)
    assert other.postponed
    bench.core.fenced([OWNED], bench.now)
    bench.answer(call, ACCEPTED)
    assert intake.may_go_on
    reading.go_on()
    assert not other.postponed
    assert other.payload_bytes == 500


def test_what_waited_for_a_schema_is_taken_in_portions() -> None:
    """Found by a stranger: all of it at once, and nothing else went on meanwhile."""
    reading = Reading()
    for offset in range(10 * PORTION_MESSAGES):
        reading.take_in(offset, None, "7")
    ref = SchemaRef("id", "7")
    reading.known.add(ref)
    reading.decoded = 0
    reading.intake.learned(ref)
    taken = []
    while reading.intake.may_go_on:
        reading.intake.go_on(reading.bench.now)
        taken.append(reading.decoded)
    assert list(dict.fromkeys(taken)) == [number * PORTION_MESSAGES for number in range(1, 11)]
