"""Fuzzed: does every message end as an event or as a named refusal, within bounded time?"""

import json
import time
from typing import Any

from streamer.decoding.decoder import Decoder
from streamer.decoding.directory import DirectorySchemas
from streamer.decoding.fetched import SchemaText, SchemaUnknown
from streamer.decoding.fingerprint import fingerprint
from streamer.decoding.json_values import NotJson, encode_any_json
from streamer.decoding.reader import Reader
from streamer.decoding.registry_schemas import RegistrySchemas
from streamer.decoding.schema_text import parse_schema
from streamer.model import (
    BadMessage,
    Decoded,
    Event,
    Generation,
    Headers,
    KeyRefused,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)
from tests.fuzz.drawing import Drawn
from tests.unit.decoding.hostile_schemas import HOSTILE, ORDINARY

MOST_S = 5.0
"""Of the process's own time. The slowest message that was found takes a twentieth of it."""

DETAIL_MOST = 2_000

SCHEMAS = [*HOSTILE, *ORDINARY]
_IN_FRONT = b"\0\0\0\0\1"
_REF = SchemaRef("id", "1")


def message(value: bytes | None, key: bytes | None, headers: Headers = ()) -> Message:
    return Message(Partition("t", 0), Generation(1), Offset(7), -1, key, value, headers)


def check(decoded: Decoded) -> None:
    """What became of a message is an event, a tombstone, a refusal in words, or a question."""
    match decoded:
        case BadMessage():
            _is_told(decoded.refusal)
        case Event() | Tombstone():
            if isinstance(decoded.avro_key, KeyRefused):
                _is_told(decoded.avro_key.refusal)
            if isinstance(decoded, Event):
                assert decoded.schema
                _has_exact_json(decoded.fields)
        case SchemaNeeded():
            assert decoded.ref.kind in ("id", "guid")


def _is_told(refusal: Refusal) -> None:
    assert refusal.reason in (Reason.UNDECODABLE, Reason.UNKNOWN_SCHEMA)
    assert 0 < len(refusal.detail) <= DETAIL_MOST, f"{len(refusal.detail)} characters"
    assert refusal.detail.isprintable(), ascii(refusal.detail)


def _has_exact_json(fields: object) -> None:
    try:
        encoded = encode_any_json(fields)
    except NotJson as error:
        why = str(error)
        assert why
    else:
        json.loads(encoded)


def in_time(decoder: Decoder, message: Message) -> Decoded:
    started = time.process_time()
    decoded = decoder.decode(message, with_key=True)
    took_s = time.process_time() - started
    assert took_s < MOST_S, f"decoding took {took_s} s"
    return decoded


# --- bytes of a known schema ------------------------------------------------------------------


def decoder_of(schema: Any) -> Decoder:
    schemas = RegistrySchemas()
    schemas.learn(_REF, SchemaText(json.dumps(schema)), 0)
    return Decoder(schemas)


_DECODERS = [decoder_of(schema) for schema in SCHEMAS]


def values(data: bytes) -> None:
    """The first byte chooses the schema, the second whether the rest is value or key."""
    drawn = Drawn(data)
    decoder = drawn.one_of(_DECODERS)
    is_key = drawn.byte() % 4 == 3
    body = _IN_FRONT + drawn.rest()
    decoded = in_time(decoder, message(None, body) if is_key else message(body, None))
    assert not isinstance(decoded, SchemaNeeded), "the schema is here"
    check(decoded)


# --- bytes of any wire format -----------------------------------------------------------------

_GUID = SchemaRef("guid", "3f0c1a52-1111-4000-8000-00000000000a")
_UNKNOWN = SchemaUnknown(Refusal(Reason.UNKNOWN_SCHEMA, "the registry has no such schema"))


def _of_a_registry() -> Decoder:
    schemas = RegistrySchemas()
    schemas.learn(_REF, SchemaText(json.dumps(ORDINARY[0])), 0)
    schemas.learn(SchemaRef("id", "2"), _UNKNOWN, 0)
    schemas.learn(_GUID, SchemaText('["null", "string", "long"]'), 0)
    return Decoder(schemas)


def _of_a_directory() -> Decoder:
    readers = [Reader(parse_schema(json.dumps(schema))) for schema in ORDINARY]
    return Decoder(
        DirectorySchemas({fingerprint(it.schema): it for it in readers}, {"t": readers[0]})
    )


_SOURCES = [_of_a_registry(), _of_a_directory()]
_NAMES = ["__value_schema_id", "__key_schema_id", "trace", ""]


def wire(data: bytes) -> None:
    """Key, value and headers of any kind; what they name may be known, unknown or asked for."""
    drawn = Drawn(data)
    decoder = drawn.one_of(_SOURCES)
    shape = drawn.byte()
    headers = tuple((drawn.one_of(_NAMES), drawn.some()) for _ in range(shape % 4))
    key = drawn.some() if shape & 4 else None
    value = None if shape & 8 else drawn.rest()
    check(in_time(decoder, message(value, key, headers)))


SEEDS = {
    "values": [bytes([number, 0]) + b"\x02" * 20 for number in range(len(SCHEMAS))]
    + [bytes([number, 0]) + b"\x80" * 6 + b"\x20\0" for number in range(len(SCHEMAS))],
    "wire": [
        b"\0\0" + _IN_FRONT + b"\x02a",
        b"\0\5\0\x11\1" + bytes.fromhex(_GUID.value.replace("-", "")) + b"\x02\x02a",
        b"\1\0\xc3\x01" + fingerprint(parse_schema(json.dumps(ORDINARY[1]))) + b"\x02a",
    ],
}
