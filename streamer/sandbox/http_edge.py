"""How does a request become a call, and a verdict an answer?

The edge reads requests, asks the platform and the faults, and does to the connection what a fault
wants done to it. It decides nothing itself.
"""

import traceback
from collections.abc import Callable
from typing import assert_never

import structlog

from streamer.sandbox.admin import PREFIX, Admin
from streamer.sandbox.admin_requests import AdminRequest, Query
from streamer.sandbox.admission import Admission
from streamer.sandbox.answering import Answered, Answering
from streamer.sandbox.answers import ApiError, Reply, own_mistake, reply_to
from streamer.sandbox.fault_kinds import (
    Cut,
    Drop,
    ExpiresIn,
    Fail,
    Hang,
    Html,
    Text,
    WrongResults,
)
from streamer.sandbox.faults import UNHARMED, CallKind, Faults, Verdict
from streamer.sandbox.faulty_answers import MOVED, made_up
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.http_parser import Request
from streamer.sandbox.incoming import CALLS, Incoming, Reading
from streamer.sandbox.journal import Journal
from streamer.sandbox.page_files import PAGE_PATHS, read_page
from streamer.sandbox.platform import Platform

log = structlog.get_logger()

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds."""


class HttpEdge:
    def __init__(
        self,
        platform: Platform,
        answering: Answering,
        journal: Journal,
        faults: Faults,
        admin: Admin,
        *,
        clock_ms: Callable[[], int],
        later: Later,
        admission: Admission,
        id_prefix: str,
    ) -> None:
        self._platform = platform
        self._reading = Reading(platform, clock_ms)
        self._answering = answering
        self._journal = journal
        self._faults = faults
        self._admin = admin
        self._clock_ms = clock_ms
        self._later = later
        self._admission = admission
        self._page = read_page()
        self._id_prefix = id_prefix
        self._tick = 0

    def _next_tick(self) -> int:
        self._tick += 1
        return self._tick

    def new_request_id(self) -> str:
        """For what cannot be read as a request, too."""
        return self._request_id(self._next_tick())

    def _request_id(self, started: int) -> str:
        return f"{self._id_prefix}.{started}"

    def serve(self, request: Request, connection: Connection) -> None:
        """Answers the request, at once or when its delay is over, or ends the connection."""
        started = self._next_tick()
        request_id = self._request_id(started)
        kind = CALLS.get(request.target)
        if kind is None:
            connection.reply(self._other_or_mistake(request, connection, request_id), request_id)
        elif request.method != "POST":
            connection.reply(_method_error(request), request_id)
        else:
            self._begin(kind, request, connection, started, request_id)

    # --- the platform's calls -------------------------------------------------------------

    # Each step catches whatever goes wrong in it: it may run on a timer, with nobody above it, and
    # the caller is not to be left without an answer.

    def _begin(
        self,
        kind: CallKind,
        request: Request,
        connection: Connection,
        started: int,
        request_id: str,
    ) -> None:
        # What is noted of a call that cannot be read.
        body = b"" if kind is CallKind.TOKEN else request.body
        incoming = Incoming(connection, kind, None, None, body, started, request_id)
        try:
            incoming = self._reading.read(kind, request, connection, started, request_id)
            self._judge(incoming)
        except Exception as error:
            self._own_mistake(incoming, None, error)

    def _judge(self, incoming: Incoming) -> None:
        if self._faults.spare_calls:
            verdict = UNHARMED
        else:
            verdict = self._faults.judge(incoming.call, self._clock_ms())
        if verdict.delay_before_s:
            self._later(verdict.delay_before_s, lambda: self._take_in(incoming, verdict))
        else:
            self._take_in(incoming, verdict)

    def _take_in(self, incoming: Incoming, verdict: Verdict) -> None:
        """Lets the platform have the call, unless a fault comes before."""
        answered: Answered | None = None
        try:
            if verdict.fault is None or verdict.after:
                answered = self._answering.answer(incoming, verdict.fault, self._clock_ms())
            else:
                self._answering.fail(incoming, self._clock_ms())
        except Exception as error:
            self._own_mistake(incoming, None, error)
            return
        if verdict.delay_after_s:
            self._later(verdict.delay_after_s, lambda: self._finish(incoming, verdict, answered))
        else:
            self._finish(incoming, verdict, answered)

    def _finish(self, incoming: Incoming, verdict: Verdict, answered: Answered | None) -> None:
        try:
            self._end(incoming, verdict, answered)
        except Exception as error:
            self._own_mistake(incoming, answered, error)

    def _own_mistake(self, incoming: Incoming, answered: Answered | None, error: Exception) -> None:
        """500, and the call is noted like any other; its entries in the ledger stay."""
        _log_mistake(incoming.kind, incoming.request_id, error)
        self._note(incoming, answered, "500")
        incoming.connection.reply(reply_to(own_mistake()), incoming.request_id)

    def _end(self, incoming: Incoming, verdict: Verdict, answered: Answered | None) -> None:
        """Answers, or does to the connection what the fault wants."""
        connection, fault = incoming.connection, verdict.fault
        if not connection.is_open:
            self._note(incoming, answered, "caller-left")
            return
        match fault:
            case None | WrongResults() | ExpiresIn():
                assert answered is not None
                self._note(incoming, answered, str(answered.reply.status))
                self._note_answer(answered)
                connection.reply(answered.reply, incoming.request_id)
            case Fail() | Html() | Text():
                reply = made_up(fault, self._clock_ms())
                self._note(incoming, answered, str(reply.status))
                connection.reply(reply, incoming.request_id)
            case Drop():
                self._note(incoming, answered, "dropped")
                connection.reset()
            case Cut():
                assert answered is not None
                self._note(incoming, answered, "cut")
                connection.reply_half(answered.reply, incoming.request_id)
            case Hang():
                # The caller waits until it gives up, or until the sandbox stops.
                self._note(incoming, answered, "hung")
            case _:
                assert_never(fault)

    def _note(self, incoming: Incoming, answered: Answered | None, ending: str) -> None:
        """Counts the call and remembers what became of it, before the caller may ask."""
        self._platform.ledger.count_call(incoming.kind, ending)
        outcome = None if answered is None else answered.outcome
        self._journal.append(incoming, outcome, ending, self._clock_ms())

    def _note_answer(self, answered: Answered) -> None:
        if answered.entries:
            tick = self._next_tick()
            for entry in answered.entries:
                entry.answered = tick

    # --- other calls ----------------------------------------------------------------------

    def _other_or_mistake(self, request: Request, connection: Connection, request_id: str) -> Reply:
        try:
            return self._other(request, connection)
        except Exception as error:
            _log_mistake(request.path, request_id, error)
            return reply_to(own_mistake())

    def _other(self, request: Request, connection: Connection) -> Reply:
        path = request.path
        if path in CALLS:
            return reply_to(ApiError(404, f"{path} takes no query: leave it out", "NOT_FOUND"))
        if path == MOVED:
            return self._moved(request)
        if not (path in PAGE_PATHS or path.startswith(PREFIX + "/")):
            known = ", ".join(f"POST {call}" for call in CALLS)
            return reply_to(ApiError(404, f"no such call; there are {known}", "NOT_FOUND"))
        refusal = self._admission.why_refused(
            connection.peer, request.headers.get("host")
        ) or self._admission.why_change_refused(request.method, request.headers)
        if refusal is not None:
            return reply_to(refusal)
        file = self._page.get(path)
        if file is not None and request.method in ("GET", "HEAD"):
            return file
        return self._admin.answer(
            AdminRequest(
                request.method, path, Query(request.query), request.content_type, request.body
            )
        )

    def _moved(self, request: Request) -> Reply:
        """A caller has followed a redirect: did it bring its token along?"""
        token = "with-token" if "authorization" in request.headers else "without-token"
        self._platform.ledger.count_call("redirected", token)
        return reply_to(ApiError(404, "a redirect pointed here, and was followed", "NOT_FOUND"))


def _log_mistake(call: str, request_id: str, error: Exception) -> None:
    """In one line. Without the error's text, in which a payload or a secret may stand."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    log.error(
        "sandbox_made_a_mistake",
        call=call,
        request_id=request_id,
        error=type(error).__name__,
        at=f"{at.filename}:{at.lineno}",
    )


def _method_error(request: Request) -> Reply:
    error = ApiError(405, f"{request.method} is not answered here: send a POST")
    return Reply(405, error.body(), headers=(("Allow", "POST"),))
