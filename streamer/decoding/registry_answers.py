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

# Schemas that one builds on; the deepest chains in public registries have a few dozen.
MAX_REFERENCES = 500
# Characters of a subject. Quoted in an address it is up to twelve times as long, and the client
# takes none of more than 65,536.
MAX_SUBJECT = 1_000
_VERSION_MOST = (1 << 31) - 1
_LATEST = -1  # as a version, by the registry's API


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
        return _foreign(f"the registry has no {asked_for}; its producer uses another registry, or")
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
        return _foreign(f"{asked_for} is of the type {shown}, and only Avro is read;")
    references = answer.get("references") or []
    if not isinstance(references, list):
        return _refused(f"{asked_for} has references that are no list")
    if len(references) > MAX_REFERENCES:
        return _refused(f"{asked_for} builds on more than {MAX_REFERENCES} others")
    read = []
    for each in references:
        match each:
            case {"subject": str(subject), "version": int(version)} if _has_path(subject, version):
                read.append(Reference(subject, version))
            case _:
                return _refused(
                    f"{asked_for} has a reference that names no subject (of up to {MAX_SUBJECT}"
                    " characters) and version"
                )
    return SchemaAnswer(answer["schema"], tuple(read))


def _has_path(subject: str, version: int) -> bool:
    """Whether the registry can be asked for it."""
    try:
        subject.encode()
    except UnicodeEncodeError:
        return False  # half of a surrogate pair
    if not 0 < len(subject) <= MAX_SUBJECT or subject in (".", ".."):
        return False
    return version is not True and (version == _LATEST or 0 < version <= _VERSION_MOST)


def _error_code(body: bytes) -> Any:
    answer = _json(body)
    return answer.get("error_code") if isinstance(answer, dict) else None


def _json(body: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def too_long(asked_for: str, body: bytes, most: int) -> SchemaUnknown | RegistryUnavailable:
    """What an answer with 200 says that goes on after so many bytes. One that begins as the
    registry's do is its schema, and will not get shorter; anything else may be anybody's."""
    if body.lstrip().startswith(b"{"):
        return _refused(f"the registry's answer for {asked_for} is longer than {most} bytes")
    do = f"look at {SETTING}.url: is it a schema registry"
    return _unavailable(200, f"answers {asked_for} with more than {most} bytes; {do}")


def _foreign(found: str) -> SchemaUnknown:
    return _refused(f"{found} the topic does not belong into this configuration")


def _refused(detail: str) -> SchemaUnknown:
    return SchemaUnknown(Refusal(Reason.UNKNOWN_SCHEMA, detail))


def _unavailable(status: int, detail: str, *, denied: bool = False) -> RegistryUnavailable:
    return RegistryUnavailable(f"the schema registry {detail}", status, denied)
