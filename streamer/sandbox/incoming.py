"""Which call is a request, who makes it, and is it read at all?"""

from collections.abc import Callable
from email.utils import formatdate
from typing import assert_never

from msgspec import Struct

from streamer.sandbox.answers import (
    JSON,
    ApiError,
    body_too_long,
    invalid_argument,
    quota_used_up,
)
from streamer.sandbox.bulk_calls import BulkCall, parse_bulk_cancel, parse_bulk_report
from streamer.sandbox.calls import (
    CancelCall,
    ReportCall,
    TokenCall,
    parse_cancel,
    parse_report,
    parse_token,
)
from streamer.sandbox.faults import Call, CallKind
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.http_parser import Request
from streamer.sandbox.platform import Platform
from streamer.sandbox.quota import RetryAfter
from streamer.sandbox.tokens import Caller

CALLS = {
    "/automations/v1/events/report": CallKind.REPORT,
    "/automations/v1/events/bulk-report": CallKind.BULK_REPORT,
    "/automations/v1/events/cancel": CallKind.CANCEL,
    "/automations/v1/events/bulk-cancel": CallKind.BULK_CANCEL,
    "/oauth2/token": CallKind.TOKEN,
}

_PARSE = {
    CallKind.REPORT: parse_report,
    CallKind.BULK_REPORT: parse_bulk_report,
    CallKind.CANCEL: parse_cancel,
    CallKind.BULK_CANCEL: parse_bulk_cancel,
}

EventCall = ReportCall | CancelCall | BulkCall


class Incoming(Struct, frozen=True):
    """A call as it was read, not judged yet."""

    connection: Connection
    kind: CallKind
    caller: Caller | ApiError | None
    """None for a token call."""
    asked: EventCall | TokenCall | ApiError | None
    """None for a token call that cannot be read."""
    body: bytes
    """Empty for a token call: a secret stands in it."""
    started: int
    request_id: str

    @property
    def call(self) -> Call:
        """What faults may choose by."""
        asked, caller = self.asked, self.caller
        if isinstance(asked, TokenCall):
            return Call(self.kind, None, asked.instance)
        trigger = asked.trigger if isinstance(asked, EventCall) else None
        entity = asked.entity if isinstance(asked, ReportCall | CancelCall) else None
        instance = caller.instance if isinstance(caller, Caller) else None
        return Call(self.kind, trigger, instance, entity)


class Reading:
    """Reads requests as calls, and counts them on the quota as they arrive."""

    def __init__(self, platform: Platform, clock_ms: Callable[[], int]) -> None:
        self._platform = platform
        self._clock_ms = clock_ms

    def read(
        self,
        kind: CallKind,
        request: Request,
        connection: Connection,
        started: int,
        request_id: str,
    ) -> Incoming:
        if kind is CallKind.TOKEN:
            token_call = parse_token(request.body, request.content_type)
            return Incoming(connection, kind, None, token_call, b"", started, request_id)
        now_ms = self._clock_ms()
        caller = self._platform.tokens.caller(request.headers.get("authorization"), now_ms)
        asked: EventCall | ApiError | None = None
        if isinstance(caller, Caller):
            asked = self._why_stopped(caller, request, now_ms)
        if asked is None:
            asked = _parse(kind, request)
        return Incoming(connection, kind, caller, asked, request.body, started, request_id)

    def _why_stopped(self, caller: Caller, request: Request, now_ms: int) -> ApiError | None:
        """Why the call is not even read: there are too many of them, or it is too long."""
        rules = self._platform.rules
        wait_ms = self._platform.usages.call(rules.quota, caller.app, caller.instance, now_ms)
        if wait_ms is not None:
            header = _retry_after(rules.quota.retry_after, now_ms, wait_ms)
            return quota_used_up(rules.quota.calls_a_minute or 0, header)
        if rules.body_max is not None and len(request.body) > rules.body_max:
            return body_too_long(rules.body_max)
        return None


def _parse(kind: CallKind, request: Request) -> EventCall | ApiError:
    if request.content_type != JSON:
        return invalid_argument("send JSON with Content-Type: application/json")
    return _PARSE[kind](request.body)


def _retry_after(form: RetryAfter, now_ms: int, wait_ms: int) -> str | None:
    """The header's value: whole seconds, rounded up, since an earlier call would be in vain."""
    match form:
        case RetryAfter.SECONDS:
            return str(-(-wait_ms // 1000))
        case RetryAfter.DATE:
            return formatdate(-(-(now_ms + wait_ms) // 1000), usegmt=True)
        case RetryAfter.NONE:
            return None
        case _:
            assert_never(form)
