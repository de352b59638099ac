"""How does a demo event become bytes? Avro's single-object encoding, by the schemas of avro/."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import fastavro
import fastavro.schema

MARKER = b"\xc3\x01"  # Avro 1.12, "Single-object encoding"

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """One version of an event type."""

    name: str
    """The full name, such as `com.acme.billing.InvoiceOverdue`."""
    parsed: Schema
    shape: Schema
    """The same with every named type written out wherever it is used."""
    header: bytes
    """What its messages begin with."""

    def encode(self, fields: Mapping[str, Any]) -> bytes:
        buffer = io.BytesIO(self.header)
        buffer.seek(len(self.header))
        fastavro.schemaless_writer(buffer, self.parsed, fields)
        return buffer.getvalue()


def schema_directory() -> Path:
    """avro/ of a checkout, or the copy of it that is installed with the package."""
    checkout = Path(__file__).parents[2] / "avro"
    return checkout if checkout.is_dir() else Path(__file__).with_name("avro")


def load(directory: Path) -> dict[str, list[WriterSchema]]:
    """All record types of the directory by full name, a type's versions in order of file names."""
    texts = [json.loads(path.read_text("utf-8")) for path in sorted(directory.rglob("*.avsc"))]
    by_name = {_full_name(text): text for text in texts}
    schemas: dict[str, list[WriterSchema]] = {}
    for text in texts:
        whole = _inlined(text, text.get("namespace", ""), by_name, set())
        fingerprint = fastavro.schema.fingerprint(
            fastavro.schema.to_parsing_canonical_form(whole), "CRC-64-AVRO"
        )
        schema = WriterSchema(
            _full_name(text),
            cast("Schema", fastavro.parse_schema(whole)),
            cast("Schema", fastavro.schema.expand_schema(whole)),
            MARKER + bytes.fromhex(fingerprint),
        )
        schemas.setdefault(schema.name, []).append(schema)
    return schemas


def _full_name(schema: Schema) -> str:
    return f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else schema["name"]


def _inlined(node: Any, namespace: str, by_name: Mapping[str, Schema], seen: set[str]) -> Any:
    """The schema with types of other files written out where they come first."""
    match node:
        case str():
            name = node if "." in node else f"{namespace}.{node}"
            if name in seen or name not in by_name:
                return node
            return _inlined(by_name[name], namespace, by_name, seen)
        case list():
            return [_inlined(branch, namespace, by_name, seen) for branch in node]
        case {"name": str(name), "type": "record", "fields": list(fields)}:
            inner = node.get("namespace", namespace)
            seen.add(f"{inner}.{name}")
            written_out = [
                {**field, "type": _inlined(field["type"], inner, by_name, seen)} for field in fields
            ]
            return {**node, "fields": written_out}
        case {"type": "array", "items": items}:
            return {**node, "items": _inlined(items, namespace, by_name, seen)}
        case {"type": "map", "values": values}:
            return {**node, "values": _inlined(values, namespace, by_name, seen)}
        case {"type": "enum" | "fixed", "name": str(name)}:
            seen.add(f"{node.get('namespace', namespace)}.{name}")
            return node
        case _:
            return node
