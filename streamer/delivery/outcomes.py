"""What does an answer of the endpoint mean for the report or cancel that was sent?

This is the one place that decides it. `verdict` is the table of the guarantees page, row by row;
`judge` reads one call's exchange by it, `judge_item` one item of a bulk answer (which
`bulk_answers` reads).
"""

from enum import Enum, auto
from typing import assert_never

import msgspec
from msgspec import Struct

from streamer.delivery.error_bodies import (
    UNREADABLE,
    ErrorBody,
    plain_code,
    read_error_body,
    read_json,
)
from streamer.model import Action, Answer, Exchange, NoAnswer, NoAnswerKind, Reason, Refusal

PERMISSION = "Set Up Automations"
"""The permission that an app needs for these calls (the endpoint's reference page)."""


class Accepted(Struct, frozen=True):
    """Done. An endpoint that knew the idempotency key already answers the same."""

    activations: int = 0
    """How many automations it set off; 0 where the answer does not say."""
    request_id: str | None = None
    nothing_to_cancel: bool = False
    """A cancel was answered 404: there was nothing to cancel."""


class Refused(Struct, frozen=True):
    """It is the message's own fault: it will be refused again."""

    refusal: Refusal


class Throttled(Struct, frozen=True):
    """Too many calls of this lane."""

    retry_after_s: float | None = None


class Unauthorized(Struct, frozen=True):
    """The token is not accepted (any more)."""

    detail: str
    request_id: str | None = None


class Denied(Struct, frozen=True):
    """This app may not do this with this trigger."""

    detail: str
    code: str | None = None
    request_id: str | None = None


class Unavailable(Struct, frozen=True):
    """Nobody's fault, or the endpoint's: try it again."""

    detail: str
    status: int | None = None
    maybe_accepted: bool = True
    """False where it certainly was not: it never left, or never reached what does the work."""
    retry_after_s: float | None = None
    finding: str | None = None
    """What a person must look at, where trying again will not help."""
    request_id: str | None = None


Outcome = Accepted | Refused | Throttled | Unauthorized | Denied | Unavailable


# --- the table --------------------------------------------------------------------------------


class Verdict(Enum):
    ACCEPTED = auto()
    """If the answer is a JSON object; otherwise unavailable."""
    NOTHING_TO_CANCEL = auto()
    REFUSED = auto()
    THROTTLED = auto()
    UNAUTHORIZED = auto()
    DENIED = auto()
    UNAVAILABLE = auto()
    NOT_REACHED = auto()
    """Unavailable, and it certainly was not accepted."""
    REDIRECTED = auto()
    """Never followed, since the token would go to wherever it points."""
    PROXY = auto()
    """The proxy wants a login: never about the message."""


def verdict(action: Action, status: int, code: str | None) -> Verdict:
    """The outcome of an HTTP status; `code` is the error body's application code."""
    match status:
        case 401:
            return Verdict.UNAUTHORIZED
        case 403:
            return Verdict.DENIED
        case 404 if action is Action.CANCEL:
            return Verdict.NOTHING_TO_CANCEL
        case 407:
            return Verdict.PROXY
        case 408:
            return Verdict.UNAVAILABLE
        case 409 if code == "ABORTED":
            return Verdict.UNAVAILABLE
        case 425:
            return Verdict.NOT_REACHED
        case 429:
            return Verdict.THROTTLED
        case _ if 200 <= status < 300:
            return Verdict.ACCEPTED
        case _ if 300 <= status < 400:
            return Verdict.REDIRECTED
        case _ if 400 <= status < 500:
            return Verdict.REFUSED
        case _:
            return Verdict.UNAVAILABLE


_STATUS_OF_CODE = {
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "UNAUTHENTICATED": 401,
    "UNAVAILABLE": 503,
    "UNKNOWN": 500,
}
"""The HTTP status that a bulk item's error code names. Any other code is a refusal: 400."""


# --- reading ----------------------------------------------------------------------------------


def judge(action: Action, exchange: Exchange) -> Outcome:
    """The outcome of a call of one report or cancel."""
    if isinstance(exchange, NoAnswer):
        return _unanswered(exchange)
    status = exchange.status
    if 200 <= status < 300:
        return _accepted(exchange)
    error = read_error_body(exchange.body)
    return _outcome(action, status, error, exchange.retry_after_s, exchange.request_id)


