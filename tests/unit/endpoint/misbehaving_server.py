"""A server on raw sockets that answers each call as its path says, well or badly."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK_BODY = b'{"activationIds":["0a1b2c3d-0000-4000-8000-000000000001"]}'


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The number of the connection that it came over, from 0."""


@dataclass
class MisbehavingServer:
    port: int = 0
    scheme: str = "http"
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it, and calls to `/wait` are answered."""

    def url(self, path: str) -> str:
        return f"{self.scheme}://localhost:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self.open_connections += 1
        try:
            while True:
                call = await _read_call(reader, number)
                self.calls.append(call)
                await self._answer(call, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, _EndOfConnection):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(
        self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        behaviour = _BEHAVIOURS.get(call.path)
        if call.method == "CONNECT":
            writer.write(ok(b"403"))
        elif behaviour is not None:
            await behaviour(writer)
        elif call.path == "/wait":
            await self._until_released_or_gone(reader)
            writer.write(ok())
        elif call.path == "/stale":
            # It answers and is ready for more; `/stale`'s next call meets a reset instead.
            writer.write(ok())
            await reader.readexactly(1)
            reset(writer)
            raise _EndOfConnection
        elif call.path.startswith("/status/"):
            writer.write(ok(call.path.removeprefix("/status/").encode()))
        elif call.path.startswith("/big/"):
            writer.write(ok(body=b"x" * int(call.path.removeprefix("/big/"))))
        else:
            writer.write(ok())
        await writer.drain()

    async def _until_released_or_gone(self, reader: asyncio.StreamReader) -> None:
        released = asyncio.ensure_future(self.released.wait())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([released, gone], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise _EndOfConnection
        finally:
            released.cancel()
            gone.cancel()
            await asyncio.wait([released, gone])


class _EndOfConnection(Exception):
    pass


def ok(status: bytes = b"200", headers: bytes = b"", body: bytes = OK_BODY) -> bytes:
    return (
        b"HTTP/1.1 %s Whatever\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        % (status, len(body))
        + headers
        + b"\r\n"
        + body
    )


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection by a reset in place of an orderly end."""
    linger_not = struct.pack("ii", 1, 0)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    writer.transport.abort()


async def _read_call(reader: asyncio.StreamReader, connection: int) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(method, path, headers, body, connection)


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def _writes(answer: bytes, *, then_end: bool = False) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if then_end:
            await writer.drain()
            raise _EndOfConnection

    return behave


def _stalls_after(answer: bytes) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        await asyncio.Event().wait()

    return behave


def _resets_after(answer: bytes) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        reset(writer)
        raise _EndOfConnection

    return behave


def _drips(answer: bytes, drop: bytes) -> Behaviour:
    """Never silent for long, and never at its end."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return behave


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


_HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

_BEHAVIOURS: dict[str, Behaviour] = {
    "/chunked": _writes(_CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"),
    "/no-content": _writes(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "/interim": _writes(b"HTTP/1.1 100 Continue\r\n\r\n" + ok()),
    "/until-end": _writes(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", then_end=True),
    "/ends-before": _writes(b"", then_end=True),
    "/resets-before": _resets_after(b""),
    "/half-head": _writes(b"HTTP/1.1 200 OK\r\ncontent-le", then_end=True),
    "/short": _writes(_HALF, then_end=True),
    "/resets-in-body": _resets_after(_HALF),
    "/short-chunk": _writes(_CHUNKED + b"10\r\nhalf", then_end=True),
    "/bad-chunk": _writes(_CHUNKED + b"zz\r\nhalf\r\n", then_end=True),
    "/not-http": _writes(b"220 mail.example ESMTP\r\n\r\n", then_end=True),
    "/bad-status": _writes(b"HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n", then_end=True),
    "/bad-header": _writes(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", then_end=True),
    "/long-header": _writes(
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2_000_000 + b"\r\n\r\n", then_end=True
    ),
    "/bad-length": _writes(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", then_end=True),
    "/two-lengths": _writes(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", then_end=True
    ),
    "/stalls-before": _stalls_after(b""),
    "/stalls-in-head": _stalls_after(b"HTTP/1.1 200 OK\r\n"),
    "/stalls-in-body": _stalls_after(_HALF),
    "/drips-in-body": _drips(_HALF.replace(b"100", b"1000000"), b"x"),
    "/drips-in-head": _drips(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
    "/drips-interims": _drips(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "/endless": _endless,
    "/gzip": _writes(ok(headers=b"content-encoding: gzip\r\n", body=b"not gzip")),
    "/retry-after": _writes(ok(b"429", b"retry-after: 7\r\n")),
    "/retry-date": _writes(ok(b"503", b"retry-after: Thu, 01 Jan 1970 00:01:40 GMT\r\n")),
    "/retry-junk": _writes(ok(b"503", b"retry-after: soon\r\n")),
    "/request-id": _writes(ok(headers=b"X-Wix-Request-Id: 1700000000.42-abc\r\n")),
    "/request-id-junk": _writes(ok(headers=b"x-wix-request-id: two words\r\n")),
    "/latin": _writes(ok(headers=b"x-strange: caf\xe9\r\nx-empty:\r\n")),
    "/cookie": _writes(ok(headers=b"set-cookie: a=b\r\n")),
    "/redirect": _writes(ok(b"307", b"location: /elsewhere\r\n")),
}


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[MisbehavingServer]:
    server = MisbehavingServer(scheme="http" if context is None else "https")
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
