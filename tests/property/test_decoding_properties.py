"""Do any bytes end as an event or as a named refusal, and does what was written come back?"""

import io
import json
import time
from decimal import Decimal
from typing import Any

from fastavro import parse_schema as fast_schema
from fastavro import schemaless_reader
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.decoding.decoder import Decoder
from streamer.decoding.fetched import RegistryUnavailable, SchemaText, SchemaUnknown
from streamer.decoding.fingerprint import fingerprint
from streamer.decoding.json_values import NotJson, encode_any_json
from streamer.decoding.reader import READ_ERRORS, Reader
from streamer.decoding.registry_answers import SchemaAnswer, read_answer
from streamer.decoding.registry_schemas import RegistrySchemas
from streamer.decoding.schema import SchemaRejected
from streamer.decoding.schema_text import parse_schema
from streamer.model import BadMessage, Event, KeyRefused, SchemaNeeded, SchemaRef, Tombstone
from tests.effort import examples
from tests.unit.decoding.avro_bytes import message, record, written
from tests.unit.decoding.hostile_schemas import HOSTILE

_LONGS = st.integers(-(2**63), 2**63 - 1)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("null", st.none()),
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", _LONGS),
    ("float", st.floats(width=32, allow_nan=False)),
    ("double", st.floats(allow_nan=False)),
    ("bytes", st.binary(max_size=100)),
    ("string", _TEXTS),
    ({"type": "string", "logicalType": "uuid"}, st.uuids()),
    ({"type": "int", "logicalType": "date"}, st.dates()),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3},
        st.decimals(-999_999, 999_999, places=3),
    ),
]


@st.composite
def schemas_and_values(draw: st.DrawFn, depth: int = 3) -> tuple[Any, st.SearchStrategy[Any]]:
    """A schema in JSON, and what its values are."""
    names = iter(f"com.acme.T{number}" for number in range(10_000))

    def some(level: int) -> tuple[Any, st.SearchStrategy[Any]]:
        kinds = (
            ["leaf", "enum", "fixed"]
            if level == 0
            else ["leaf", "array", "map", "optional", "record"]
        )
        match draw(st.sampled_from(kinds)):
            case "array":
                items, values = some(level - 1)
                return {"type": "array", "items": items}, st.lists(values, max_size=5)
            case "map":
                items, values = some(level - 1)
                return {"type": "map", "values": items}, st.dictionaries(_TEXTS, values, max_size=5)
            case "optional":
                kind, values = draw(st.sampled_from(_LEAVES[1:]))
                return ["null", kind], st.none() | values
            case "record":
                return records(level - 1)
            case "enum":
                symbols = ["A", "B", "C"]
                kind = {"type": "enum", "name": next(names), "symbols": symbols}
                return kind, st.sampled_from(symbols)
            case "fixed":
                size = draw(st.integers(0, 20))
                kind = {"type": "fixed", "name": next(names), "size": size}
                return kind, st.binary(min_size=size, max_size=size)
            case _:
                leaf: tuple[Any, st.SearchStrategy[Any]] = draw(st.sampled_from(_LEAVES))
                return leaf

    def records(level: int) -> tuple[Any, st.SearchStrategy[Any]]:
        fields = [(f"f{number}", some(level)) for number in range(draw(st.integers(0, 4)))]
        kind = record(*((name, field[0]) for name, field in fields), name=next(names))
        return kind, st.fixed_dictionaries({name: field[1] for name, field in fields})

    return records(depth)


@given(st.data())
@settings(max_examples=examples(200))
def test_what_an_independent_writer_wrote_comes_back(data: st.DataObject) -> None:
    schema, values = data.draw(schemas_and_values())
    value = data.draw(values)
    reader = Reader(parse_schema(json.dumps(schema)))
    assert reader.read(b"\0\0\0\0\1" + written(schema, value), 5) == value


@given(st.data())
@settings(max_examples=examples(200))
def test_what_is_read_from_damaged_bytes_an_independent_reader_reads_too(
    data: st.DataObject,
) -> None:
    schema, values = data.draw(schemas_and_values())
    damaged = bytearray(written(schema, data.draw(values)))
    for _ in range(data.draw(st.integers(0, 3))):
        position = data.draw(st.integers(0, len(damaged)))
        damaged[position : position + 1] = data.draw(st.binary(max_size=2))
    reader = Reader(parse_schema(json.dumps(schema)))
    problem, value = _read(reader, bytes(damaged))
    if problem is None:
        same = schemaless_reader(io.BytesIO(damaged), fast_schema(schema), None)
        assert repr(value) == repr(same)
    else:
        assert problem


_REF = SchemaRef("id", "1")


def _decoder(schema: Any) -> Decoder:
    schemas = RegistrySchemas()
    schemas.learn(_REF, SchemaText(json.dumps(schema)), 0)
    return Decoder(schemas)


