"""Which statuses and bodies does the platform answer with?

The shapes are those of the report endpoint's error page: `details.applicationError` for a code,
`details.validationError.fieldViolations` for fields, empty details for errors of the system.
"""

from typing import Any

import msgspec
from msgspec import Struct

Details = dict[str, Any]

JSON = "application/json"


class Violation(Struct, frozen=True):
    """One field that breaks one rule. Never holds the field's value."""

    field: str
    """Path from the body's root, such as `payload.lines[2].qty`."""
    description: str
    rule: str
    """`MAX_LENGTH`, `MIN_LENGTH`, `FORMAT`, `REQUIRED_FIELD`, ..., or `OTHER` with a name."""
    name: str = ""
    """The rule's own name where `rule` is `OTHER`."""
    threshold: int | None = None

    def as_json(self) -> Details:
        data = {} if self.threshold is None else {"threshold": self.threshold}
        return {
            "field": self.field,
            "description": self.description,
            "violatedRule": self.rule,
            "ruleName": self.name,
            "data": data,
        }


class ApiError(Struct, frozen=True):
    """An answer that is no success."""

    status: int
    message: str
    code: str = ""
    """The application error's code; empty for errors of the system and for violations alone."""
    violations: tuple[Violation, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> bytes:
        details: Details = {}
        if self.violations:
            details["validationError"] = self._field_violations()
        if self.code:
            details["applicationError"] = self.application_error(self.code)
        return msgspec.json.encode({"message": self.message, "details": details})

    def application_error(self, code: str) -> Details:
        """`{code, description, data}`, as it stands in details and in a bulk call's item."""
        data = self._field_violations() if self.violations else {}
        return {"code": code, "description": self.message, "data": data}

    def _field_violations(self) -> Details:
        return {"fieldViolations": [violation.as_json() for violation in self.violations]}


class Reply(Struct, frozen=True):
    """What goes back to the caller, whatever faults do to it on the way."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


SUCCESS = Reply(200, b"{}")


def success(activation_ids: tuple[str, ...]) -> Reply:
    """The answer to a report or cancel of one event."""
    if not activation_ids:
        return SUCCESS
    # GUIDs need no escaping.
    return Reply(200, b'{"activationIds":["%b"]}' % '","'.join(activation_ids).encode())


def reply_to(error: ApiError) -> Reply:
    return Reply(error.status, error.body(), headers=error.headers)


def invalid_argument(message: str) -> ApiError:
    return ApiError(400, message, "INVALID_ARGUMENT")


def invalid_fields(violations: tuple[Violation, ...]) -> ApiError:
    """400 with the violations alone, as the platform answers for fields beyond their limits."""
    first = violations[0]
    return ApiError(400, f"INVALID_ARGUMENT: {first.field} {first.description}", "", violations)


def payload_missing() -> ApiError:
    return ApiError(400, "payload is required: an object, at least {}", "REQUIRED_PROPERTY")


def schema_violated(trigger: str, violations: tuple[Violation, ...]) -> ApiError:
    message = f"the payload does not fit the schema of trigger {trigger!r}"
    return ApiError(428, message, "SCHEMA_VALIDATION_FAILED", violations)


def unauthenticated(message: str) -> ApiError:
    return ApiError(401, message, "UNAUTHENTICATED")


def permission_denied(message: str) -> ApiError:
    return ApiError(403, message, "PERMISSION_DENIED")


def quota_used_up(calls_a_minute: int, retry_after: str | None) -> ApiError:
    message = f"more than {calls_a_minute} calls in a minute for this app instance"
    headers = () if retry_after is None else (("Retry-After", retry_after),)
    return ApiError(429, message, "RESOURCE_EXHAUSTED", headers=headers)


def own_mistake() -> ApiError:
    """What the sandbox could not judge: an error of the system itself."""
    return ApiError(500, "the sandbox made a mistake of its own with this call; its log names it")


def body_too_long(longest: int) -> ApiError:
    return ApiError(413, f"the body is longer than {longest} bytes")


# The codes that the endpoint's page names by status, the first where it names several; any other
# status has empty details.
CODE_OF_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    428: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
}


def on_demand(status: int, code: str | None) -> ApiError:
    """What a fault of this status looks like: with this code, the documented one where it is None,
    or empty details."""
    code = CODE_OF_STATUS.get(status, "") if code is None else code
    return ApiError(status, f"status {status} on demand", code)
