"""What may be told of the endpoint's error body?

The code, names of fields and names of rules. Its free texts (`message`, `description`, `data`) may
quote what was sent, so they are not read.
"""

import re

import msgspec
from msgspec import Struct

read_json = msgspec.json.Decoder().decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoder raises for bytes that are no JSON, no UTF-8, or nested without end."""


class ErrorBody(Struct, frozen=True):
    """What may be told of an error body."""

    code: str | None = None
    violations: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        code = f" {self.code}" if self.code else ""
        return f"{code} ({'; '.join(self.violations)})" if self.violations else code


_ERROR_BYTES_READ = 65_536  # the documented errors take some hundred bytes
_VIOLATIONS_TOLD = 5
_TOKEN = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_PATH = re.compile(r"[A-Za-z0-9_.\-\[\]$/]{1,200}")
"""A field's path. Nothing with spaces or quotes: that would be text, which may quote a value."""


def plain_code(value: object) -> str | None:
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def read_error_body(body: bytes) -> ErrorBody:
    """Tolerant: whatever is not as documented is left out."""
    if len(body) > _ERROR_BYTES_READ:
        return ErrorBody()
    try:
        decoded = read_json(body)
    except UNREADABLE:
        return ErrorBody()
    details = _member(decoded, "details")
    violations = _member(_member(details, "validationError"), "fieldViolations")
    return ErrorBody(
        code=plain_code(_member(_member(details, "applicationError"), "code")),
        violations=_told(violations if isinstance(violations, list) else []),
    )


def _told(violations: list[object]) -> tuple[str, ...]:
    told = [_violation(violation) for violation in violations[:_VIOLATIONS_TOLD]]
    if len(violations) > _VIOLATIONS_TOLD:
        told.append(f"and {len(violations) - _VIOLATIONS_TOLD} more")
    return tuple(told)


def _violation(violation: object) -> str:
    path = _member(violation, "field")
    field = path if isinstance(path, str) and _PATH.fullmatch(path) else "a field"
    rules = [plain_code(_member(violation, name)) for name in ("violatedRule", "ruleName")]
    named = ", ".join(dict.fromkeys(rule for rule in rules if rule))
    return f"{field}: {named}" if named else field
