"""How every HTTP client of the delivery path treats TLS and proxies."""

from pathlib import Path

import pytest

from streamer.endpoint.http import HttpOptions
from streamer.endpoint.tls import read_tls
from streamer.model import Answer, NoAnswer
from tests.servers.certificates import Authority, server_context
from tests.unit.endpoint.contract import (
    NOT_SENT,
    UNCONNECTED_SOON,
    Make,
    call,
    closed_port,
    every_client,
    kind,
)
from tests.unit.endpoint.misbehaving_server import serving


@every_client
async def test_an_unknown_authority_was_not_sent(make: Make, tmp_path: Path) -> None:
    context = server_context(Authority(tmp_path, "own").issue("server"))
    other = Authority(tmp_path, "other")
    async with serving(context) as server:
        for tls in (read_tls(), read_tls(ca=other.ca)):
            exchange = await call(make, server.url("/ok"), HttpOptions(20.0, tls))

            assert isinstance(exchange, NoAnswer)
            assert exchange.kind is NOT_SENT
            assert "cert" in exchange.detail.lower() or "issuer" in exchange.detail.lower()
    assert server.calls == []


@every_client
async def test_an_authority_of_ones_own_is_trusted(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "own")
    async with serving(server_context(authority.issue("server"))) as server:
        tls = read_tls(ca=authority.ca)
        exchange = await call(make, server.url("/ok"), HttpOptions(20.0, tls))

    assert isinstance(exchange, Answer)


@every_client
async def test_a_client_certificate_is_presented(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "own")
    client = authority.issue("client")
    context = server_context(authority.issue("server"), authority.ca)
    async with serving(context) as server:
        with_it = HttpOptions(20.0, read_tls(authority.ca, client.cert, client.key))
        without = HttpOptions(20.0, read_tls(authority.ca))

        assert isinstance(await call(make, server.url("/ok"), with_it), Answer)
        assert isinstance(await call(make, server.url("/ok"), without), NoAnswer)


@every_client
async def test_tls_to_a_plain_server_was_not_sent(make: Make) -> None:
    async with serving() as server:
        # What it reads is no head of a request; the connection ends when the client gives up.
        exchange = await call(make, server.url("/ok").replace("http:", "https:"), UNCONNECTED_SOON)

    assert kind(exchange) is NOT_SENT
    assert server.calls == []


@every_client
async def test_calls_go_through_the_proxy(make: Make) -> None:
    async with serving() as proxy:
        options = HttpOptions(20.0, proxy=f"http://joe:hunter2@localhost:{proxy.port}")
        exchange = await call(make, "http://endpoint.invalid/ok", options)

    assert isinstance(exchange, Answer)
    (seen,) = proxy.calls
    assert seen.path == "http://endpoint.invalid/ok"
    assert seen.headers["proxy-authorization"] == "Basic am9lOmh1bnRlcjI="


@every_client
async def test_a_proxy_that_opens_no_tunnel_was_not_sent(make: Make) -> None:
    async with serving() as proxy:
        options = HttpOptions(20.0, proxy=f"http://joe:hunter2@localhost:{proxy.port}")
        exchange = await call(make, "https://endpoint.invalid/ok", options)

    assert isinstance(exchange, NoAnswer)
    assert exchange.kind is NOT_SENT
    assert "hunter2" not in exchange.detail
    assert [seen.method for seen in proxy.calls] == ["CONNECT"]


@every_client
async def test_a_proxy_that_is_not_there_is_told_without_its_password(make: Make) -> None:
    options = HttpOptions(20.0, proxy=f"http://joe:hunter2@127.0.0.1:{closed_port()}")
    exchange = await call(make, "http://endpoint.invalid/ok", options)

    assert isinstance(exchange, NoAnswer)
    assert exchange.kind is NOT_SENT
    assert "hunter2" not in exchange.detail


@every_client
async def test_proxies_of_the_environment_are_not_used(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    async with serving() as server:
        assert isinstance(await call(make, server.url("/ok")), Answer)
