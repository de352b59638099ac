"""What does each message become, in each wire format and with each thing that can be wrong?"""

import json
import struct
from typing import Any
from uuid import UUID

import pytest

from streamer.decoding.decoder import Decoder
from streamer.decoding.directory import DirectorySchemas
from streamer.decoding.fetched import SchemaText, SchemaUnknown
from streamer.decoding.fingerprint import fingerprint
from streamer.decoding.registry_schemas import MAX_UNKNOWN, UNKNOWN_FOR_S, RegistrySchemas
from streamer.model import (
    BadMessage,
    Event,
    Headers,
    KeyRefused,
    Reason,
    Refusal,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)
from tests.unit.decoding.avro_bytes import message, reader_of, record, written

PAID = record(("invoice_id", "string"), ("cents", "long"), name="com.acme.InvoicePaid")
SENT = record(("invoice_id", "string"), name="com.acme.InvoiceSent")
KEY = record(("invoice_id", "string"), name="com.acme.InvoiceKey")
FIELDS = {"invoice_id": "i-1", "cents": 1250}
PAID_BYTES = written(PAID, FIELDS)
BY_ID = b"\0" + struct.pack(">I", 17)
REF = SchemaRef("id", "17")
GUID = UUID("3f0c1a52-1111-4000-8000-00000000000a")
BY_GUID = b"\1" + GUID.bytes
GUID_REF = SchemaRef("guid", str(GUID))
UNKNOWN = SchemaUnknown(Refusal(Reason.UNKNOWN_SCHEMA, "the registry has no schema id 17"))


def text(schema: Any) -> SchemaText:
    return SchemaText(json.dumps(schema))


@pytest.fixture
def schemas() -> RegistrySchemas:
    return RegistrySchemas()


@pytest.fixture
def decoder(schemas: RegistrySchemas) -> Decoder:
    return Decoder(schemas)


def test_a_message_waits_for_its_schema_and_is_an_event_once_it_is_here(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    incoming = message(BY_ID + PAID_BYTES)
    needed = decoder.decode(incoming)
    assert isinstance(needed, SchemaNeeded)
    assert needed.ref == REF
    schemas.learn(REF, text(PAID), 0)
    event = decoder.decode(incoming)
    assert isinstance(event, Event)
    assert event.schema == "com.acme.InvoicePaid"
    assert event.fields == FIELDS
    assert event.message is incoming


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (BY_GUID + PAID_BYTES, ()),
        (PAID_BYTES, (("__value_schema_id", BY_GUID),)),
        (PAID_BYTES, (("trace", b"x"), ("__value_schema_id", BY_GUID), ("other", None))),
    ],
)
def test_a_guid_in_front_or_in_a_header_names_the_schema(
    schemas: RegistrySchemas, decoder: Decoder, value: bytes, headers: Headers
) -> None:
    incoming = message(value, headers=headers)
    needed = decoder.decode(incoming)
    assert isinstance(needed, SchemaNeeded)
    assert needed.ref == GUID_REF
    schemas.learn(GUID_REF, text(PAID), 0)
    event = decoder.decode(incoming)
    assert isinstance(event, Event)
    assert event.fields == FIELDS


def test_an_id_may_stand_in_the_header_too(schemas: RegistrySchemas, decoder: Decoder) -> None:
    schemas.learn(REF, text(PAID), 0)
    event = decoder.decode(message(PAID_BYTES, headers=(("__value_schema_id", BY_ID),)))
    assert isinstance(event, Event)


def test_several_record_types_share_a_topic(schemas: RegistrySchemas, decoder: Decoder) -> None:
    schemas.learn(REF, text(PAID), 0)
    schemas.learn(SchemaRef("id", "18"), text(SENT), 0)
    names = []
    for value in (BY_ID + PAID_BYTES, b"\0\0\0\0\x12" + written(SENT, {"invoice_id": "x"})):
        event = decoder.decode(message(value))
        assert isinstance(event, Event)
        names.append(event.schema)
    assert names == ["com.acme.InvoicePaid", "com.acme.InvoiceSent"]


