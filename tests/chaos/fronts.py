"""What stands before a server in a guarded network: TLS with a login, or a proxy on the way out?"""

import asyncio
import base64
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.proxy import CHUNK, Network
from tests.servers.process import free_port

HEAD_END = b"\r\n\r\n"
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
LOGIN_WANTED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n\r\n'
)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class TlsFront:
    """TLS in front of a plain HTTP server; with `clients`, only certificates of that authority.

    With a `login`, each request must have it. It is for requests without a body.
    """

    def __init__(
        self,
        network: Network,
        target_port: int,
        certificate: Path,
        *,
        clients: Path | None = None,
        login: str | None = None,
    ) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._login = login
        self.requests = 0
        """Those that had what they need."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        network.do(self._listen(context))

    async def _listen(self, context: ssl.SSLContext) -> None:
        await asyncio.start_server(self._taken, "127.0.0.1", self.port, ssl=context)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._target_port)
        back = asyncio.create_task(pipe(there[0], writer))
        if self._login is None:
            self.requests += 1
            await pipe(reader, there[1])
        else:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._guarded(self._login, reader, writer, there[1])
        there[1].close()
        await back

    async def _guarded(
        self,
        login: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamWriter,
    ) -> None:
        while True:
            head = await reader.readuntil(HEAD_END)
            if header(head, "authorization") != login:
                writer.write(UNAUTHORIZED)
                continue
            self.requests += 1
            there.write(head)


class ConnectProxy:
    """An HTTP proxy that tunnels (CONNECT) to the names that it knows, for who has its login."""

    def __init__(self, network: Network, ports: Mapping[str, int], login: str) -> None:
        """`ports`: where on this machine each `host:port` is."""
        self.port = free_port()
        self._ports = ports
        self._login = login
        self.tunnels = 0
        network.do(self._listen())

    async def _listen(self) -> None:
        await asyncio.start_server(self._taken, "127.0.0.1", self.port)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(HEAD_END)
            method, target, *_ = head.decode("latin-1").split(" ")
            if header(head, "proxy-authorization") != self._login:
                writer.write(LOGIN_WANTED)
            elif method != "CONNECT" or target not in self._ports:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                self.tunnels += 1
                there = await asyncio.open_connection("127.0.0.1", self._ports[target])
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))
        writer.close()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the one side ends; then the other is told."""
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def header(head: bytes, name: str) -> str | None:
    """The value of a header of a request's head."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.strip().lower() == name:
            return value.strip()
    return None