_HOSTILE_DECODERS = [_decoder(schema) for schema in HOSTILE]

# Bytes that mean something: counts, indices and lengths of every size, many times over.
_PIECES = st.sampled_from(
    [b"\0", b"\1", b"\2", b"\4", b"\x7f", b"\x80", b"\xff", b"\x02\x00\x02"]
    + [written("long", number) for number in (999, 2**20, 2**31, 2**40, 2**62, -(2**63), -1000)]
) | st.binary(max_size=10)
_BYTES = st.lists(st.tuples(_PIECES, st.sampled_from([1, 1, 1, 3, 500, 5_000])), max_size=12).map(
    lambda pieces: b"".join(piece * times for piece, times in pieces)
)


@given(st.sampled_from(_HOSTILE_DECODERS), _BYTES, _BYTES)
@settings(max_examples=examples(400))
def test_any_bytes_end_with_an_event_or_a_named_refusal_in_bounded_time(
    decoder: Decoder, value: bytes, key: bytes
) -> None:
    started = time.process_time()
    decoded = decoder.decode(message(b"\0\0\0\0\1" + value, b"\0\0\0\0\1" + key), with_key=True)
    assert time.process_time() - started < 2
    match decoded:
        case BadMessage():
            assert 0 < len(decoded.refusal.detail) < 1_000
        case Event() | Tombstone():
            if isinstance(decoded.avro_key, KeyRefused):
                assert 0 < len(decoded.avro_key.refusal.detail) < 1_000
        case SchemaNeeded():
            raise AssertionError("the schema is here")


@given(
    st.binary(max_size=30) | st.none(),
    st.binary(max_size=30) | st.none(),
    st.lists(
        st.tuples(
            st.sampled_from(["__value_schema_id", "__key_schema_id", "x"]),
            st.binary(max_size=18) | st.none(),
        ),
        max_size=3,
    ),
)
@settings(max_examples=examples(300))
def test_any_message_decodes_or_names_the_schema_that_it_needs(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    decoded = _HOSTILE_DECODERS[0].decode(message(value, key, tuple(headers)), with_key=True)
    if isinstance(decoded, SchemaNeeded):
        # Whatever it needs can be learned.
        schemas = RegistrySchemas()
        schemas.learn(decoded.ref, SchemaText('"int"'), 0)
        again = Decoder(schemas).decode(message(value, key, tuple(headers)), with_key=True)
        assert not isinstance(again, SchemaNeeded) or again.ref != decoded.ref


_SCHEMA_KEYS = ["type", "name", "namespace", "fields", "items", "values", "symbols", "size"]
_SCHEMA_KEYS += ["logicalType", "precision", "scale"]
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["record", "enum", "fixed", "array", "map", "int", "null", "com.acme.R", "R", "decimal"]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(_SCHEMA_KEYS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(_JSON.map(json.dumps) | st.text(max_size=50))
@settings(max_examples=examples(500))
def test_any_text_is_a_schema_that_can_be_read_with_or_is_rejected_in_words(text: str) -> None:
    reader = _reader(text)
    if isinstance(reader, str):
        assert 0 < len(reader) < 2_000
    else:
        assert len(fingerprint(reader.schema)) == 8
        assert _read(reader, b"\0\0")[0] != ""


@given(st.integers(100, 599), _JSON.map(json.dumps).map(str.encode) | st.binary(max_size=50))
@settings(max_examples=examples(300))
def test_any_answer_of_a_registry_says_one_of_three_things(status: int, body: bytes) -> None:
    answer = read_answer("schema id 1", status, body)
    assert isinstance(answer, SchemaAnswer | SchemaUnknown | RegistryUnavailable)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**320), 10**320)
    | st.floats()
    | st.decimals()
    | st.text()
    | st.binary(max_size=3)
    | st.datetimes()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(_VALUES)
@settings(max_examples=examples(300))
def test_any_value_is_exact_json_or_is_no_json_in_words(value: Any) -> None:
    encoded = _encoded(value)
    if isinstance(encoded, str):
        assert encoded
        return
    read = json.loads(encoded, parse_float=Decimal)
    if isinstance(value, Decimal):
        assert Decimal(read) == value
    elif isinstance(value, int | str):
        assert read == value
    elif isinstance(value, float):
        assert float(read) == value


def _read(reader: Reader, data: bytes) -> tuple[str | None, Any]:
    """What is wrong with the bytes, or None and their value."""
    try:
        return None, reader.read(data, 0)
    except READ_ERRORS as error:
        return reader.problem(error), None


def _reader(text: str) -> Reader | str:
    """The reader, or what is wrong with the schema."""
    try:
        return Reader(parse_schema(text))
    except SchemaRejected as error:
        return str(error)


def _encoded(value: Any) -> bytes | str:
    """The JSON, or why there is none."""
    try:
        return encode_any_json(value)
    except NotJson as error:
        return str(error)
