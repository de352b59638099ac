"""How is a call made with nothing but the event loop and a parser?

It costs a third of what the next client does: no layer, no task and no timer of its own for a
call. A call takes an idle connection or makes one, writes its bytes at once, and waits for one
future. All calls of a client have the same time-out, so one timer looks at all that are in flight.

    making ---> idle <---> asking ---> closed (time-out, drop, cancelled, broken, `close`)
"""

import asyncio
from collections import deque
from typing import cast

from streamer.endpoint import failures
from streamer.endpoint.answer_reader import AnswerReader, Complete
from streamer.endpoint.http import IDLE_S, Headers, HttpOptions, read_answer
from streamer.endpoint.request_head import Address, Proxy, Target, header_lines, proxy_of, target_of
from streamer.errors import ConfigurationError, Finding
from streamer.model import Exchange, NoAnswer

_LOOKS = 50
"""How often at most the timer looks within one time-out: so exact is it."""
_NEVER = float("inf")
_OWN_HEADERS = "accept-encoding: identity\r\n"
"""Nothing is decompressed (a small answer could grow without end), so nothing is asked for."""


class HttptoolsClient:
    """A `DroppableClient`. Made and used in a running event loop."""

    def __init__(self, options: HttpOptions) -> None:
        """Raises `ConfigurationError` for a proxy that is reached by another way than HTTP."""
        self._options = options
        self._proxy = None if options.proxy is None else _read_proxy(options.proxy)
        self._pool = _Pool(options, self._proxy)

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        target = target_of(url)
        lines = header_lines(tuple(headers))
        if target is None or lines is None:
            return failures.unsendable()
        return await self._pool.post(target, lines, body)

    async def drop(self) -> None:
        gone, self._pool = self._pool, _Pool(self._options, self._proxy)
        await gone.close()

    async def aclose(self) -> None:
        await self._pool.close()


def _read_proxy(url: str) -> Proxy:
    proxy = proxy_of(url)
    if proxy is None:
        raise ConfigurationError(
            [
                Finding(
                    "endpoint.proxy",
                    "the proxy's address is not of the form http://HOST:PORT",
                    "write http://HOST:PORT, with USER:PASSWORD@ before the host if it wants them",
                )
            ]
        )
    return proxy


