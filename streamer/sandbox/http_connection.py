"""How are the requests of one connection answered, one after the other?

A connection hands out one request at a time; what was pipelined behind it waits until it has been
answered. It can also end in the ways that real ones do: reset, or in the middle of an answer.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from streamer.sandbox.answers import ApiError, Reply, reply_to
from streamer.sandbox.http_parser import Malformed, Request, RequestParser

REQUEST_ID = "x-wix-request-id"  # what the vendor's SDK reads and its support asks for

# Of a caller that pipelines without reading its answers, so much is read ahead.
_READ_AHEAD_MAX = 1024 * 1024

_BODILESS = frozenset({204, 304})  # RFC 9110, 6.4.1

_REASONS = {status.value: status.phrase for status in HTTPStatus}

Serve = Callable[[Request, "Connection"], None]
"""Takes a request and sees to it that the connection is answered, now or later, or ended."""

NewId = Callable[[], str]
"""An id for the answer to what is no request."""


class Connection(asyncio.Protocol):
    def __init__(
        self, serve: Serve, new_request_id: NewId, open_connections: set["Connection"]
    ) -> None:
        self._serve = serve
        self._new_request_id = new_request_id
        self._open_connections = open_connections
        self._parser = RequestParser()
        self._transport: asyncio.Transport | None = None
        self._current: Request | None = None
        self._advancing = False
        self._reading = True
        self._writable = True

    # --- what asyncio calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports keep asyncio's protocol without being of its classes.
        self._transport = cast("asyncio.Transport", transport)
        self._open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open_connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        self._advance()
        if self._parser.waiting_bytes > _READ_AHEAD_MAX and self._current is not None:
            self._set_reading(False)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._advance()

    # --- what the edge calls --------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """False once the caller has left, or the connection was ended."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def peer(self) -> str:
        """The caller's address; empty where it is not known."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        return str(name[0]) if isinstance(name, tuple) else ""

    def reply(self, reply: Reply, request_id: str) -> None:
        """Answers the current request and goes on to the next."""
        request = self._current
        if self._transport is None or request is None:
            return
        whole = _encode(reply, request_id, request.keep_alive)
        self._current = None
        self._transport.write(whole[0] if request.method == "HEAD" else whole[0] + whole[1])
        if not request.keep_alive:
            self._transport.close()
            return
        self._set_reading(True)
        self._advance()

    def reply_half(self, reply: Reply, request_id: str) -> None:
        """Sends the head and half of the body, then ends the connection."""
        if self._transport is not None:
            head, body = _encode(reply, request_id, keep_alive=True)
            self._transport.write(head + body[: len(body) // 2])
            self._transport.close()

    def reset(self) -> None:
        """Ends the connection with a reset rather than an orderly close."""
        if self._transport is None:
            return
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            # Without lingering the kernel sends RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    # --------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self._advancing:  # an answer inside `_serve`: the loop below goes on by itself
            return
        self._advancing = True
        try:
            while self._current is None and self._writable and self.is_open:
                request = self._parser.next_request()
                if request is None:
                    self._send_continue()
                    return
                if isinstance(request, Malformed):
                    self._give_up(request)
                    return
                self._current = request
                self._serve(request, self)
        finally:
            self._advancing = False

    def _send_continue(self) -> None:
        if self._parser.continue_wanted() and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _give_up(self, malformed: Malformed) -> None:
        assert self._transport is not None
        error = ApiError(malformed.status, malformed.message, "INVALID_ARGUMENT")
        head, body = _encode(reply_to(error), self._new_request_id(), keep_alive=False)
        self._transport.write(head + body)
        self._transport.close()

    def _set_reading(self, reading: bool) -> None:
        if self._transport is None or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def _encode(reply: Reply, request_id: str, keep_alive: bool) -> tuple[bytes, bytes]:
    """Head and body as bytes."""
    head = f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}\r\n"
    if reply.status in _BODILESS:
        body = b""
    else:
        body = reply.body
        head += f"Content-Type: {reply.content_type}\r\nContent-Length: {len(body)}\r\n"
    head += f"{REQUEST_ID}: {request_id}\r\n"
    for name, value in reply.headers:
        head += f"{name}: {value}\r\n"
    if not keep_alive:
        head += "Connection: close\r\n"
    return f"{head}Date: {_date.now()}\r\n\r\n".encode("latin-1"), body


class _Date:
    """The Date header's text, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


_date = _Date()
