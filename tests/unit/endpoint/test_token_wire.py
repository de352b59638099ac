"""What is made of a bad answer to the token call that comes over a real connection?"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamer.endpoint.http import HttpOptions
from streamer.endpoint.httpx_client import HttpxClient
from streamer.endpoint.token_client import (
    ANSWER_BYTES_MOST,
    TokenAnswer,
    TokenClient,
    TokenGranted,
    TokenUnavailable,
)

TOKEN = b'{"access_token":"t","token_type":"Bearer"'


def answer(status: int, body: bytes, headers: bytes = b"") -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"HTTP/1.1 %d Whatever\r\n" % status + length + headers + b"\r\n" + body


@asynccontextmanager
async def answering(wire: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives every call the same answer; its address, and the requests' first
    lines."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append(head.split(b"\r\n")[0])
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length is not None
        await reader.readexactly(int(length[1]))  # what is left unread ends in a reset
        writer.write(wire)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # the client lets go of what is too long
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def ask(wire: bytes) -> TokenAnswer:
    options = HttpOptions(timeout_s=10.0, answer_bytes_most=ANSWER_BYTES_MOST)
    async with answering(wire) as (url, requests):
        client = TokenClient(url, "app-1", lambda: "secret", HttpxClient(options, pools=1))
        try:
            return await client.ask("site-1")
        finally:
            await client.aclose()
            assert requests == [b"POST /oauth2/token HTTP/1.1"]


@pytest.mark.parametrize(
    ("expires_in", "life_s"),
    [
        (b"", 14_400.0),
        (b',"expires_in":-1', 10.0),
        (b',"expires_in":0', 10.0),
        (b',"expires_in":1', 10.0),
        (b',"expires_in":"a while"', 14_400.0),
        (b',"expires_in":"900"', 900.0),
        (b',"expires_in":1e300', 30 * 86_400.0),
        (b',"expires_in":null', 14_400.0),
    ],
)
async def test_a_token_with_a_strange_life_is_used(expires_in: bytes, life_s: float) -> None:
    assert await ask(answer(200, TOKEN + expires_in + b"}")) == TokenGranted("t", life_s)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (answer(200, TOKEN + b',"expires_in":NaN}'), "without a usable `access_token`"),
        (answer(200, b'{"token_type":"Bearer"}'), "without a usable `access_token`"),
        (answer(200, b"<html>Please log in</html>"), "without a usable `access_token`"),
        (answer(200, b"x" * 10_000_000), "longer than 1048576 bytes"),
        (answer(302, b"", b"location: /elsewhere\r\n"), "a redirect"),
        (answer(200, TOKEN)[:-5], "cut or broken"),
        (b"220 mail.example ESMTP\r\n\r\n", "no valid HTTP"),
    ],
)
async def test_an_answer_that_grants_nothing_is_asked_for_again(wire: bytes, said: str) -> None:
    got = await ask(wire)
    assert isinstance(got, TokenUnavailable)
    assert said in got.detail


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        (b"-5", 0.0, 0.0),
        (b"31536000", 31_536_000.0, 31_536_000.0),
        (b"Thu, 01 Jan 1970 00:01:40 GMT", 0.0, 0.0),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", 1e9, 1e12),
    ],
)
async def test_retry_after_is_read_and_the_book_bounds_it(
    retry_after: bytes, least_s: float, most_s: float
) -> None:
    got = await ask(answer(429, b"{}", b"retry-after: " + retry_after + b"\r\n"))
    assert isinstance(got, TokenUnavailable)
    assert got.retry_after_s is not None
    assert least_s <= got.retry_after_s <= most_s
