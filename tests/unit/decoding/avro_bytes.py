"""What do the decoding tests write messages with? An independent implementation: fastavro."""

import io
import json
from typing import Any

from fastavro import parse_schema as fast_schema
from fastavro import schemaless_writer

from streamer.decoding.reader import READ_ERRORS, Reader
from streamer.decoding.schema_text import parse_schema
from streamer.model import Generation, Headers, Message, Offset, Partition


def written(schema: Any, value: Any) -> bytes:
    """The value in Avro's binary encoding, written by fastavro."""
    buffer = io.BytesIO()
    schemaless_writer(buffer, fast_schema(schema), value)
    return buffer.getvalue()


def reader_of(schema: Any) -> Reader:
    return Reader(parse_schema(json.dumps(schema)))


def read(schema: Any, data: bytes) -> Any:
    """The value, or the sentence that says why there is none."""
    reader = reader_of(schema)
    try:
        return reader.read(data, 0)
    except READ_ERRORS as error:
        return reader.problem(error)


def record(*fields: Any, name: str = "com.acme.R") -> dict[str, Any]:
    """A record with the fields given as (name, type)."""
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": field, "type": type_} for field, type_ in fields],
    }


def message(
    value: bytes | None,
    key: bytes | None = None,
    headers: Headers = (),
    *,
    topic: str = "billing.invoices",
    headers_readable: bool = True,
) -> Message:
    return Message(
        partition=Partition(topic, 0),
        generation=Generation(1),
        offset=Offset(7),
        timestamp_ms=1_763_980_000_000,
        key=key,
        value=value,
        headers=headers,
        headers_readable=headers_readable,
    )
