"""What every HTTP client of the delivery path must do, whatever the server does."""

import asyncio
import socket
from time import monotonic

import pytest

from streamer.endpoint.http import HttpOptions
from streamer.model import Answer, NoAnswer, NoAnswerKind
from tests.unit.endpoint.contract import (
    BROKEN,
    HASTY,
    HEADERS,
    NOT_SENT,
    PATIENT,
    RESET,
    TIMEOUT,
    UNCONNECTED_SOON,
    Make,
    call,
    closed_port,
    eventually,
    every_client,
    kind,
    using,
)
from tests.unit.endpoint.misbehaving_server import OK_BODY, serving

# --- what is sent and what is read --------------------------------------------------------------


@every_client
async def test_the_call_arrives_with_its_headers_and_body_as_given(make: Make) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        headers = (("authorization", "a.token"), ("x-one", "1"))
        exchange = await client.post(server.url("/ok"), headers, b'{"a": "\xc3\xa9"}')

    assert exchange == Answer(200, OK_BODY, None, None, "application/json")
    (arrived,) = server.calls
    assert (arrived.method, arrived.path, arrived.body) == ("POST", "/ok", b'{"a": "\xc3\xa9"}')
    assert arrived.headers["authorization"] == "a.token"
    assert arrived.headers["x-one"] == "1"
    assert "cookie" not in arrived.headers
    assert "gzip" not in arrived.headers.get("accept-encoding", "")


@every_client
@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/chunked", 200, b"{}"),
        ("/no-content", 204, b""),
        ("/interim", 200, OK_BODY),
        ("/until-end", 200, b"{}"),
        ("/status/404", 404, OK_BODY),
        ("/status/500", 500, OK_BODY),
        ("/gzip", 200, b"not gzip"),
        ("/latin", 200, OK_BODY),
        ("/big/1000000", 200, b"x" * 1_000_000),
    ],
)
async def test_an_answer_is_read_whole(make: Make, path: str, status: int, body: bytes) -> None:
    async with serving() as server:
        exchange = await call(make, server.url(path))

    assert isinstance(exchange, Answer)
    assert exchange.status == status
    assert exchange.body == body


@every_client
async def test_retry_after_and_request_id_are_read(make: Make) -> None:
    async with serving() as server, using(make, HttpOptions(wall_clock=lambda: 90.0)) as client:
        answers = {
            path: await client.post(server.url(path), HEADERS, b"{}")
            for path in (
                "/retry-after",
                "/retry-date",
                "/retry-junk",
                "/request-id",
                "/request-id-junk",
            )
        }

    seen = {
        path: (answer.retry_after_s, answer.request_id)
        for path, answer in answers.items()
        if isinstance(answer, Answer)
    }
    assert seen == {
        "/retry-after": (7.0, None),
        "/retry-date": (10.0, None),
        "/retry-junk": (None, None),
        "/request-id": (None, "1700000000.42-abc"),
        "/request-id-junk": (None, None),
    }


@every_client
async def test_a_redirect_is_an_answer_and_is_not_followed(make: Make) -> None:
    async with serving() as server:
        exchange = await call(make, server.url("/redirect"))

    assert isinstance(exchange, Answer)
    assert exchange.status == 307
    assert [seen.path for seen in server.calls] == ["/redirect"]


@every_client
async def test_a_cookie_is_not_kept(make: Make) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        await client.post(server.url("/cookie"), HEADERS, b"{}")
        await client.post(server.url("/ok"), HEADERS, b"{}")

    assert "cookie" not in server.calls[1].headers


@every_client
async def test_a_connection_serves_call_after_call(make: Make) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        for _ in range(5):
            assert isinstance(await client.post(server.url("/ok"), HEADERS, b"{}"), Answer)

    assert [seen.connection for seen in server.calls] == [0] * 5


@every_client
async def test_many_calls_run_side_by_side(make: Make) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        calls = [
            asyncio.ensure_future(client.post(server.url("/wait"), HEADERS, b"%d" % number))
            for number in range(256)
        ]
        await eventually(lambda: len(server.calls) == 256)
        server.released.set()
        exchanges = await asyncio.gather(*calls)

    assert all(isinstance(exchange, Answer) for exchange in exchanges)
    assert {seen.body for seen in server.calls} == {b"%d" % number for number in range(256)}
    assert len(server.calls) == 256


# --- what goes wrong ----------------------------------------------------------------------------


@every_client
async def test_a_refused_connection_was_not_sent(make: Make) -> None:
    exchange = await call(make, f"http://127.0.0.1:{closed_port()}/ok")

    assert isinstance(exchange, NoAnswer)
    assert exchange.kind is NOT_SENT
    assert "refused" in exchange.detail.lower()


