"""Does reading an event wait for its schema, and for how long?"""

import asyncio

import pytest

from streamer.assembly import Schemas
from streamer.dead_letters.stop import Stop, Stopped
from streamer.decoding.decoder import Decoder
from streamer.decoding.fetched import Fetched, RegistryUnavailable, SchemaText, SchemaUnknown
from streamer.decoding.registry_schemas import RegistrySchemas
from streamer.delivery.retry import Backoff
from streamer.model import (
    BadMessage,
    Event,
    Generation,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
    SchemaRef,
)
from streamer.replay.events import TRIES, EventReader, RegistrySilent

SCHEMA = '{"type": "record", "name": "Paid", "fields": [{"name": "n", "type": "long"}]}'
AWAY = RegistryUnavailable("no answer")
# The registry's wire format: id 7, then 3 as Avro writes it.
VALUE = b"\x00\x00\x00\x00\x07\x06"


class Registry:
    def __init__(self, *answers: Fetched) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def fetch(self, ref: SchemaRef) -> Fetched:
        self.asked += 1
        return self.answers.pop(0) if self.answers else AWAY

    async def aclose(self) -> None: ...


def reader(
    registry: Registry, told: list[str] | None = None, stop: Stop | None = None
) -> EventReader:
    known = RegistrySchemas()
    schemas = Schemas(
        Decoder(known),
        registry,  # type: ignore[arg-type]
        lambda ref, fetched: known.learn(ref, fetched, 0.0),
        known.expire,
    )
    pauses = Backoff(0.001, 0.001, lambda: 1.0)
    tell = told.append if told is not None else None
    return EventReader(schemas, lambda topic: False, pauses, stop or Stop(), tell)


def message() -> Message:
    return Message(Partition("t", 0), Generation(0), Offset(1), 5, b"k", VALUE)


async def test_the_schema_is_fetched_once() -> None:
    registry = Registry(SchemaText(SCHEMA))
    some = reader(registry)
    for _ in range(3):
        event = await some.read(message())
        assert isinstance(event, Event)
        assert (event.schema, event.fields["n"]) == ("Paid", 3)
    assert registry.asked == 1


async def test_a_list_gives_up_and_says_what_the_registry_did() -> None:
    registry = Registry()
    with pytest.raises(RegistrySilent, match="no answer"):
        await reader(registry).read(message())
    assert registry.asked == TRIES


async def test_a_replay_waits_and_says_for_what() -> None:
    told: list[str] = []
    registry = Registry(*[AWAY] * 10, SchemaText(SCHEMA))
    assert isinstance(await reader(registry, told).read(message()), Event)
    assert told == ["no answer"] * 10


async def test_a_schema_that_there_is_not_makes_a_bad_message() -> None:
    registry = Registry(SchemaUnknown(Refusal(Reason.UNKNOWN_SCHEMA, "no schema 7")))
    event = await reader(registry).read(message())
    assert isinstance(event, BadMessage)


class Silent(Registry):
    """Never answers."""

    async def fetch(self, ref: SchemaRef) -> Fetched:
        self.asked += 1
        await asyncio.get_running_loop().create_future()
        return AWAY


@pytest.mark.parametrize("registry", [Silent(), Registry()], ids=["silent", "away"])
async def test_a_read_that_waits_for_the_registry_ends_once_the_command_is_to_stop(
    registry: Registry,
) -> None:
    """Found by a stranger: the first Ctrl-C was ignored for as long as the registry was away."""
    stop = Stop()
    reading = asyncio.create_task(reader(registry, [], stop).read(message()))
    while registry.asked < 1:
        await asyncio.sleep(0)
    stop.ask("asked to (SIGINT)")
    with pytest.raises(Stopped, match="SIGINT"):
        await asyncio.wait_for(reading, 20)