def judge_item(action: Action, code: str | int | None, request_id: str | None = None) -> Outcome:
    """The outcome of a bulk answer's item that is no success.

    `code` is its error's code, by name or as an HTTP status in a number or in digits; None: it
    says neither success nor error. `request_id` is the call's.
    """
    if code is None:
        detail = "the endpoint's answer says neither success nor error of this item"
        return Unavailable(detail, request_id=request_id)
    name = str(code)
    if name.isascii() and name.isdigit() and len(name) == 3:
        status = int(name)
        if status < 400:  # a success or a redirect in an error's place says nothing
            detail = f"the endpoint's answer gives the code {status} as this item's error"
            return Unavailable(detail, request_id=request_id)
        return _outcome(action, status, ErrorBody(), None, request_id)
    status = _STATUS_OF_CODE.get(name, 400)
    return _outcome(action, status, ErrorBody(code=plain_code(name)), None, request_id)


def refusal_of(status: int, error: ErrorBody, request_id: str | None) -> Refusal:
    """The refusal of a report that the endpoint answered so."""
    detail = f"the endpoint answered {status}{error.suffix}; {_advice(status)}"
    return Refusal(Reason.REFUSED, detail, status, error.code, request_id)


def _outcome(
    action: Action,
    status: int,
    error: ErrorBody,
    retry_after_s: float | None,
    request_id: str | None,
) -> Outcome:
    said = f"the endpoint answered {status}{error.suffix}"
    decided = verdict(action, status, error.code)
    match decided:
        case Verdict.ACCEPTED:
            return Accepted(request_id=request_id)
        case Verdict.NOTHING_TO_CANCEL:
            return Accepted(request_id=request_id, nothing_to_cancel=True)
        case Verdict.REFUSED:
            return Refused(refusal_of(status, error, request_id))
        case Verdict.THROTTLED:
            return Throttled(retry_after_s)
        case Verdict.UNAUTHORIZED:
            return Unauthorized(said, request_id)
        case Verdict.DENIED:
            detail = (
                f'{said}: the app has no permission "{PERMISSION}", or the trigger is not its own'
            )
            return Denied(detail, error.code, request_id)
        case Verdict.UNAVAILABLE | Verdict.NOT_REACHED:
            maybe = decided is Verdict.UNAVAILABLE
            return Unavailable(said, status, maybe, retry_after_s, request_id=request_id)
        case Verdict.REDIRECTED:
            finding = (
                f"{said}, a redirect, which is never followed because the token would go with it;"
                " set `base_url` of the endpoint to the address that answers without one"
            )
            return Unavailable(said, status, False, retry_after_s, finding, request_id)
        case Verdict.PROXY:
            finding = (
                "the proxy wants a login; set user name and password in the `proxy` of the endpoint"
            )
            return Unavailable(finding, status, False, retry_after_s, finding, request_id)
        case _:
            assert_never(decided)


def _unanswered(exchange: NoAnswer) -> Unavailable:
    sent = exchange.kind is not NoAnswerKind.NOT_SENT
    return Unavailable(f"no answer ({exchange.kind}): {exchange.detail}", maybe_accepted=sent)


class _Success(Struct):
    activationIds: list[str] | None = None


_success = msgspec.json.Decoder(_Success).decode


def _accepted(answer: Answer) -> Accepted | Unavailable:
    try:
        ids = _success(answer.body).activationIds
    except UNREADABLE:
        return _oddly_accepted(answer)
    return Accepted(len(ids) if ids else 0, answer.request_id)


def _oddly_accepted(answer: Answer) -> Accepted | Unavailable:
    """It is not the documented answer: an object all the same, or nothing that can be trusted?"""
    try:
        if isinstance(read_json(answer.body), dict):
            return Accepted(request_id=answer.request_id)
    except UNREADABLE:
        pass
    detail = (
        f"the endpoint answered {answer.status} with {len(answer.body)} bytes that are no JSON"
        " object: something else than the endpoint may stand at its `base_url`"
    )
    return Unavailable(detail, answer.status, request_id=answer.request_id)


def _advice(status: int) -> str:
    match status:
        case 404:
            return "see that the trigger exists, and that `base_url` is the platform's"
        case 413:
            return "the payload is too large: let the route send less"
        case 428:
            return "change the route's payload or the trigger's schema so that they fit"
        case _:
            return "look at what the route makes of this event"
