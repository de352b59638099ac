"""What does a request ask for, and which of its fields break the documented limits?

Bodies are taken apart into raw JSON by field, so that a payload stays the bytes that came: its
large integers and its decimals are never rounded.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw, Struct

from streamer.sandbox.answers import ApiError, Violation, invalid_argument, invalid_fields

TRIGGER_KEY_MAX = 100  # report endpoint, "Fields": triggerKey 1 to 100 characters
IDEMPOTENCY_KEY_MAX = 80  # "Fields": idempotency.key 1 to 80 characters
DEFAULT_TTL_MS = 7 * 24 * 3600 * 1000  # "Fields": ttlInMilliseconds is a week by default
TTL_MAX_MS = 2**63 - 1  # it is a 64-bit integer written as a string

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DECIMAL = re.compile(r"[0-9]{1,19}")

_object = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)

Fields = Mapping[str, Raw]


class ReportCall(Struct, frozen=True):
    """One event to report. Its payload is not judged yet: a known key comes first."""

    trigger: str
    payload: bytes | None
    """The JSON text as it came; None where it is missing or null."""
    entity: str | None
    """In lower case."""
    key: str | None
    ttl_ms: int


class CancelCall(Struct, frozen=True):
    trigger: str
    entity: str
    """In lower case."""


class TokenCall(Struct, frozen=True):
    """A request for a token; a field that is missing is empty."""

    grant_type: str
    app: str
    secret: str
    instance: str


class FieldReader:
    """Reads fields and collects what is wrong with them, so that all faults come at once."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def blame(self, field: str, description: str, rule: str, threshold: int | None = None) -> None:
        self.violations.append(Violation(field, description, rule, threshold=threshold))

    def text(self, raw: Raw, field: str, longest: int) -> str:
        """The field's text of 1 to `longest` characters; empty after a violation."""
        try:
            text = _text.decode(raw)
        except msgspec.DecodeError:
            self.blame(field, "must be a string", "FORMAT")
            return ""
        if not text:
            self.blame(field, "must not be empty", "MIN_LENGTH", 1)
        elif len(text) > longest:
            self.blame(field, f"must have at most {longest} characters", "MAX_LENGTH", longest)
        return text

    def required_text(self, fields: Fields, name: str, field: str, longest: int) -> str:
        raw = fields.get(name)
        if raw is None:
            self.blame(field, "is required", "REQUIRED_FIELD")
            return ""
        return self.text(raw, field, longest)

    def guid(self, raw: Raw, field: str) -> str:
        try:
            text = _text.decode(raw)
        except msgspec.DecodeError:
            text = ""
        if _GUID.fullmatch(text) is None:
            self.blame(field, "must be a GUID", "FORMAT")
        return text.lower()

    def idempotency(self, raw: Raw, field: str) -> tuple[str | None, int]:
        try:
            fields = _object.decode(raw)
        except msgspec.DecodeError:
            self.blame(field, "must be an object with a key", "FORMAT")
            return None, DEFAULT_TTL_MS
        key = self.required_text(fields, "key", f"{field}.key", IDEMPOTENCY_KEY_MAX)
        ttl = fields.get("ttlInMilliseconds")
        return key, DEFAULT_TTL_MS if ttl is None else self.ttl(ttl, f"{field}.ttlInMilliseconds")

    def ttl(self, raw: Raw, field: str) -> int:
        try:
            text = _text.decode(raw)
        except msgspec.DecodeError:
            text = ""
        if _DECIMAL.fullmatch(text) is None or not 1 <= (ttl_ms := int(text)) <= TTL_MAX_MS:
            self.blame(field, "must be a decimal number of at least 1 in a string", "FORMAT")
            return DEFAULT_TTL_MS
        return ttl_ms


def parse_report(body: bytes) -> ReportCall | ApiError:
    """A Report Event body, or the 400 that it deserves for anything but its payload."""
    fields = read_fields(body)
    if isinstance(fields, ApiError):
        return fields
    reader = FieldReader()
    trigger = reader.required_text(fields, "triggerKey", "triggerKey", TRIGGER_KEY_MAX)
    call = read_event(reader, fields, trigger)
    return invalid_fields(tuple(reader.violations)) if reader.violations else call


def read_event(reader: FieldReader, fields: Fields, trigger: str) -> ReportCall:
    """An event of a single or a bulk call; what is wrong with it is the reader's to tell."""
    key: str | None = None
    ttl_ms = DEFAULT_TTL_MS
    entity: str | None = None
    if (raw := fields.get("idempotency")) is not None:
        key, ttl_ms = reader.idempotency(raw, "idempotency")
    if (raw := fields.get("externalEntityId")) is not None:
        entity = reader.guid(raw, "externalEntityId")
    raw_payload = fields.get("payload")
    payload = None if raw_payload is None else bytes(raw_payload)
    return ReportCall(trigger, None if payload == b"null" else payload, entity, key, ttl_ms)


def parse_cancel(body: bytes) -> CancelCall | ApiError:
    """A Cancel Event body, or the 400 that it deserves."""
    fields = read_fields(body)
    if isinstance(fields, ApiError):
        return fields
    reader = FieldReader()
    trigger = reader.required_text(fields, "triggerKey", "triggerKey", TRIGGER_KEY_MAX)
    entity = ""
    if (raw := fields.get("externalEntityId")) is None:
        reader.blame("externalEntityId", "is required", "REQUIRED_FIELD")
    else:
        entity = reader.guid(raw, "externalEntityId")
    if reader.violations:
        return invalid_fields(tuple(reader.violations))
    return CancelCall(trigger, entity)


def read_fields(body: bytes) -> Fields | ApiError:
    """The body's fields as raw JSON, or the 400 that a body deserves that is no JSON object."""
    try:
        # The whole at once, so that no field needs to be asked later whether its bytes are text.
        return _object.decode(body.decode())
    except msgspec.ValidationError:
        return invalid_argument("the body is JSON but not an object: send {...}")
    # Nesting beyond the decoder's depth is a RecursionError, bytes that are no UTF-8 a plain one.
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return invalid_argument("the body is not JSON: send an object as application/json")


def parse_token(body: bytes, content_type: str) -> TokenCall | None:
    """A token request as JSON or form-encoded; None where it is neither."""
    if content_type == "application/x-www-form-urlencoded":
        fields: Mapping[str, object] = {
            name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()
        }
    else:
        try:
            fields = msgspec.json.decode(body, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None

    def field(name: str) -> str:
        value = fields.get(name)
        return value if isinstance(value, str) else ""

    return TokenCall(
        field("grant_type"), field("client_id"), field("client_secret"), field("instance_id")
    )
