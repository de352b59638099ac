"""Does each probe say what is wrong, and which setting to change?"""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from confluent_kafka import Producer

from streamer.checks import probes
from streamer.checks.all import findings_beside
from streamer.checks.broker import ask_brokers
from streamer.checks.endpoint import endpoint_findings
from streamer.checks.registry import registry_findings
from streamer.config.settings import EndpointSettings, KafkaSettings, RegistrySettings
from streamer.errors import Finding, Severity
from tests.unit.config_samples import loaded

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serves = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serves]:
    """Starts servers that answer everything by one handler, and gives their addresses."""
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


def answers(status: int, body: Any = None, **headers: str) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    return handle


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def only(findings: list[Finding]) -> str:
    assert len(findings) == 1, findings
    return str(findings[0])


# --- registry ---------------------------------------------------------------------------------


def registry(url: str, **more: Any) -> RegistrySettings:
    return RegistrySettings.model_validate({"url": url, **more})


async def test_a_registry_that_answers_is_fine(serve: Serves) -> None:
    assert await registry_findings(registry(await serve(answers(200, ["AVRO"])))) == []


async def test_the_login_is_sent(serve: Serves) -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response([])

    url = await serve(handle)

    await registry_findings(registry(url, basic={"username": "u", "password": "p"}))
    await registry_findings(registry(url, bearer="b"))

    assert seen == ["Basic " + base64.b64encode(b"u:p").decode(), "Bearer b"]


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        (401, {}, "asks for a login (401); set schemas.registry.basic or"),
        (401, {"basic": {"username": "u", "password": "hush"}}, "mend schemas.registry.basic"),
        (403, {"bearer": "hush"}, "refuses the login (403); mend schemas.registry.bearer"),
        (302, {}, "redirects (302), which is not followed; set schemas.registry.url"),
        (404, {}, "has no schema registry API (404); set schemas.registry.url"),
        (503, {}, "answers 503; look at the registry"),
    ],
)
async def test_a_registry_that_does_not_serve_us_names_the_setting(
    serve: Serves, status: int, more: dict[str, Any], expected: str
) -> None:
    found = only(await registry_findings(registry(await serve(answers(status)), **more)))

    assert expected in found
    assert "hush" not in found


async def test_a_registry_that_is_not_there_names_the_url() -> None:
    url = f"http://127.0.0.1:{closed_port()}"

    found = only(await registry_findings(registry(url)))

    assert found.startswith(f"error: registry: {url} cannot be reached (")
    assert found.endswith("mend schemas.registry.url, or the way to it")


async def test_a_registry_without_tls_is_told_from_one_that_is_away(serve: Serves) -> None:
    url = (await serve(answers(200))).replace("http://", "https://")

    found = only(await registry_findings(registry(url)))

    assert "do not agree on TLS; look at http or https in schemas.registry.url" in found


async def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("junk")

    found = only(
        await registry_findings(registry("https://r", tls={"ca": str(tmp_path / "ca.pem")}))
    )

    assert "schemas.registry.tls.ca" in found


# --- endpoint ---------------------------------------------------------------------------------

APP = {"id": "an-app", "secret": "hush"}


def endpoint(url: str, **more: Any) -> EndpointSettings:
    return EndpointSettings.model_validate({"base_url": url, **more})


def platform(token_status: int, call_status: int, token: Any = None) -> Handler:
    """A platform that answers token calls and other calls by these statuses."""

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/oauth2/token":
            granted = {"access_token": "granted"} if token is None else token
            return web.json_response(granted, status=token_status)
        taken = request.headers.get("Authorization") == "granted"
        return web.json_response(
            {"message": "", "details": {}}, status=call_status if taken else 401
        )

    return handle


async def test_a_platform_that_knows_the_app_is_fine(serve: Serves) -> None:
    url = await serve(platform(200, 400))

    assert await endpoint_findings(endpoint(url, app=APP, instance="i")) == []
    assert await endpoint_findings(endpoint(url, token="granted")) == []
    assert await endpoint_findings(endpoint(url, app=APP)) == []


