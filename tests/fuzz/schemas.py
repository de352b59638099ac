"""Fuzzed: is every text a schema that can be read with, or rejected in words?"""

import json
import time
from typing import Any

from streamer.decoding.fingerprint import fingerprint
from streamer.decoding.reader import READ_ERRORS, Reader
from streamer.decoding.schema import SchemaRejected
from streamer.decoding.schema_text import parse_schema
from tests.fuzz.drawing import Drawn

MOST_S = 5.0

_PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
_LOGICAL = [
    "date",
    "time-millis",
    "time-micros",
    "timestamp-millis",
    "timestamp-micros",
    "timestamp-nanos",
    "local-timestamp-millis",
    "local-timestamp-micros",
    "local-timestamp-nanos",
    "uuid",
    "decimal",
    "duration",
    "unheard-of",
]
_NAMES = ["R0", "R1", "R2", "R3", "a.R0", "a.b.R1", "E0", "F0"]
_SIZES = [0, 1, 2, 3, 12, 16, 500, 600, 2**31 - 1]
_DEEPEST = 12


def read_by(text: str, references: list[str], value: bytes) -> None:
    """Whatever the text is, and whatever the bytes: a schema or a sentence, a value or one."""
    started = time.process_time()
    problem = _problem(text, references, value)
    assert problem is None or 0 < len(problem) < 2_000
    took_s = time.process_time() - started
    assert took_s < MOST_S, f"{len(text)} characters took {took_s} s"


def _problem(text: str, references: list[str], value: bytes) -> str | None:
    try:
        reader = Reader(parse_schema(text, references))
    except SchemaRejected as error:
        return str(error)
    assert len(fingerprint(reader.schema)) == 8
    try:
        reader.read(value, 0)
    except READ_ERRORS as error:
        return reader.problem(error)
    return None


# --- schemas that are nearly right ------------------------------------------------------------


def _type(drawn: Drawn, depth: int) -> Any:
    choice = drawn.byte() % 16 if depth < _DEEPEST else drawn.byte() % 4
    match choice:
        case 0 | 1:
            return drawn.one_of(_PRIMITIVES)
        case 2:
            return drawn.one_of(_NAMES)
        case 3:
            kind = {"type": drawn.one_of(_PRIMITIVES), "logicalType": drawn.one_of(_LOGICAL)}
            return kind | {"precision": drawn.byte() * 9, "scale": drawn.byte() - 1}
        case 4:
            fixed = {"type": "fixed", "name": drawn.one_of(_NAMES), "size": drawn.one_of(_SIZES)}
            return fixed | {"logicalType": drawn.one_of(_LOGICAL), "precision": drawn.byte()}
        case 5:
            symbols = [f"S{number}" for number in range(drawn.byte() % 5)]
            return {"type": "enum", "name": drawn.one_of(_NAMES), "symbols": symbols}
        case 6 | 7:
            return {"type": "array", "items": _type(drawn, depth + 1)}
        case 8 | 9:
            return {"type": "map", "values": _type(drawn, depth + 1)}
        case 10 | 11:
            return [_type(drawn, depth + 1) for _ in range(drawn.byte() % 4)]
        case 12:
            return {"type": _type(drawn, depth + 1)}
        case _:
            return _record(drawn, depth)


def _record(drawn: Drawn, depth: int) -> Any:
    fields = []
    for number in range(drawn.byte() % 6):
        fields.append({"name": f"f{number}", "type": _type(drawn, depth + 1)})
    made = {"type": "record", "name": drawn.one_of(_NAMES), "fields": fields}
    return made | {"namespace": "a"} if drawn.byte() % 4 == 0 else made


def schemas(data: bytes) -> None:
    """A schema that is built as the bytes say, and the bytes after it as a value of it."""
    drawn = Drawn(data)
    references = [json.dumps(_type(drawn, 0)) for _ in range(drawn.byte() % 3)]
    read_by(json.dumps(_type(drawn, 0)), references, drawn.rest())


# --- any text ---------------------------------------------------------------------------------


def schema_texts(data: bytes) -> None:
    """Up to the first byte 0 a schema's text, after it a value."""
    text, _, value = data.partition(b"\0")
    read_by(text.decode("utf-8", "replace"), [], value)


WORDS = [
    *(f'"{word}"' for word in (*_PRIMITIVES, *_LOGICAL, "record", "enum", "fixed", "array")),
    *(f'"{word}":' for word in ("type", "name", "namespace", "fields", "items", "values")),
    *(f'"{word}":' for word in ("symbols", "size", "logicalType", "precision", "scale")),
    '{"type":"map","values":"int"}',
    '["null","R"]',
]

SEEDS = {
    "schemas": [
        b"\0\x0d\x01\x0a\x02\x00\x00\x02\x00\x00\x01" + b"\x02" * 9,
        b"\0\x06\x00\x00\x80\x80\x80\x80\x80\x20\x00",
        b"\x01\x04\x00\x03\x09\x00\x0d\x02\x02\x05\x03\x06\x00",
    ],
    "schema-texts": [
        b'{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}\0\x02\x02\0',
        b'{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}\0' + bytes(16),
        b'["null",{"type":"array","items":{"type":"map","values":"bytes"}}]\0\x02\x02\x02a\0',
    ],
}