@every_client
async def test_an_unknown_host_was_not_sent(make: Make) -> None:
    assert kind(await call(make, "http://nowhere.invalid/ok")) is NOT_SENT


@every_client
@pytest.mark.parametrize("url", ["http://:x/", "ftp://127.0.0.1/", "nothing", "http://[::1/", ""])
async def test_a_url_that_is_none_was_not_sent(make: Make, url: str) -> None:
    assert kind(await call(make, url)) is NOT_SENT


@every_client
@pytest.mark.parametrize("token", ["a\r\nx-smuggled: 1", "a\nb", "a\x00b"])
async def test_a_token_that_breaks_out_of_its_header_is_not_sent(make: Make, token: str) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        exchange = await client.post(server.url("/ok"), (("authorization", token),), b"{}")

    assert isinstance(exchange, NoAnswer)
    assert exchange.kind is NOT_SENT
    assert token not in exchange.detail
    assert server.calls == []


@every_client
@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/ends-before", {RESET}),
        ("/resets-before", {RESET}),
        ("/half-head", {RESET, BROKEN}),
        ("/resets-in-body", {RESET, BROKEN}),
        ("/short", {BROKEN}),
        ("/short-chunk", {BROKEN}),
        ("/bad-chunk", {BROKEN}),
        ("/not-http", {BROKEN}),
        ("/bad-status", {BROKEN}),
        ("/bad-header", {BROKEN}),
        ("/bad-length", {BROKEN}),
        ("/two-lengths", {BROKEN}),
        ("/long-header", {BROKEN, RESET}),
    ],
)
async def test_an_answer_that_is_none_is_told_and_the_call_is_made_once(
    make: Make, path: str, kinds: set[NoAnswerKind]
) -> None:
    async with serving() as server:
        exchange = await call(make, server.url(path))

    assert kind(exchange) in kinds
    assert [seen.path for seen in server.calls] == [path]


@every_client
@pytest.mark.parametrize("path", ["/stalls-before", "/stalls-in-head", "/stalls-in-body"])
async def test_a_stalled_answer_ends_with_the_time_out(make: Make, path: str) -> None:
    async with serving() as server:
        started = monotonic()
        exchange = await call(make, server.url(path), HASTY)

    assert kind(exchange) is TIMEOUT
    assert HASTY.timeout_s * 0.9 <= monotonic() - started < 10


@every_client
@pytest.mark.parametrize("path", ["/drips-in-body", "/drips-in-head", "/drips-interims"])
async def test_an_answer_that_drips_for_ever_ends_with_the_time_out(make: Make, path: str) -> None:
    async with serving() as server:
        started = monotonic()
        exchange = await call(make, server.url(path), HASTY)

    assert kind(exchange) is TIMEOUT
    assert monotonic() - started < 15


@every_client
async def test_a_host_that_does_not_answer_at_all_was_not_sent_to(make: Make) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for taker in (first, second):  # they fill its queue, further ones are not answered
            taker.setblocking(False)
            taker.connect_ex(listener.getsockname())
        exchange = await call(
            make, f"http://127.0.0.1:{listener.getsockname()[1]}/ok", UNCONNECTED_SOON
        )

    assert kind(exchange) is NOT_SENT


@every_client
@pytest.mark.parametrize("path", ["/endless", "/big/2000000"])
async def test_an_answer_beyond_the_limit_is_given_up(make: Make, path: str) -> None:
    options = HttpOptions(timeout_s=20.0, answer_bytes_most=1_000_000)
    async with serving() as server, using(make, options) as client:
        exchange = await client.post(server.url(path), HEADERS, b"{}")
        if path == "/endless":  # the rest of a short one may be read for the next call's sake
            await eventually(lambda: server.open_connections == 0)

    assert kind(exchange) is BROKEN


@every_client
async def test_an_answer_of_just_the_limit_is_read(make: Make) -> None:
    options = HttpOptions(timeout_s=20.0, answer_bytes_most=1_000_000)
    async with serving() as server:
        exchange = await call(make, server.url("/big/1000000"), options)

    assert isinstance(exchange, Answer)


@every_client
async def test_a_kept_connection_that_is_reset_under_a_call_loses_it_by_name(make: Make) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        first = await client.post(server.url("/stale"), HEADERS, b"{}")
        second = await client.post(server.url("/ok"), HEADERS, b"{}")

    assert isinstance(first, Answer)
    assert kind(second) is RESET
    assert server.connections == 1, "it was tried again in silence"


@every_client
async def test_after_a_failure_the_next_call_has_a_connection_of_its_own(make: Make) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        for path in ("/short", "/resets-before", "/bad-chunk", "/not-http"):
            assert isinstance(await client.post(server.url(path), HEADERS, b"{}"), NoAnswer)
            assert isinstance(await client.post(server.url("/ok"), HEADERS, b"{}"), Answer)
