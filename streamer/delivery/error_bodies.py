"""What may be told of the endpoint's error body?

The code, names of fields and names of rules. Its free texts (`message`, `description`, `data`) may
quote what was sent, so they are not read.
"""

import re
from collections.abc import Sequence

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


_ERROR_BYTES_READ = 1_048_576
"""The documented errors take some hundred bytes for each item of a call."""
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
    details = _details(body)
    return ErrorBody(
        code=plain_code(_member(_member(details, "applicationError"), "code")),
        violations=_told(_violations(details)),
    )


def violated_fields(body: bytes) -> list[tuple[str, str]]:
    """Every field that the error body complains of: its path, and what may be told of it."""
    return [
        (path, _violation(violation))
        for violation in _violations(_details(body))
        if isinstance(path := _member(violation, "field"), str) and _PATH.fullmatch(path)
    ]


def _details(body: bytes) -> object:
    if len(body) > _ERROR_BYTES_READ:
        return None
    try:
        return _member(read_json(body), "details")
    except UNREADABLE:
        return None


def _violations(details: object) -> list[object]:
    violations = _member(_member(details, "validationError"), "fieldViolations")
    return violations if isinstance(violations, list) else []


def _told(violations: list[object]) -> tuple[str, ...]:
    told = [_violation(violation) for violation in violations[:_VIOLATIONS_TOLD]]
    return _with_the_rest(told, len(violations))


def first_told(words: Sequence[str]) -> tuple[str, ...]:
    """Of what is told of violated fields so much as a person reads, and how many there are more."""
    return _with_the_rest(words[:_VIOLATIONS_TOLD], len(words))


def _with_the_rest(told: Sequence[str], of: int) -> tuple[str, ...]:
    return (*told, f"and {of - len(told)} more") if of > len(told) else tuple(told)


def _violation(violation: object) -> str:
    path = _member(violation, "field")
    field = path if isinstance(path, str) and _PATH.fullmatch(path) else "a field"
    rules = [plain_code(_member(violation, name)) for name in ("violatedRule", "ruleName")]
    named = ", ".join(dict.fromkeys(rule for rule in rules if rule))
    return f"{field}: {named}" if named else field