async def test_that_there_is_nothing_to_cancel_is_no_fault(serve: Serves) -> None:
    url = await serve(platform(200, 404))

    assert await endpoint_findings(endpoint(url, token="granted")) == []


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (platform(401, 400, {"error": "invalid_client"}), "the token is refused (401 invalid_cl"),
        (platform(401, 400, {"error": "hush"}), "mend endpoint.app.id or endpoint.app.secret"),
        (platform(400, 400, {}), "the token is refused (400)"),
        (platform(200, 400, {"access_token": 5}), "answered with 200 and no token"),
        (platform(200, 400, []), "answered with 200 and no token"),
        (platform(503, 400, {}), "answered with 503 and no token"),
        (platform(404, 400, {}), "the report API is not at this address (404)"),
        (platform(200, 401), "the token is not accepted (401); mend endpoint.app"),
        (platform(200, 403), 'give the app the permission "Set Up Automations"'),
        (platform(200, 302), "the report API is not at this address (302)"),
        (platform(200, 503), "a call is answered with 503"),
    ],
)
async def test_a_platform_that_refuses_us_names_the_setting(
    serve: Serves, handler: Handler, expected: str
) -> None:
    found = only(await endpoint_findings(endpoint(await serve(handler), app=APP, instance="i")))

    assert expected in found
    assert "hush" not in found
    assert "granted" not in found


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (
            platform(401, 400, {"error": "invalid_client"}),
            "the app is refused (401 invalid_client)",
        ),
        (platform(401, 400, {"error": "hush"}), "whether the secret is right cannot be told (401)"),
        (
            platform(400, 400, {"error": "unsupported_grant_type"}),
            "no tokens for apps are given at this address (400 unsupported_grant_type); set endp",
        ),
        (platform(404, 400, {}), "the report API is not at this address (404)"),
        (platform(200, 403), 'give the app the permission "Set Up Automations"'),
    ],
)
async def test_a_secret_is_tried_where_no_instance_is_named(
    serve: Serves, handler: Handler, expected: str
) -> None:
    found = only(await endpoint_findings(endpoint(await serve(handler), app=APP)))

    assert expected in found
    assert "hush" not in found


async def test_an_instance_that_does_not_exist_may_be_refused_and_nothing_is_sent_without_a_token(
    serve: Serves,
) -> None:
    called: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        called.append(request.path)
        return web.json_response({"error": "invalid_grant"}, status=400)

    assert await endpoint_findings(endpoint(await serve(handle), app=APP)) == []
    assert called == ["/oauth2/token"]


async def test_a_ready_token_that_is_refused_is_named(serve: Serves) -> None:
    found = only(await endpoint_findings(endpoint(await serve(platform(200, 400)), token="old")))

    assert "the token is not accepted (401); mend endpoint.token" in found


API_ERROR = {"message": "no trigger", "details": {"applicationError": {"code": "NOT_FOUND"}}}


@pytest.mark.parametrize("status", [400, 404, 428])
async def test_an_error_of_the_api_is_what_a_call_without_a_trigger_is_answered(
    serve: Serves, status: int
) -> None:
    url = await serve(answers(status, API_ERROR))

    assert await endpoint_findings(endpoint(url, token="granted")) == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>hush</html>"),
        (200, {}),
        (200, API_ERROR),
        (405, API_ERROR),
        (400, "<html>"),
        (400, ["message"]),
        (404, {"message": "no Route matched with those values"}),
        (404, {"status": 404, "error": "Not Found", "path": "/"}),
        (428, {"details": {}}),
    ],
)
async def test_what_takes_a_call_without_a_trigger_or_speaks_otherwise_is_not_the_api(
    serve: Serves, status: int, body: Any
) -> None:
    url = await serve(answers(status, body))

    found = only(await endpoint_findings(endpoint(url, token="granted")))

    assert f"endpoint: the report API is not at this address ({status})" in found
    assert "hush" not in found


@pytest.mark.parametrize("token", ["hush hush€", "hush\nhush", " hush", "hush\udcff"])
async def test_a_token_that_http_cannot_carry_is_named_and_not_sent(
    serve: Serves, token: str
) -> None:
    found = only(await endpoint_findings(endpoint(await serve(platform(200, 400)), token=token)))

    assert found.startswith("error: endpoint.token: holds characters that HTTP does not take; ")
    assert "hush" not in found


async def test_a_token_is_sent_in_the_characters_that_the_delivery_sends(serve: Serves) -> None:
    url = await serve(platform(200, 400))

    found = only(await endpoint_findings(endpoint(url, token="hush-tökén-hush")))

    assert "the token is not accepted (401); mend endpoint.token" in found


async def test_an_endpoint_that_is_not_there_names_the_url() -> None:
    found = only(await endpoint_findings(endpoint(f"http://127.0.0.1:{closed_port()}", token="t")))

    assert "cannot be reached" in found
    assert "endpoint.base_url" in found


async def test_a_proxy_that_is_none_is_named_without_its_password() -> None:
    settings = endpoint("http://127.0.0.1:1", token="t", proxy="http://u:hush@x\n:1")

    found = only(await endpoint_findings(settings))

    assert "endpoint.proxy" in found
    assert "hush" not in found


async def test_a_proxy_that_wants_another_login_is_named_without_its_password() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = f"http://u:hush@127.0.0.1:{port}"
        settings = endpoint("https://platform.example", token="t", proxy=proxy)

        found = only(await endpoint_findings(settings))

    assert "endpoint.proxy" in found
    assert "407" in found
    assert "hush" not in found


