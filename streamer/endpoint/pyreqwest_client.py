"""How does `pyreqwest` make a call? It is the fastest of the clients, and has sharp edges.

- A cancelled call goes on until its time-out, and so does one whose client object is closed or
  gone: it cannot be let go of. So this is no `DroppableClient`, and each call has a time-out.
- Its threads can abort the interpreter at its end: see `streamer.endpoint.exit`.
- A CA file without a certificate is taken in silence: see `streamer.endpoint.tls`.
"""

from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    BodyDecodeError,
    ClientClosedError,
    DecodeError,
    RequestError,
    RequestTimeoutError,
)
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import Response

from streamer.endpoint import failures
from streamer.endpoint.exit import wait_for_native_threads
from streamer.endpoint.http import IDLE_S, Headers, HttpOptions, read_answer
from streamer.errors import ConfigurationError, Finding
from streamer.model import Exchange, NoAnswer, NoAnswerKind

_CONNECTING = "client error (Connect)"
"""Among the library's causes where no connection was made: DNS, refused, TLS, proxy."""


class PyreqwestClient:
    """An `HttpClient`."""

    def __init__(self, options: HttpOptions) -> None:
        """Raises `ConfigurationError` where the library refuses the TLS files or the proxy."""
        wait_for_native_threads()
        self._options = options
        self._client = _build(options)

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        try:
            request = self._client.post(url).headers(headers).body_bytes(body).build_streamed()
            async with request as response:
                return await self._read(response)
        except RequestError as error:
            return self._failure(error)
        except ValueError:  # the library's BuilderError too
            return failures.unsendable()

    async def aclose(self) -> None:
        await self._client.close()

    async def _read(self, response: Response) -> Exchange:
        most = self._options.answer_bytes_most
        read_chunk = response.body_reader.read_chunk
        chunks: list[bytes] = []
        size = 0
        while (chunk := await read_chunk()) is not None:
            size += len(chunk)
            if size > most:
                return failures.too_long(most)
            chunks.append(bytes(chunk))
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return read_answer(response.status, response.get_header, body, self._options.wall_clock)

    def _failure(self, error: RequestError) -> NoAnswer:
        causes = [cause["message"] for cause in error.details["causes"] or ()]
        not_connected = _CONNECTING in causes
        match error:
            case ClientClosedError():
                return failures.dropped()
            case RequestTimeoutError() if not_connected:
                return failures.not_connected(self._options.connect_timeout_s)
            case RequestTimeoutError():
                return failures.timed_out(self._options.timeout_s)
            case BodyDecodeError():
                return failures.broken_body()
            case DecodeError():
                return failures.broken_http()
        # The last cause is the deepest, in the operating system's or the TLS library's words;
        # the first one quotes the URL.
        detail = failures.words(causes[-1]) if len(causes) > 1 else "the connection failed"
        kind = NoAnswerKind.NOT_SENT if not_connected else NoAnswerKind.RESET
        return NoAnswer(kind, detail)


def _build(options: HttpOptions) -> Client:
    builder = (
        ClientBuilder()
        .timeout(timedelta(seconds=options.timeout_s))
        .connect_timeout(timedelta(seconds=options.connect_timeout_s))
        .pool_idle_timeout(timedelta(seconds=IDLE_S))
        .follow_redirects(False)
        .referer(False)
        # Nothing is decompressed: a small answer could grow without end.
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .no_proxy()  # those of the environment
    )
    tls = options.tls
    try:
        if options.proxy is not None:
            builder = builder.proxy(ProxyBuilder.all(options.proxy))
        if tls.ca_pem is not None:
            builder = builder.add_root_certificate_pem(tls.ca_pem)
        if tls.identity_pem is not None:
            builder = builder.identity_pem(tls.identity_pem)
        return builder.build()
    except (ValueError, RequestError) as error:
        raise ConfigurationError([_finding(options, error)]) from None


def _finding(options: HttpOptions, error: Exception) -> Finding:
    where = "endpoint.proxy" if options.proxy is not None else "endpoint.tls"
    return Finding(
        where,
        f"the HTTP client does not take it ({type(error).__name__})",
        "set endpoint.proxy to `http://HOST:PORT`, see that endpoint.tls names PEM files,"
        " or set endpoint.http_client to httpx",
    )
