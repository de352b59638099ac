"""What does one answer of a schema registry say?

Every shape of an answer ends in one of three: the schema, "there is none", or "this says nothing
about it". A 404 means "there is none" only with the registry's own error code: a wrong path or a
proxy answers 404 too, and must not turn a whole topic into dead letters.

Source: Confluent's Schema Registry API, "Schemas" and "Subjects", version 8.
"""

import json
from typing import Any, NamedTuple

from msgspec import Struct

from streamer.decoding.fetched import RegistryUnavailable, SchemaUnknown
from streamer.model import Reason, Refusal

# Subject, version and schema not found.
_NOT_FOUND_CODES = frozenset({40401, 40402, 40403})

SETTING = "schemas.registry"


class Reference(NamedTuple):
    """Where the registry keeps a schema that another one refers to."""

    subject: str
    version: int


class SchemaAnswer(Struct, frozen=True):
    """An Avro schema as the registry keeps it."""

    text: str
    references: tuple[Reference, ...]


def read_answer(
    asked_for: str, status: int, body: bytes
) -> SchemaAnswer | SchemaUnknown | RegistryUnavailable:
    """What the answer to a request for `asked_for` (such as `schema id 17`) says."""
    if status == 200:
        return _schema(asked_for, body)
    if status == 401:
        do = f"set {SETTING}.basic or {SETTING}.bearer to what it accepts"
        return _unavailable(status, f"does not let us in (401); {do}", denied=True)
    if status == 403:
        do = "give its user the right to read schemas"
        return _unavailable(status, f"denies us {asked_for} (403); {do}", denied=True)
    if status == 404 and _error_code(body) in _NOT_FOUND_CODES:
        return _unknown(f"the registry has no {asked_for}; its producer uses another registry, or")
    if status == 404:
        do = f"look at the path of {SETTING}.url"
        return _unavailable(status, f"answers 404 without an error code of its own; {do}")
    if 300 <= status < 400:
        do = f"set {SETTING}.url to the final address (credentials are sent to no other)"
        return _unavailable(status, f"redirects us ({status}); {do}")
    return _unavailable(status, f"answers {status} to the request for {asked_for}")


def _schema(asked_for: str, body: bytes) -> SchemaAnswer | SchemaUnknown | RegistryUnavailable:
    answer = _json(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        do = f"look at {SETTING}.url: is it a schema registry"
        return _unavailable(200, f"answers {asked_for} with no schema in JSON; {do}")
    kind = answer.get("schemaType") or "AVRO"
    if kind != "AVRO":
        shown = kind if kind in ("PROTOBUF", "JSON") else "unknown"
        return _unknown(f"{asked_for} is of the type {shown}, and only Avro is read;")
    references = answer.get("references") or []
    if not isinstance(references, list):
        return _unavailable(200, f"answers {asked_for} with references that are no list")
    read = []
    for each in references:
        match each:
            case {"subject": str(subject), "version": int(version)}:
                read.append(Reference(subject, version))
            case _:
                return _unavailable(200, f"answers {asked_for} with a reference to no version")
    return SchemaAnswer(answer["schema"], tuple(read))


def _error_code(body: bytes) -> Any:
    answer = _json(body)
    return answer.get("error_code") if isinstance(answer, dict) else None


def _json(body: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _unknown(found: str) -> SchemaUnknown:
    detail = f"{found} the topic does not belong into this configuration"
    return SchemaUnknown(Refusal(Reason.UNKNOWN_SCHEMA, detail))


def _unavailable(status: int, detail: str, *, denied: bool = False) -> RegistryUnavailable:
    return RegistryUnavailable(f"the schema registry {detail}", status, denied)
