"""How does `httpx` make a call? For those who prefer it, and for what is not hot: tokens."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from streamer.endpoint import failures
from streamer.endpoint.calls_in_flight import CallsInFlight
from streamer.endpoint.http import IDLE_S, Headers, HttpOptions, read_answer
from streamer.model import Exchange

POOLS = 32
"""Its pool looks at every connection at each request's start and end: at 256 calls in flight one
pool makes 65 calls a second, 32 make 860 and 256 make 1,050 (measured on two cores)."""

# Nothing is decompressed (a small answer could grow without end), so nothing of that is asked for.
_NO_ENCODING = ("accept-encoding", "identity")


class _Connections:
    """Pools of connections, and the calls that run in them."""

    def __init__(self, options: HttpOptions, pools: int) -> None:
        self.calls = CallsInFlight(options.timeout_s)
        context = options.tls.context()
        self._pools = [
            httpx.AsyncClient(
                verify=context,
                proxy=options.proxy,
                trust_env=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                timeout=httpx.Timeout(None, connect=options.connect_timeout_s),
                follow_redirects=False,
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_S
                ),
            )
            for _ in range(pools)
        ]
        self._busy = [0] * pools

    def take(self) -> tuple[int, httpx.AsyncClient]:
        """The first of the least busy pools: light load stays on one and finds it warm."""
        number = self._busy.index(min(self._busy))
        self._busy[number] += 1
        return number, self._pools[number]

    def give_back(self, number: int) -> None:
        self._busy[number] -= 1

    async def close(self) -> None:
        await self.calls.drop()
        for pool in self._pools:
            await pool.aclose()


class HttpxClient:
    """A `DroppableClient`."""

    def __init__(self, options: HttpOptions, pools: int = POOLS) -> None:
        self._options = options
        self._pools = pools
        self._connections = _Connections(options, pools)

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        connections = self._connections
        number, pool = connections.take()
        try:
            return await connections.calls.run(self._post(pool, url, headers, body))
        finally:
            connections.give_back(number)

    async def drop(self) -> None:
        gone, self._connections = self._connections, _Connections(self._options, self._pools)
        await gone.close()

    async def aclose(self) -> None:
        await self._connections.close()

    async def _post(
        self, pool: httpx.AsyncClient, url: str, headers: Headers, body: bytes
    ) -> Exchange:
        try:
            async with pool.stream(
                "POST", url, content=body, headers=[*headers, _NO_ENCODING]
            ) as response:
                return await self._read(response)
        except httpx.ConnectTimeout:
            return failures.not_connected(self._options.connect_timeout_s)
        except (httpx.ConnectError, httpx.ProxyError) as error:
            return failures.not_sent(error)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, ValueError):
            return failures.unsendable()
        except httpx.RemoteProtocolError as error:
            return _protocol_failure(error)
        except httpx.TransportError as error:
            return failures.reset(error)

    async def _read(self, response: httpx.Response) -> Exchange:
        most = self._options.answer_bytes_most
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > most:
                return failures.too_long(most)
            chunks.append(chunk)
        return read_answer(
            response.status_code,
            response.headers.get,
            b"".join(chunks),
            self._options.wall_clock,
        )


def _protocol_failure(error: httpx.RemoteProtocolError) -> Exchange:
    """The library has one exception for both; what it says of a connection that ended is fixed."""
    text = str(error)
    if text.startswith("Server disconnected"):
        return failures.reset(error)
    if text.startswith("peer closed connection"):
        return failures.broken_body()
    return failures.broken_http()