class _Pool:
    """Connections, and the calls that run over them. It is closed once, as a whole."""

    def __init__(self, options: HttpOptions, proxy: Proxy | None) -> None:
        self._options = options
        self._proxy = proxy
        self._tls = options.tls.context()
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Address, deque[_Connection]] = {}
        self._asking: set[_Connection] = set()
        self._making: set[asyncio.Timeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next_look = _NEVER
        self._calls = 0
        self._none_left = asyncio.Event()
        self._closed = False

    async def post(self, target: Target, lines: str, body: bytes) -> Exchange:
        deadline = self._loop.time() + self._options.timeout_s
        self._calls += 1
        try:
            if self._closed:
                return failures.dropped()
            connection = self._take(target.address)
            if connection is None:
                made = await self._make(target)
                if isinstance(made, NoAnswer):
                    return made
                if (why := self._too_late(deadline)) is not None:
                    made.close()
                    return why
                connection = made
            return await connection.ask(self._request(target, lines, body), deadline)
        finally:
            self._calls -= 1
            if not self._calls:
                self._none_left.set()

    def _too_late(self, deadline: float) -> NoAnswer | None:
        """Why a call whose connection has just been made is not to be sent; None: it is."""
        # The time-out of the making may be moved when the connection is already there.
        if self._closed:
            return failures.dropped()
        if self._loop.time() >= deadline:
            return failures.not_connected(self._options.timeout_s)
        return None

    def _request(self, target: Target, lines: str, body: bytes) -> bytes:
        path = target.path
        if self._proxy is not None and not target.address.secure:
            path = f"http://{target.host}{path}"
            lines += self._proxy.login
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {target.host}\r\n{lines}{_OWN_HEADERS}"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + body

    # --- calls in flight -------------------------------------------------------------------------

    def began(self, connection: "_Connection") -> None:
        """A call of the connection is in flight, until its deadline at most."""
        self._asking.add(connection)
        if connection.deadline < self._next_look:
            self._look_at(connection.deadline)

    def ended(self, connection: "_Connection") -> None:
        """Told at once when the call's end is known: the connection may serve another call
        before the task that made this one runs again."""
        self._asking.discard(connection)

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_look = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """End what has waited too long; come again when the next one will have."""
        now = self._loop.time()
        for connection in [it for it in self._asking if it.deadline <= now]:
            connection.end(failures.timed_out(self._options.timeout_s))
        self._next_look = _NEVER
        if self._asking:
            first = min(it.deadline for it in self._asking)
            self._look_at(max(first, now + self._options.timeout_s / _LOOKS))

    # --- connections -----------------------------------------------------------------------------

    def _take(self, address: Address) -> "_Connection | None":
        """The connection that was used last: those that are not needed grow old and are closed."""
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.is_fit and connection.idle_since > self._loop.time() - IDLE_S:
                return connection
            connection.close()
        return None

    def give_back(self, connection: "_Connection") -> None:
        """Its call is answered and it may serve another."""
        if self._closed:
            connection.close()
            return
        now = self._loop.time()
        connection.idle_since = now
        idle = self._idle.setdefault(connection.address, deque())
        idle.append(connection)
        while idle[0].idle_since <= now - IDLE_S:
            idle.popleft().close()

    async def _make(self, target: Target) -> "_Connection | NoAnswer":
        """A new connection; or why there is none: nothing of the call was sent then."""
        within_s = self._options.connect_timeout_s
        scope = asyncio.timeout(within_s)
        try:
            async with scope:
                self._making.add(scope)
                return await self._connected(target)
        except OSError as error:  # TLS's and DNS's errors are some too, and the time-out's
            if not scope.expired():
                return failures.not_sent(error)
            return failures.dropped() if self._closed else failures.not_connected(within_s)
        except UnicodeError:  # a host that no name service can have
            return failures.unsendable()
        finally:
            self._making.discard(scope)

    async def _connected(self, target: Target) -> "_Connection | NoAnswer":
        address, loop = target.address, self._loop
        connection = _Connection(self, address, self._options)
        tls = self._tls if address.secure else None
        name = address.host if address.secure else None
        if self._proxy is None:
            await loop.create_connection(
                lambda: connection, address.host, address.port, ssl=tls, server_hostname=name
            )
        elif tls is None:
            proxy = self._proxy.address
            await loop.create_connection(lambda: connection, proxy.host, proxy.port)
        else:
            tunnel = await self._tunnel(self._proxy, address)
            if isinstance(tunnel, NoAnswer):
                return tunnel
            transport = await loop.start_tls(tunnel, connection, tls, server_hostname=name)
            if transport is None:
                return failures.no_tunnel("it ended the connection")
            connection.connection_made(transport)
        return connection

    async def _tunnel(self, proxy: Proxy, to: Address) -> asyncio.Transport | NoAnswer:
        transport, tunnel = await self._loop.create_connection(
            _Tunnel, proxy.address.host, proxy.address.port
        )
        try:
            place = f"[{to.host}]:{to.port}" if ":" in to.host else f"{to.host}:{to.port}"
            head = f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{proxy.login}\r\n"
            transport.write(head.encode("latin-1"))
            refused = await tunnel.opened
        except BaseException:
            transport.abort()
            raise
        if refused is not None:
            transport.abort()
            return refused
        return transport

    async def close(self) -> None:
        """Ends all calls as dropped; returns when none is left. Nothing is sent any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._asking):
            connection.end(failures.dropped())
        for idle in self._idle.values():
            for connection in list(idle):
                connection.close()
        for scope in self._making:
            if not scope.expired():
                scope.reschedule(self._loop.time())
        while self._calls:
            self._none_left.clear()
            await self._none_left.wait()


class _Connection(asyncio.Protocol):
    """One connection: at most one call at a time."""

    __slots__ = (
        "_answer",
        "_options",
        "_pool",
        "_reader",
        "_transport",
        "address",
        "deadline",
        "idle_since",
    )

    def __init__(self, pool: _Pool, address: Address, options: HttpOptions) -> None:
        self.address = address
        self.deadline = 0.0
        """Of the call under way."""
        self.idle_since = 0.0
        self._pool = pool
        self._options = options
        self._reader = AnswerReader(options.answer_bytes_most)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Exchange] | None = None

    @property
    def is_fit(self) -> bool:
        """Whether a call may be tried on it."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, deadline: float) -> Exchange:
        """One call. A cancelled one closes the connection."""
        transport = self._transport
        if transport is None:
            return failures.not_sent(EOFError())  # it ended as soon as it was made
        answer: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self.deadline = deadline
        self._reader.begin()
        self._pool.began(self)
        transport.write(request)
        try:
            return await answer
        except asyncio.CancelledError:
            if self._answer is answer:  # otherwise it was answered, and serves another call now
                self._answer = None
                self._pool.ended(self)
                self.close()
            raise

    def end(self, how: NoAnswer) -> None:
        """Close it, and end its call so, unless the call has ended."""
        self._give(how)
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _give(self, exchange: Exchange) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            self._pool.ended(self)
            if not answer.done():
                answer.set_result(exchange)

    # --- the transport's callbacks ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one by its methods, not by its class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # nothing was asked
            return
        read = self._reader.feed(data)
        if read is None:
            return
        if isinstance(read, NoAnswer):
            self.end(read)
            return
        cancelled = self._answer.done()
        self._give(self._exchange(read))
        if read.keeps_alive and not cancelled:
            self._pool.give_back(self)
        else:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answer is not None:
            read = self._reader.ended(error)
            self._give(read if isinstance(read, NoAnswer) else self._exchange(read))

    def _exchange(self, read: Complete) -> Exchange:
        return read_answer(read.status, read.header, read.body, self._options.wall_clock)


class _Tunnel(asyncio.Protocol):
    """Waits for the proxy's answer to CONNECT, which has no body where it opens the tunnel."""

    def __init__(self) -> None:
        self._reader = AnswerReader(0)
        self.opened: asyncio.Future[NoAnswer | None] = asyncio.get_running_loop().create_future()
        """None when the tunnel is open."""

    def data_received(self, data: bytes) -> None:
        read = self._reader.feed(data)
        status = self._reader.status
        if self.opened.done() or (read is None and status is None):
            return
        if status is not None and 200 <= status < 300:
            self.opened.set_result(None)
        else:
            said = "it answered no HTTP" if status is None else f"it answered {status}"
            self.opened.set_result(failures.no_tunnel(said))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(failures.no_tunnel("it ended the connection"))