async def test_every_endpoint_is_asked_and_named(serve: Serves, tmp_path: Path) -> None:
    good, away = await serve(platform(200, 400)), f"http://127.0.0.1:{closed_port()}"
    bad = await serve(platform(401, 400, {"error": "invalid_client"}))
    (tmp_path / "avro").mkdir()
    text = f"""\
kafka: {{bootstrap_servers: "localhost:9092", group_id: g}}
schemas: {{directory: avro}}
endpoints:
  default: {{base_url: "{good}", app: {{id: a, secret: hush}}, instance: i}}
  crm: {{base_url: "{bad}", app: {{id: b, secret: hush}}}}
  away: {{base_url: "{away}", token: hush}}
routes:
  - {{name: one, topic: t, trigger: one}}
  - {{name: two, topic: t, trigger: two, endpoint: crm, instance: event.site}}
  - {{name: three, topic: t, trigger: three, endpoint: crm, instance: '"fixed"'}}
"""

    found = await findings_beside(loaded(tmp_path, text))

    crm, gone = (finding for finding in found if finding.where.startswith("endpoint"))
    assert str(crm).startswith("error: endpoints.crm: the token is refused (401 invalid_client)")
    assert "mend endpoints.crm.app.id or endpoints.crm.app.secret" in crm.do
    assert str(gone).startswith(f"error: endpoints.away: {away} cannot be reached")
    assert gone.do == "mend endpoints.away.base_url, or the way to it"
    assert not any("hush" in str(it) for it in found)


# --- bounds -----------------------------------------------------------------------------------


async def test_a_probe_that_never_ends_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(probes, "PROBE_S", -2.0)

    async def never() -> list[Finding]:
        await asyncio.Event().wait()
        return []

    found = only(await probes.bounded("registry", never(), "mend it"))

    assert found.startswith("error: registry: there was no answer within")


async def test_a_probe_that_breaks_is_a_finding_without_what_it_says() -> None:
    async def broken() -> list[Finding]:
        raise RuntimeError("hush")

    found = only(await probes.bounded("endpoint", broken(), "mend it"))

    assert found.startswith("error: endpoint: it cannot be told whether this works (RuntimeError)")
    assert "hush" not in found


# --- broker -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mock_cluster() -> Iterator[str]:
    """librdkafka's own cluster of one broker, with the topics orders and orders.dlq."""
    producer = Producer({"test.mock.num.brokers": 1})
    for topic in ("orders", "orders.dlq"):
        producer.produce(topic, b"x")
    producer.flush(10)
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    producer.flush(0)  # the cluster lives as long as its producer is referred to


def kafka(servers: str, **properties: str) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {"bootstrap_servers": servers, "group_id": "g", "properties": properties}
    )


def broker_findings(settings: KafkaSettings, wanted: list[str]) -> list[Finding]:
    return list(ask_brokers(settings, wanted, lambda topic: topic.endswith(".dlq")).findings)


def test_brokers_and_topics_that_are_there_are_fine(mock_cluster: str) -> None:
    answer = ask_brokers(kafka(mock_cluster), ["orders", "^ord.*"], lambda topic: "dlq" in topic)

    assert answer.findings == ()
    assert answer.topics == ("orders",)


def test_a_topic_that_is_missing_names_the_nearest(mock_cluster: str) -> None:
    found = only(broker_findings(kafka(mock_cluster), ["order"]))

    assert "topic order: there is no such topic" in found
    assert "did you mean orders?" in found


def test_a_pattern_without_a_topic_warns(mock_cluster: str) -> None:
    findings = broker_findings(kafka(mock_cluster), [r"^.*\.dlq"])

    assert "no topic matches" in only(findings)
    assert findings[0].severity is Severity.WARNING


def test_brokers_that_are_not_there_name_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.checks.broker.PROBE_S", 1.0)

    found = only(broker_findings(kafka(f"127.0.0.1:{closed_port()}"), []))

    assert found.startswith("error: kafka: the brokers at 127.0.0.1:")
    assert "do not answer (connection refused); mend kafka.bootstrap_servers" in found


def test_a_host_that_is_unknown_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.checks.broker.PROBE_S", 2.0)

    found = only(broker_findings(kafka("no-such-host.invalid:9092"), []))

    assert "no-such-host.invalid:9092 have an unknown host name; mend kafka.boot" in found


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"no.such.property": "hush"}, "kafka.properties.no.such.property: the client does not"),
        ({"socket.timeout.ms": "hush"}, "kafka.properties.socket.timeout.ms: the client does not"),
        ({"security.protocol": "hush"}, "kafka.properties.security.protocol: the client does not"),
        ({"ssl.ca.location": "/none/hush"}, "kafka.properties"),
    ],
)
def test_a_property_that_the_client_refuses_is_named_without_its_value(
    properties: dict[str, str], expected: str
) -> None:
    more = {"security.protocol": "SSL"} if "ssl.ca.location" in properties else {}

    found = only(broker_findings(kafka("127.0.0.1:1", **properties, **more), []))

    assert expected in found
    assert "hush" not in found
