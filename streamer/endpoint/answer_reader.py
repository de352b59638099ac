"""Which answer is in the bytes of a connection?

The grammar is `httptools`' (llhttp, the parser of Node.js); here stand the limits, and what an
answer that ends too soon is worth.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from streamer.endpoint import failures
from streamer.model import NoAnswer

HEAD_BYTES_MOST = 64 * 1024
"""As other clients and servers have it (8 to 64 KiB)."""


class Complete(Struct, frozen=True, eq=False):
    """An answer that was read to its end."""

    status: int
    headers: dict[bytes, bytes]
    """By name in lower case; of several of one name the last."""
    body: bytes
    keeps_alive: bool
    """Whether the connection may serve another call."""

    def header(self, name: str) -> str | None:
        """By its name in lower case."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")


Read = Complete | NoAnswer | None
"""None: more bytes are needed."""


class AnswerReader:
    """Reads the answers of one connection, one after the other.

    `begin` before each call; then `feed` for what comes, and `ended` when nothing comes any more,
    until one of them gives something. The `on_` methods are the parser's.
    """

    __slots__ = (
        "_beside_bytes",
        "_body",
        "_body_bytes",
        "_complete",
        "_has_head",
        "_head_bytes",
        "_headers",
        "_most",
        "_parser",
        "_surplus",
        "_too_long",
    )

    def __init__(self, answer_bytes_most: int) -> None:
        self._most = answer_bytes_most
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """The next bytes are another answer's."""
        self._complete: Complete | None = None
        self._surplus = False
        self._start()

    def _start(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._has_head = False
        self._head_bytes = 0
        self._beside_bytes = 0
        self._body: bytes | bytearray = b""
        """The first part as it came, which mostly is all; a list of parts would take many times
        their bytes where each has a few."""
        self._body_bytes = 0
        self._too_long = False

    @property
    def status(self) -> int | None:
        """Known once the head is complete."""
        return self._parser.get_status_code() if self._has_head else None

    def feed(self, piece: bytes) -> Read:
        had_head, body_before = self._has_head, self._body_bytes
        self._head_bytes += len(piece)
        try:
            self._parser.feed_data(piece)
        except (HttpParserError, HttpParserUpgrade):
            if self._complete is None:
                return failures.broken_body() if self._has_head else failures.broken_http()
            self._surplus = True  # what follows a last answer is no answer
        if self._complete is not None:
            return self._completed(self._complete)
        if self._too_long:
            return failures.too_long(self._most)
        if not had_head and not self._has_head and self._head_bytes > HEAD_BYTES_MOST:
            return failures.broken_http()
        if had_head and self._beside_body(len(piece), body_before) > HEAD_BYTES_MOST:
            return failures.broken_body()
        return None

    def _beside_body(self, came: int, body_before: int) -> int:
        """How many bytes came in a row that are none of the body: a chunk's length and what stands
        beside it, or trailers, of which the parser keeps one until it is complete."""
        self._beside_bytes = self._beside_bytes + came if self._body_bytes == body_before else 0
        return self._beside_bytes

    def _completed(self, complete: Complete) -> Read:
        if self._too_long:
            return failures.too_long(self._most)
        if self._surplus:
            return Complete(complete.status, complete.headers, complete.body, False)
        return complete

    def ended(self, error: Exception | None) -> Complete | NoAnswer:
        """The connection ended, by an error or in order, before there was an answer."""
        if error is not None or not self._has_head:
            return failures.reset(error or EOFError())
        if b"content-length" in self._headers or b"transfer-encoding" in self._headers:
            return failures.broken_body()
        # RFC 9112, 6.3: without either, the body ends with the connection.
        status = self._parser.get_status_code()
        return Complete(status, self._headers, bytes(self._body), False)

    # --- the parser's callbacks ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete is not None:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # After the head it is a trailer, which means nothing here (RFC 9110, 6.5.1).
        if self._complete is None and not self._has_head:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._complete is None:
            self._has_head = True

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._body_bytes > self._most:
            self._too_long = True
            self._body = b""
        elif not self._body:
            self._body = part
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part

    def on_message_complete(self) -> None:
        if self._complete is not None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._start()  # an interim answer: the final one follows
            return
        keeps_alive = self._parser.should_keep_alive()
        self._complete = Complete(status, self._headers, bytes(self._body), keeps_alive)
