"""How does `aiohttp` make a call that can be let go of at once? It serves the cancels."""

import aiohttp

from streamer.endpoint import failures
from streamer.endpoint.calls_in_flight import CallsInFlight
from streamer.endpoint.http import IDLE_S, Headers, HttpOptions, read_answer
from streamer.model import Exchange

# Nothing is decompressed (a small answer could grow without end), so nothing of that is asked for.
_NO_ENCODING = ("accept-encoding", "identity")


class _Connections:
    """One session, and the calls that run in it."""

    def __init__(self, options: HttpOptions) -> None:
        self.calls = CallsInFlight(options.timeout_s)
        self._connector = aiohttp.TCPConnector(
            limit=0,  # the delivery core bounds the calls in flight
            keepalive_timeout=IDLE_S,
            ssl=options.tls.context(),
        )
        self.session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None,  # the whole call has one
                sock_connect=options.connect_timeout_s,
                ceil_threshold=float("inf"),  # it would round up to a second
            ),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        self.calls.let_go()
        # In this very turn of the loop: each request is written by a task of its own, which the
        # cancelled call stops only in the turn after it has written.
        await self._connector.close()
        await self.calls.drop()
        await self.session.close()


class AiohttpClient:
    """A `DroppableClient`. Made and used in a running event loop."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._connections = _Connections(options)

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        connections = self._connections
        return await connections.calls.run(self._post(connections.session, url, headers, body))

    async def drop(self) -> None:
        gone, self._connections = self._connections, _Connections(self._options)
        await gone.close()

    async def aclose(self) -> None:
        await self._connections.close()

    async def _post(
        self, session: aiohttp.ClientSession, url: str, headers: Headers, body: bytes
    ) -> Exchange:
        try:
            async with session.post(
                url,
                data=body,
                headers=(*headers, _NO_ENCODING),
                allow_redirects=False,
                proxy=self._options.proxy,
            ) as response:
                return await self._read(response)
        except aiohttp.ConnectionTimeoutError:
            return failures.not_connected(self._options.connect_timeout_s)
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            return failures.not_sent(error)
        except (aiohttp.NonHttpUrlClientError, ValueError):  # its InvalidURL too
            return failures.unsendable()
        except aiohttp.ClientResponseError:
            return failures.broken_http()
        except aiohttp.ClientPayloadError as error:
            cause = error.__cause__
            return failures.reset(cause) if isinstance(cause, OSError) else failures.broken_body()
        except (aiohttp.ClientError, OSError) as error:
            return failures.reset(error)

    async def _read(self, response: aiohttp.ClientResponse) -> Exchange:
        most = self._options.answer_bytes_most
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > most:
                response.close()  # otherwise the rest would be read for the next call's sake
                return failures.too_long(most)
            chunks.append(chunk)
        return read_answer(
            response.status, response.headers.get, b"".join(chunks), self._options.wall_clock
        )
