"""How does a request become a call, and a verdict an answer?

The edge reads requests, asks the platform and the faults, and does to the connection what a fault
wants done to it. It decides nothing itself.
"""

from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from streamer.sandbox.admin import PREFIX, Admin, AdminRequest, is_loopback
from streamer.sandbox.answers import JSON, ApiError, Reply, invalid_argument, on_demand, reply_to
from streamer.sandbox.calls import (
    CancelCall,
    ReportCall,
    TokenCall,
    parse_cancel,
    parse_report,
    parse_token,
)
from streamer.sandbox.faults import (
    UNHARMED,
    Call,
    CallKind,
    Cut,
    Drop,
    Fail,
    Faults,
    Hang,
    Verdict,
)
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.http_parser import Request
from streamer.sandbox.ledger import Entry
from streamer.sandbox.platform import Arrival, Platform
from streamer.sandbox.tokens import Caller, token_reply

CALLS = {
    "/automations/v1/events/report": CallKind.REPORT,
    "/automations/v1/events/cancel": CallKind.CANCEL,
    "/oauth2/token": CallKind.TOKEN,
}

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds."""


class Incoming(Struct, frozen=True):
    """A call as it was read, not judged yet."""

    connection: Connection
    kind: CallKind
    caller: Caller | ApiError | None
    """None for a token call."""
    asked: ReportCall | CancelCall | TokenCall | ApiError | None
    """None for a token call that cannot be read."""
    started: int
    request_id: str

    @property
    def call(self) -> Call:
        """What faults may choose by."""
        asked, caller = self.asked, self.caller
        if isinstance(asked, TokenCall):
            return Call(self.kind, None, asked.instance)
        trigger = asked.trigger if isinstance(asked, ReportCall | CancelCall) else None
        return Call(self.kind, trigger, caller.instance if isinstance(caller, Caller) else None)


class HttpEdge:
    def __init__(
        self,
        platform: Platform,
        faults: Faults,
        admin: Admin,
        *,
        clock_ms: Callable[[], int],
        later: Later,
        admin_anywhere: bool,
        id_prefix: str,
    ) -> None:
        self._platform = platform
        self._faults = faults
        self._admin = admin
        self._clock_ms = clock_ms
        self._later = later
        self._admin_anywhere = admin_anywhere
        self._id_prefix = id_prefix
        self._tick = 0

    def _next_tick(self) -> int:
        self._tick += 1
        return self._tick

    def serve(self, request: Request, connection: Connection) -> None:
        """Answers the request, at once or when its delay is over, or ends the connection."""
        started = self._next_tick()
        request_id = f"{self._id_prefix}.{started}"
        kind = CALLS.get(request.target)
        if kind is None:
            connection.reply(self._other(request, connection), request_id)
        elif request.method != "POST":
            connection.reply(_method_error(request), request_id)
        else:
            self._judge(self._read(kind, request, connection, started, request_id))

    # --- the platform's calls -------------------------------------------------------------

    def _read(
        self,
        kind: CallKind,
        request: Request,
        connection: Connection,
        started: int,
        request_id: str,
    ) -> Incoming:
        caller: Caller | ApiError | None = None
        asked: ReportCall | CancelCall | TokenCall | ApiError | None
        content_type = request.content_type
        if kind is not CallKind.TOKEN:
            authorization = request.headers.get("authorization")
            caller = self._platform.tokens.caller(authorization, self._clock_ms())
        if kind is CallKind.TOKEN:
            asked = parse_token(request.body, content_type)
        elif content_type != JSON:
            asked = invalid_argument("send JSON with Content-Type: application/json")
        elif kind is CallKind.REPORT:
            asked = parse_report(request.body)
        else:
            asked = parse_cancel(request.body)
        return Incoming(connection, kind, caller, asked, started, request_id)

    def _judge(self, incoming: Incoming) -> None:
        if self._faults.spare_all:
            verdict = UNHARMED
        else:
            verdict = self._faults.judge(incoming.call, self._clock_ms())
        if verdict.delay_before_s:
            self._later(verdict.delay_before_s, lambda: self._take_in(incoming, verdict))
        else:
            self._take_in(incoming, verdict)

    def _take_in(self, incoming: Incoming, verdict: Verdict) -> None:
        """Lets the platform have the call, unless a fault comes before."""
        reply: Reply | None = None
        entry: Entry | None = None
        if verdict.fault is None or verdict.after:
            reply, entry = self._decide(incoming)
        elif isinstance(incoming.caller, Caller) and isinstance(incoming.asked, ReportCall):
            self._platform.fail(incoming.caller, incoming.asked, self._clock_ms())
        if verdict.delay_after_s:
            self._later(
                verdict.delay_after_s, lambda: self._finish(incoming, verdict, reply, entry)
            )
        else:
            self._finish(incoming, verdict, reply, entry)

    def _decide(self, incoming: Incoming) -> tuple[Reply, Entry | None]:
        """What the platform makes of the call, and the ledger's entry where there is a new one."""
        caller, asked = incoming.caller, incoming.asked
        now_ms = self._clock_ms()
        if isinstance(caller, ApiError):
            return reply_to(caller), None
        if caller is None:
            tokens = self._platform.tokens
            made = tokens.make(asked if isinstance(asked, TokenCall) else None, now_ms)
            return token_reply(made, tokens.lifetime_s), None
        arrival = Arrival(now_ms, incoming.started, incoming.request_id)
        if isinstance(asked, ReportCall):
            result = self._platform.report(caller, asked, arrival)
        elif isinstance(asked, CancelCall):
            result = self._platform.cancel(caller, asked, arrival)
        else:
            assert isinstance(asked, ApiError)
            result = asked
        if isinstance(result, ApiError):
            return reply_to(result), None
        return result.reply, result.entry

    def _finish(
        self, incoming: Incoming, verdict: Verdict, reply: Reply | None, entry: Entry | None
    ) -> None:
        """Answers, or does to the connection what the fault wants."""
        connection, fault = incoming.connection, verdict.fault
        if not connection.is_open:
            self._count(incoming, "caller-left")
            return
        match fault:
            case None:
                assert reply is not None
                self._count(incoming, str(reply.status))
                if entry is not None:
                    entry.answered = self._next_tick()
                connection.reply(reply, incoming.request_id)
            case Fail():
                self._count(incoming, str(fault.status))
                connection.reply(_failure(fault), incoming.request_id)
            case Drop():
                self._count(incoming, "dropped")
                connection.reset()
            case Cut():
                assert reply is not None
                self._count(incoming, "cut")
                connection.reply_half(reply, incoming.request_id)
            case Hang():
                # The caller waits until it gives up, or until the sandbox stops.
                self._count(incoming, "hung")
            case _:
                assert_never(fault)

    def _count(self, incoming: Incoming, ending: str) -> None:
        self._platform.ledger.count_call(incoming.kind, ending)

    # --- other calls ----------------------------------------------------------------------

    def _other(self, request: Request, connection: Connection) -> Reply:
        path = request.path
        if path in CALLS:
            return reply_to(ApiError(404, f"{path} takes no query: leave it out", "NOT_FOUND"))
        if not (path == PREFIX or path.startswith(PREFIX + "/")):
            known = ", ".join(f"POST {call}" for call in CALLS)
            return reply_to(ApiError(404, f"no such call; there are {known}", "NOT_FOUND"))
        if not self._admin_anywhere and not is_loopback(connection.peer):
            message = (
                "the sandbox's own calls answer on this machine only; "
                "start it with --admin-anywhere to have them answer others"
            )
            return reply_to(ApiError(403, message, "PERMISSION_DENIED"))
        return self._admin.answer(
            AdminRequest(request.method, path, request.query, request.content_type, request.body)
        )


def _failure(fault: Fail) -> Reply:
    headers: list[tuple[str, str]] = []
    if fault.retry_after is not None:
        headers.append(("Retry-After", fault.retry_after))
    if 300 <= fault.status < 400:
        headers.append(("Location", f"{PREFIX}/moved"))
    return Reply(fault.status, on_demand(fault.status).body(), headers=tuple(headers))


def _method_error(request: Request) -> Reply:
    error = ApiError(405, f"{request.method} is not answered here: send a POST")
    return Reply(405, error.body(), headers=(("Allow", "POST"),))