def test_a_union_of_references_gives_events_named_by_the_branch(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    union = '["null", "com.acme.InvoicePaid", "com.acme.InvoiceSent"]'
    schemas.learn(REF, SchemaText(union, (json.dumps(PAID), json.dumps(SENT))), 0)
    event = decoder.decode(message(BY_ID + b"\x02" + PAID_BYTES))
    assert isinstance(event, Event)
    assert event.schema == "com.acme.InvoicePaid"
    assert event.fields == FIELDS
    null = decoder.decode(message(BY_ID + b"\0"))
    assert isinstance(null, BadMessage)
    assert "is no record" in null.refusal.detail


def test_a_union_of_one_record_names_its_events_too(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    schemas.learn(REF, text([PAID]), 0)
    event = decoder.decode(message(BY_ID + b"\0" + PAID_BYTES))
    assert isinstance(event, Event)
    assert event.schema == "com.acme.InvoicePaid"


@pytest.mark.parametrize(
    ("value", "headers", "expected"),
    [
        (b"", (), "the value is empty"),
        (b"\0\0\0\0", (), "the value has 4 bytes, and its schema's name alone takes 5"),
        (b"\1" * 16, (), "the value has 16 bytes, and its schema's name alone takes 17"),
        (b"{}", (), "begins with the byte 0x7b, no magic byte"),
        (PAID_BYTES, (("__value_schema_id", b""),), "the header __value_schema_id holds 0 bytes"),
        (PAID_BYTES, (("__value_schema_id", None),), "holds 0 bytes"),
        (PAID_BYTES, (("__value_schema_id", BY_ID + b"\0"),), "holds 6 bytes"),
        (PAID_BYTES, (("__value_schema_id", b"\2" + BY_ID[1:]),), "holds 5 bytes"),
    ],
)
def test_bytes_without_a_known_format_are_bad_messages(
    decoder: Decoder, value: bytes, headers: Headers, expected: str
) -> None:
    bad = decoder.decode(message(value, headers=headers))
    assert isinstance(bad, BadMessage)
    assert bad.refusal.reason is Reason.UNDECODABLE
    assert expected in bad.refusal.detail
    assert bad.schema == "none"


def test_bytes_that_do_not_fit_their_schema_are_counted_under_its_name(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    schemas.learn(REF, text(PAID), 0)
    bad = decoder.decode(message(BY_ID + PAID_BYTES + b"secret"))
    assert isinstance(bad, BadMessage)
    assert bad.schema == "com.acme.InvoicePaid"
    assert bad.refusal.reason is Reason.UNDECODABLE
    assert "6 bytes follow the complete value" in bad.refusal.detail
    assert "secret" not in bad.refusal.detail


def test_an_unknown_schema_is_remembered_for_a_while_and_then_asked_for_again(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    schemas.learn(REF, UNKNOWN, 100)
    incoming = message(BY_ID + PAID_BYTES)
    bad = decoder.decode(incoming)
    assert isinstance(bad, BadMessage)
    assert bad.refusal == UNKNOWN.refusal
    assert bad.schema == "schema id 17"
    schemas.expire(100 + UNKNOWN_FOR_S - 0.1)
    assert isinstance(decoder.decode(incoming), BadMessage)
    schemas.expire(100 + UNKNOWN_FOR_S)
    assert isinstance(decoder.decode(incoming), SchemaNeeded)
    schemas.learn(REF, text(PAID), 200)
    schemas.expire(1_000)
    assert isinstance(decoder.decode(incoming), Event)


def test_a_schema_that_turns_up_replaces_the_refusal(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    schemas.learn(REF, UNKNOWN, 0)
    schemas.learn(REF, text(PAID), 1)
    schemas.expire(1_000)
    assert isinstance(decoder.decode(message(BY_ID + PAID_BYTES)), Event)


def test_no_more_unknown_ids_are_remembered_than_is_good(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    for number in range(MAX_UNKNOWN + 1):
        schemas.learn(SchemaRef("id", str(number)), UNKNOWN, 0)
    assert isinstance(decoder.decode(message(b"\0\0\0\0\0")), SchemaNeeded)
    assert isinstance(decoder.decode(message(b"\0\0\0\0\1")), BadMessage)


@pytest.mark.parametrize("schema", ["", "{", '{"type": "record"}', "[" * 20_000])
def test_a_fetched_text_that_is_no_schema_makes_bad_messages(
    schemas: RegistrySchemas, decoder: Decoder, schema: str
) -> None:
    schemas.learn(REF, SchemaText(schema), 0)
    bad = decoder.decode(message(BY_ID + PAID_BYTES))
    assert isinstance(bad, BadMessage)
    assert bad.refusal.reason is Reason.UNKNOWN_SCHEMA
    assert bad.refusal.detail.startswith("schema id 17 of the registry is no Avro schema")


def test_a_null_value_is_a_tombstone(decoder: Decoder) -> None:
    assert isinstance(decoder.decode(message(None)), Tombstone)


@pytest.mark.parametrize("value", [None, BY_ID + PAID_BYTES])
def test_unreadable_headers_make_a_bad_message_whatever_the_value(
    schemas: RegistrySchemas, decoder: Decoder, value: bytes | None
) -> None:
    schemas.learn(REF, text(PAID), 0)
    bad = decoder.decode(message(value, headers_readable=False))
    assert isinstance(bad, BadMessage)
    assert "header" in bad.refusal.detail


@pytest.mark.parametrize("value", [None, BY_ID + PAID_BYTES])
def test_the_key_is_decoded_where_a_route_reads_it(
    schemas: RegistrySchemas, decoder: Decoder, value: bytes | None
) -> None:
    schemas.learn(REF, text(PAID), 0)
    incoming = message(value, key=b"\0\0\0\0\x63" + written(KEY, {"invoice_id": "i-1"}))
    needed = decoder.decode(incoming, with_key=True)
    assert isinstance(needed, SchemaNeeded)
    assert needed.ref == SchemaRef("id", "99")
    schemas.learn(needed.ref, text(KEY), 0)
    decoded = decoder.decode(incoming, with_key=True)
    assert isinstance(decoded, Event | Tombstone)
    assert decoded.avro_key == {"invoice_id": "i-1"}
    plain = decoder.decode(incoming)
    assert isinstance(plain, Event | Tombstone)
    assert plain.avro_key is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"", "the key is empty"),
        (b"i-1", "the key begins with the byte 0x69"),
        (BY_ID + b"\x02", "the key is no value of its writer schema"),
    ],
)
def test_a_key_that_does_not_decode_is_refused_and_the_value_counts(
    schemas: RegistrySchemas, decoder: Decoder, key: bytes, expected: str
) -> None:
    schemas.learn(REF, text(PAID), 0)
    event = decoder.decode(message(BY_ID + PAID_BYTES, key=key), with_key=True)
    assert isinstance(event, Event)
    assert isinstance(event.avro_key, KeyRefused)
    assert expected in event.avro_key.refusal.detail
    assert event.fields == FIELDS


def test_no_key_is_no_key_and_a_key_may_be_any_type(
    schemas: RegistrySchemas, decoder: Decoder
) -> None:
    schemas.learn(REF, text("string"), 0)
    assert decoder.decode(message(None), with_key=True).avro_key is None  # type: ignore[union-attr]
    keyed = decoder.decode(message(None, key=BY_ID + b"\x02x"), with_key=True)
    assert isinstance(keyed, Tombstone)
    assert keyed.avro_key == "x"


def test_a_value_that_is_no_record_is_no_event(schemas: RegistrySchemas, decoder: Decoder) -> None:
    schemas.learn(REF, text("string"), 0)
    bad = decoder.decode(message(BY_ID + b"\x02x"))
    assert isinstance(bad, BadMessage)
    assert "is no record: an event has named fields" in bad.refusal.detail


@pytest.fixture
def from_directory() -> Decoder:
    readers = {fingerprint(reader_of(each).schema): reader_of(each) for each in (PAID, SENT)}
    return Decoder(DirectorySchemas(readers, {"bare": reader_of(PAID)}))


def single_object(schema: Any, value: Any) -> bytes:
    return b"\xc3\x01" + fingerprint(reader_of(schema).schema) + written(schema, value)


def test_single_object_encoding_names_its_schema_by_fingerprint(from_directory: Decoder) -> None:
    event = from_directory.decode(message(single_object(SENT, {"invoice_id": "x"})))
    assert isinstance(event, Event)
    assert event.schema == "com.acme.InvoiceSent"


def test_bare_avro_has_the_schema_that_its_topic_names(from_directory: Decoder) -> None:
    event = from_directory.decode(message(PAID_BYTES, topic="bare"))
    assert isinstance(event, Event)
    assert event.fields == FIELDS
    single = from_directory.decode(message(single_object(SENT, {"invoice_id": "x"}), topic="bare"))
    assert isinstance(single, Event)
    assert single.schema == "com.acme.InvoiceSent"


@pytest.mark.parametrize(
    ("value", "reason", "label", "expected"),
    [
        (b"", Reason.UNDECODABLE, "none", "its topic is not in schemas.topics"),
        (b"\xc3\x01abc", Reason.UNDECODABLE, "none", "not in single-object encoding"),
        (BY_ID + PAID_BYTES, Reason.UNDECODABLE, "none", "schemas.registry is needed"),
        (
            b"\xc3\x01" + bytes(8) + b"\0",
            Reason.UNKNOWN_SCHEMA,
            "fingerprint 0000000000000000",
            "no file of schemas.directory has its fingerprint 0000000000000000",
        ),
    ],
)
def test_other_bytes_are_bad_messages_of_a_directory(
    from_directory: Decoder, value: bytes, reason: Reason, label: str, expected: str
) -> None:
    bad = from_directory.decode(message(value))
    assert isinstance(bad, BadMessage)
    assert bad.refusal.reason is reason
    assert bad.schema == label
    assert expected in bad.refusal.detail


def test_a_bare_key_is_not_read_by_the_values_schema(from_directory: Decoder) -> None:
    event = from_directory.decode(message(PAID_BYTES, key=PAID_BYTES, topic="bare"), with_key=True)
    assert isinstance(event, Event)
    assert isinstance(event.avro_key, KeyRefused)
