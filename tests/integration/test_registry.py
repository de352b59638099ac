"""Does what a real registry's clients write become events, and what it does not know a refusal?"""

import json
import uuid
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamer.decoding.decoder import Decoder
from streamer.decoding.fetched import Fetched, RegistryUnavailable, SchemaUnknown
from streamer.decoding.registry import RegistryAccess, RegistryClient
from streamer.decoding.registry_schemas import RegistrySchemas
from streamer.model import Event, SchemaNeeded, SchemaRef
from tests.servers.registry import ApicurioRegistry
from tests.unit.decoding.avro_bytes import message, record

TOPIC = "billing.invoices"


@pytest.fixture
def namespace() -> str:
    """One registry serves the whole run: each test has names of its own."""
    return f"com.acme.t{uuid.uuid4().hex}"


async def fetched(registry: ApicurioRegistry, ref: SchemaRef) -> Fetched:
    async with RegistryClient(RegistryAccess(registry.url)) as client:
        return await client.fetch(ref)


async def decoded(registry: ApicurioRegistry, value: bytes) -> tuple[Event, SchemaRef]:
    schemas = RegistrySchemas()
    decoder = Decoder(schemas)
    needed = decoder.decode(message(value))
    assert isinstance(needed, SchemaNeeded)
    answer = await fetched(registry, needed.ref)
    assert not isinstance(answer, RegistryUnavailable)
    schemas.learn(needed.ref, answer, 0)
    event = decoder.decode(message(value))
    assert isinstance(event, Event)
    return event, needed.ref


def serialized(client: SchemaRegistryClient, schema: Schema | str, value: Any) -> bytes:
    """By the producer's own library, with several record types in one topic."""
    serializer = AvroSerializer(
        client, schema, conf={"subject.name.strategy": topic_record_subject_name_strategy}
    )
    written = serializer(value, SerializationContext(TOPIC, MessageField.VALUE))
    assert isinstance(written, bytes)
    return written


async def test_several_types_and_versions_of_one_topic_are_told_apart(
    registry: ApicurioRegistry, namespace: str
) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    paid = record(("id", "string"), name=f"{namespace}.Paid")
    later = record(("id", "string"), ("note", ["null", "string"]), name=f"{namespace}.Paid")
    later["fields"][1]["default"] = None
    sent = record(("to", "string"), name=f"{namespace}.Sent")
    refs = set()
    for schema, value in (
        (paid, {"id": "a"}),
        (later, {"id": "a", "note": "b"}),
        (sent, {"to": "c"}),
    ):
        event, ref = await decoded(registry, serialized(client, json.dumps(schema), value))
        assert (event.schema, event.fields) == (schema["name"], value)
        refs.add(ref)
    assert len(refs) == 3


async def test_a_schema_that_builds_on_others_is_read(
    registry: ApicurioRegistry, namespace: str
) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    currency, money = f"{namespace}.Currency", f"{namespace}.Money"
    enum = {"type": "enum", "name": currency, "symbols": ["EUR", "USD"]}
    client.register_schema(currency, Schema(json.dumps(enum), "AVRO"))
    client.register_schema(
        f"{money} of/all",
        Schema(
            json.dumps(record(("cents", "long"), ("currency", currency), name=money)),
            "AVRO",
            [SchemaReference(currency, currency, 1)],
        ),
    )
    order = Schema(
        json.dumps(record(("total", money), ("paid_in", currency), name=f"{namespace}.Order")),
        "AVRO",
        [
            SchemaReference(money, f"{money} of/all", 1),
            SchemaReference(currency, currency, 1),
        ],
    )
    value = {"total": {"cents": 5, "currency": "USD"}, "paid_in": "EUR"}
    event, _ = await decoded(registry, serialized(client, order, value))
    assert event.schema == f"{namespace}.Order"
    assert event.fields == value


async def test_an_id_that_the_registry_does_not_know_is_an_unknown_schema(
    registry: ApicurioRegistry,
) -> None:
    answer = await fetched(registry, SchemaRef("id", "4294967295"))
    assert isinstance(answer, SchemaUnknown)
    assert "the registry has no schema id 4294967295" in answer.refusal.detail


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("JSON", '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}'),
        ("PROTOBUF", 'syntax = "proto3"; message Paid { string id = 1; }'),
    ],
)
async def test_a_schema_of_another_kind_is_an_unknown_schema(
    registry: ApicurioRegistry, namespace: str, kind: str, text: str
) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    number = client.register_schema(f"{namespace}-value", Schema(text, kind))
    answer = await fetched(registry, SchemaRef("id", str(number)))
    assert isinstance(answer, SchemaUnknown)
    assert f"is of the type {kind}, and only Avro is read" in answer.refusal.detail


async def test_a_wrong_path_is_an_outage_and_no_flood_of_bad_messages(
    registry: ApicurioRegistry,
) -> None:
    access = RegistryAccess(registry.url.removesuffix("/ccompat/v7"))
    async with RegistryClient(access) as client:
        answer = await client.fetch(SchemaRef("id", "1"))
    assert isinstance(answer, RegistryUnavailable)
    assert answer.status == 404
    assert "look at the path of schemas.registry.url" in answer.detail


async def test_a_guid_ends_as_an_unknown_schema_where_the_registry_has_no_guids(
    registry: ApicurioRegistry,
) -> None:
    answer = await fetched(registry, SchemaRef("guid", str(uuid.uuid4())))
    assert isinstance(answer, SchemaUnknown)
    assert "the registry does not know schemas by GUID" in answer.refusal.detail
