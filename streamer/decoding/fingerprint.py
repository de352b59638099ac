"""Which fingerprint does single-object encoding name a schema by?

Source: Apache Avro 1.12 specification, "Parsing Canonical Form for Schemas" and "Schema
Fingerprints" (CRC-64-AVRO, in single-object encoding with its bytes in little-endian order).
"""

import json

from streamer.decoding.schema import (
    Array,
    Enum,
    Fixed,
    Map,
    Named,
    Primitive,
    RecordType,
    Schema,
    Type,
    Union,
)

_EMPTY = 0xC15D213AA4D7A795  # the specification's polynomial, and the fingerprint of no bytes


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_EMPTY & -(value & 1))
        table.append(value)
    return tuple(table)


_TABLE = _table()


def fingerprint(schema: Schema) -> bytes:
    """The eight bytes that follow C3 01 in a message of this writer schema."""
    value = _EMPTY
    for byte in canonical_form(schema).encode("utf-8", "surrogatepass"):
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(8, "little")


def canonical_form(schema: Schema) -> str:
    """The schema in Parsing Canonical Form, each referenced type written where it comes first."""
    return _canonical(schema.root, schema, set())


def _canonical(declared: Type, schema: Schema, written: set[str]) -> str:
    match declared:
        case Primitive():
            return _text(declared.kind)
        case Array():
            return f'{{"type":"array","items":{_canonical(declared.items, schema, written)}}}'
        case Map():
            return f'{{"type":"map","values":{_canonical(declared.values, schema, written)}}}'
        case Union():
            branches = (_canonical(branch, schema, written) for branch in declared.branches)
            return f"[{','.join(branches)}]"
        case Named():
            if declared.name in written:
                return _text(declared.name)
            return _canonical(schema.named[declared.name], schema, written)
        case Fixed() | Enum() | RecordType():
            written.add(declared.name)
            return _canonical_named(declared, schema, written)


def _canonical_named(declared: Fixed | Enum | RecordType, schema: Schema, written: set[str]) -> str:
    name = _text(declared.name)
    match declared:
        case Fixed():
            return f'{{"name":{name},"type":"fixed","size":{declared.size}}}'
        case Enum():
            symbols = ",".join(_text(symbol) for symbol in declared.symbols)
            return f'{{"name":{name},"type":"enum","symbols":[{symbols}]}}'
        case RecordType():
            fields = ",".join(
                f'{{"name":{_text(field.name)},"type":{_canonical(field.type, schema, written)}}}'
                for field in declared.fields
            )
            return f'{{"name":{name},"type":"record","fields":[{fields}]}}'


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
