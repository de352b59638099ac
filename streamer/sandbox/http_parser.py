"""Which requests are in the bytes of a connection?

HTTP/1.1 as RFC 9112 has it, as far as a caller of the platform needs it: Content-Length and chunked
bodies, pipelining, `Expect: 100-continue`. Pure: bytes in, requests out, whatever pieces the bytes
come in. It is our own because a call through a general server costs several times what the platform
takes to answer it, and because faults need the connection itself.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl

from msgspec import Struct

HEAD_MAX = 64 * 1024  # a token, a few headers; other servers stop at 8 to 64 KiB
BODY_MAX = 16 * 1024 * 1024  # a bulk call's 100 items of 160 KiB each

_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?")
_CHUNK_LINE_MAX = 4096
_KNOWN_HEAD_MAX = 4096  # of all heads that are kept together at most 4 MiB
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2: token


class Request(Struct, frozen=True):
    method: str
    target: str
    """Path and query, as they came."""
    headers: Mapping[str, str]
    """By name in lower case; of several of one name the last."""
    body: bytes
    keep_alive: bool

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Malformed(Struct, frozen=True):
    """What came is no request, or too large a one; nothing after it can be read."""

    status: int
    message: str


class _Head(Struct, frozen=True):
    method: str
    target: str
    headers: Mapping[str, str]
    keep_alive: bool
    length: int | None
    """Of the body in bytes; None where it comes in chunks."""


class RequestParser:
    """Takes bytes, gives requests one after the other."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._chunks = bytearray()
        self._trailers = False
        self._continue_wanted = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes that came and were not given out yet."""
        return len(self._buffer)

    def feed(self, piece: bytes) -> None:
        self._buffer += piece

    def continue_wanted(self) -> bool:
        """Whether the caller waits for `100 Continue` before it sends the body; true once."""
        wanted, self._continue_wanted = self._continue_wanted, False
        return wanted

    def next_request(self) -> Request | Malformed | None:
        """The next whole request; None where more bytes are needed."""
        if self._head is None:
            head = self._read_head()
            if head is None or isinstance(head, Malformed):
                return head
            self._head = head
            self._continue_wanted = head.headers.get("expect", "").lower() == "100-continue"
        body = self._read_chunks() if self._head.length is None else self._read_body(self._head)
        if body is None or isinstance(body, Malformed):
            return body
        head, self._head = self._head, None
        self._continue_wanted = False
        return Request(head.method, head.target, head.headers, body, head.keep_alive)

    def _read_head(self) -> _Head | Malformed | None:
        if not self._buffer:
            return None
        while self._buffer.startswith(b"\r\n"):  # RFC 9112, 2.2: empty lines before a request
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n", 0, HEAD_MAX)
        if end < 0:
            if len(self._buffer) > HEAD_MAX:
                return Malformed(431, f"the request's head is longer than {HEAD_MAX} bytes")
            return None
        text = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        return _known_head(text) if len(text) <= _KNOWN_HEAD_MAX else _parse_head(text)

    def _read_body(self, head: _Head) -> bytes | Malformed | None:
        length = head.length or 0
        if length > BODY_MAX:
            return _TOO_LONG
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _read_chunks(self) -> bytes | Malformed | None:
        while True:
            end = self._buffer.find(b"\r\n", 0, _CHUNK_LINE_MAX)
            if end < 0:
                full = len(self._buffer) > _CHUNK_LINE_MAX
                return Malformed(400, "a chunk has no size line") if full else None
            if self._trailers:
                del self._buffer[: end + 2]
                if end > 0:
                    continue
                body, self._chunks, self._trailers = bytes(self._chunks), bytearray(), False
                return body
            found = _CHUNK_SIZE.fullmatch(self._buffer[:end])
            if found is None:
                return Malformed(400, "a chunk's size is no hexadecimal number")
            size = int(found[1], 16)
            if len(self._chunks) + size > BODY_MAX:
                return _TOO_LONG
            if size == 0:
                self._trailers = True
                del self._buffer[: end + 2]
                continue
            start = end + 2
            if len(self._buffer) < start + size + 2:
                return None
            if self._buffer[start + size : start + size + 2] != b"\r\n":
                return Malformed(400, "a chunk does not end where its size says")
            self._chunks += self._buffer[start : start + size]
            del self._buffer[: start + size + 2]


_TOO_LONG = Malformed(413, f"the body is longer than {BODY_MAX} bytes")


@lru_cache(maxsize=1024)  # callers send the same few headers every time
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _parse_head(text: str) -> _Head | Malformed:
    request_line, *lines = text.split("\r\n")
    parts = request_line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        return Malformed(400, "the first line is no HTTP/1.1 request line")
    method, target, version = parts
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _is_name(name):
            return Malformed(400, "a header line has no name")
        name = name.lower()
        value = value.strip(" \t")
        if name == "content-length" and headers.get(name, value) != value:
            return Malformed(400, "there are two Content-Length headers that differ")
        headers[name] = value
    if target.startswith("http://"):  # the form that proxies are sent: http://host/path
        target = "/" + target[7:].partition("/")[2]
    if not target.startswith("/"):
        return Malformed(400, "the request's target is no path: begin it with a slash")
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection and (version == "HTTP/1.1" or "keep" in connection)
    return _framed(_Head(method, target, headers, keep_alive, 0))


# A caller's heads differ by their Content-Length only: parsing is a tenth of a call otherwise.
_known_head = lru_cache(maxsize=1024)(_parse_head)


def _framed(head: _Head) -> _Head | Malformed:
    """The head with how its body is delimited (RFC 9112, 6.3)."""
    length = head.headers.get("content-length")
    encoding = head.headers.get("transfer-encoding")
    if encoding is not None:
        if length is not None or encoding.lower() != "chunked":
            return Malformed(400, "send either Content-Length or Transfer-Encoding: chunked")
        return _Head(head.method, head.target, head.headers, head.keep_alive, None)
    if length is None:
        return head
    if _LENGTH.fullmatch(length) is None:
        return Malformed(400, "Content-Length is no number of bytes")
    return _Head(head.method, head.target, head.headers, head.keep_alive, int(length))
