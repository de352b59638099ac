"""Does every answer of a registry, and every lack of one, end in a value that says what to do?"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streamer.decoding.fetched import Fetched, RegistryUnavailable, SchemaText, SchemaUnknown
from streamer.decoding.registry import MAX_ANSWER, RegistryAccess, RegistryClient, no_answer
from streamer.decoding.registry_answers import SchemaAnswer, read_answer
from streamer.errors import ConfigurationError
from streamer.model import Reason, SchemaRef

REF = SchemaRef("id", "17")
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers every request so; gives its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


async def fetched(
    answer: Answering, *, timeout_s: float = 10, ref: SchemaRef = REF, **access: Any
) -> Fetched:
    async with (
        serving(answer) as url,
        RegistryClient(RegistryAccess(url + "/api/", **access), timeout_s) as client,
    ):
        return await client.fetch(ref)


def saying(body: object, status: int = 200, **headers: str) -> Answering:
    async def answer(request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, headers=headers)

    return answer


async def test_a_schema_is_fetched_by_id_and_by_guid() -> None:
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({"schema": '"string"'})

    assert await fetched(answer) == SchemaText('"string"')
    assert await fetched(answer, ref=SchemaRef("guid", "3f0c-1")) == SchemaText('"string"')
    assert paths == ["/api/schemas/ids/17", "/api/schemas/guids/3f0c-1"]


async def test_references_come_once_each_and_each_after_its_own() -> None:
    def schema(name: str, *references: str) -> dict[str, Any]:
        refer = [{"name": each, "subject": f"{each}/value", "version": 3} for each in references]
        return {"schema": name, "schemaType": "AVRO", "references": refer}

    graph = {
        "ids": schema("top", "a", "b"),
        "a": schema("A", "c", "b"),
        "b": schema("B", "c"),
        "c": schema("C"),
    }
    asked = []

    async def answer(request: web.Request) -> web.Response:
        raw = request.rel_url.raw_path
        asked.append(raw)
        name = raw.split("/")[3].removesuffix("%2Fvalue")
        return web.json_response(graph[name])

    assert await fetched(answer) == SchemaText("top", ("C", "B", "A"))
    assert sorted(asked) == [
        "/api/schemas/ids/17",
        "/api/subjects/a%2Fvalue/versions/3",
        "/api/subjects/b%2Fvalue/versions/3",
        "/api/subjects/c%2Fvalue/versions/3",
    ]


async def test_references_in_a_circle_and_without_end_come_to_an_end() -> None:
    async def circle(request: web.Request) -> web.Response:
        refer = [{"name": "x", "subject": "x", "version": 1}]
        return web.json_response({"schema": "s", "references": refer})

    assert await fetched(circle) == SchemaText("s", ("s",))
    count = 0

    async def endless(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        refer = [{"name": "x", "subject": "x", "version": count}]
        return web.json_response({"schema": "s", "references": refer})

    result = await fetched(endless)
    assert isinstance(result, SchemaUnknown)
    assert "builds on more than 500 others" in result.refusal.detail


async def test_credentials_are_sent_anew_each_time() -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"schema": '"int"'})

    passwords = iter(["old", "new"])
    async with serving(answer) as url:
        access = RegistryAccess(url, username="us:er", password=lambda: next(passwords))
        async with RegistryClient(access) as client:
            await client.fetch(REF)
            await client.fetch(REF)
    await fetched(answer, bearer=lambda: "t0ken")
    await fetched(answer)
    basic = [base64.b64encode(f"us:er:{word}".encode()).decode() for word in ("old", "new")]
    assert seen == [f"Basic {basic[0]}", f"Basic {basic[1]}", "Bearer t0ken", None]


@pytest.mark.parametrize("code", [40401, 40402, 40403])
async def test_the_registrys_own_not_found_is_an_unknown_schema(code: int) -> None:
    result = await fetched(saying({"error_code": code, "message": "x"}, 404))
    assert isinstance(result, SchemaUnknown)
    assert result.refusal.reason is Reason.UNKNOWN_SCHEMA
    assert "the registry has no schema id 17" in result.refusal.detail


@pytest.mark.parametrize(
    ("types", "unknown"),
    [
        (web.json_response(["AVRO"]), True),
        (web.Response(status=404), False),
        (web.Response(text="<html>welcome</html>"), False),
    ],
)
async def test_a_guid_waits_for_ever_only_where_nothing_else_answers_either(
    types: web.Response, unknown: bool
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return types if request.path == "/api/schemas/types" else web.Response(status=404)

    result = await fetched(answer, ref=SchemaRef("guid", "3f0c-1"))
    assert isinstance(result, SchemaUnknown if unknown else RegistryUnavailable)


@pytest.mark.parametrize("kind", ["PROTOBUF", "JSON", "odd"])
async def test_a_schema_of_another_kind_is_an_unknown_schema(kind: str) -> None:
    result = await fetched(saying({"schema": "x", "schemaType": kind}))
    assert isinstance(result, SchemaUnknown)
    assert "only Avro is read" in result.refusal.detail


@pytest.mark.parametrize(
    ("status", "body", "denied", "expected"),
    [
        (401, "", True, "set schemas.registry.basic or schemas.registry.bearer"),
        (403, "", True, "give its user the right to read schemas"),
        (404, "<html>nothing here</html>", False, "look at the path of schemas.registry.url"),
        (404, {"error_code": 404}, False, "look at the path of schemas.registry.url"),
        (404, [404], False, "look at the path of schemas.registry.url"),
        (429, "", False, "answers 429"),
        (500, {"error_code": 50001}, False, "answers 500"),
        (503, "", False, "answers 503"),
        (204, "", False, "answers 204"),
        (200, "", False, "with no schema in JSON"),
        (200, '{"schema": "cut', False, "with no schema in JSON"),
        (200, "[" * 100_000, False, "with no schema in JSON"),
        (200, {"schema": {"type": "int"}}, False, "with no schema in JSON"),
    ],
)
async def test_any_other_answer_is_an_outage_that_says_where_to_look(
    status: int, body: object, denied: bool, expected: str
) -> None:
    result = await fetched(saying(body, status))
    assert isinstance(result, RegistryUnavailable)
    assert (result.status, result.denied) == (status, denied)
    assert expected in result.detail


@pytest.mark.parametrize(
    "reference",
    [
        {"name": "x", "subject": 7, "version": 1},
        {"name": "x", "subject": "", "version": 1},
        {"name": "x", "subject": "..", "version": 1},
        {"name": "x", "subject": "half of a pair \ud800", "version": 1},
        {"name": "x", "subject": "x" * 1_001, "version": 1},
        {"name": "x", "subject": "x" * 70_000, "version": 1},
        {"name": "x", "subject": "s"},
        {"name": "x", "subject": "s", "version": None},
        {"name": "x", "subject": "s", "version": True},
        {"name": "x", "subject": "s", "version": 0},
        {"name": "x", "subject": "s", "version": -2},
        {"name": "x", "subject": "s", "version": 10**4_000},
        "s",
    ],
)
async def test_a_reference_that_cannot_be_asked_for_is_an_unknown_schema(reference: object) -> None:
    result = await fetched(saying({"schema": "x", "references": [reference]}))
    assert isinstance(result, SchemaUnknown)
    assert "has a reference that names no subject (of up to 1000" in result.refusal.detail


async def test_the_longest_subject_is_asked_for() -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        refer = [{"name": "x", "subject": "\U0001f680" * 1_000, "version": -1}]
        return web.json_response({"schema": "x", "references": refer if len(asked) == 1 else []})

    client_max = 16_000  # aiohttp's servers take lines of 8,190 bytes
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, max_line_size=client_max)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with RegistryClient(RegistryAccess(site.name)) as client:
        assert await client.fetch(REF) == SchemaText("x", ("x",))
    await runner.cleanup()


async def test_references_that_are_no_list_are_an_unknown_schema() -> None:
    result = await fetched(saying({"schema": "x", "references": 7}))
    assert isinstance(result, SchemaUnknown)
    assert "references that are no list" in result.refusal.detail


async def test_an_answer_with_very_many_references_is_refused_at_once() -> None:
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        refer = [{"name": "x", "subject": str(number), "version": 1} for number in range(501)]
        return web.json_response({"schema": "x", "references": refer})

    result = await fetched(answer)
    assert isinstance(result, SchemaUnknown)
    assert "builds on more than 500 others" in result.refusal.detail
    assert asked == 1


async def test_the_texts_of_references_are_bounded_as_they_come() -> None:
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        refer = [{"name": "x", "subject": "x", "version": asked}]
        return web.json_response({"schema": "x" * 1_000_000, "references": refer})

    result = await fetched(answer)
    assert isinstance(result, SchemaUnknown)
    assert f"builds on more than {MAX_ANSWER} characters of others" in result.refusal.detail
    assert asked == 6


async def test_a_schema_that_is_too_long_is_an_unknown_schema() -> None:
    result = await fetched(saying({"schema": json.dumps({"type": "int", "doc": "x" * 5_000_000})}))
    assert isinstance(result, SchemaUnknown)
    assert f"answer for schema id 17 is longer than {MAX_ANSWER} bytes" in result.refusal.detail


async def test_a_long_answer_that_is_no_success_counts_by_its_status() -> None:
    result = await fetched(saying({"message": "x" * 5_000_000}, 500))
    assert isinstance(result, RegistryUnavailable)
    assert (result.status, "answers 500" in result.detail) == (500, True)


async def test_cookies_are_not_kept() -> None:
    sent_back = []

    async def answer(request: web.Request) -> web.Response:
        sent_back.append(request.headers.get("Cookie"))
        return web.json_response({"schema": '"int"'}, headers={"Set-Cookie": "a=b"})

    async with serving(answer) as url, RegistryClient(RegistryAccess(url)) as client:
        await client.fetch(REF)
        await client.fetch(REF)
    assert sent_back == [None, None]


class Raising(httpx.AsyncBaseTransport):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.InvalidURL("x"), "the request could not be made; look at schemas.registry.url"),
        (ValueError("x"), "the request could not be made; look at schemas.registry.url"),
        (KeyError("x"), "asking it failed (KeyError); look at schemas.registry.url"),
        (httpx.ReadError("x"), "the answer ended or was no HTTP"),
    ],
)
async def test_whatever_a_fetch_raises_is_an_outage(error: Exception, expected: str) -> None:
    access = RegistryAccess("http://registry")
    async with RegistryClient(access, transport=Raising(error)) as client:
        result = await client.fetch(REF)
        greeted = await client.greet()
    assert isinstance(result, RegistryUnavailable)
    assert expected in result.detail
    assert greeted == result


@pytest.mark.parametrize(
    "access",
    [
        {"bearer": lambda: "grüß s3cret"},
        {"username": "u", "password": lambda: "s3cret \ud800"},
    ],
)
async def test_a_secret_that_no_header_can_hold_is_an_outage(access: dict[str, Any]) -> None:
    result = await fetched(saying({"schema": "x"}), **access)
    assert isinstance(result, RegistryUnavailable)
    assert "whether a secret holds what a header cannot" in result.detail
    assert "s3cret" not in result.detail


async def test_a_redirect_is_not_followed() -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    result = await fetched(answer, bearer=lambda: "t0ken")
    assert isinstance(result, RegistryUnavailable)
    assert "redirects us (302); set schemas.registry.url to the final address" in result.detail
    assert len(asked) == 1


async def test_an_endless_answer_is_cut_at_its_limit() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    result = await fetched(answer)
    assert isinstance(result, RegistryUnavailable)
    assert f"more than {MAX_ANSWER} bytes; look at schemas.registry.url" in result.detail


async def test_an_answer_that_drips_for_ever_ends_with_the_time_out() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    result = await fetched(answer, timeout_s=0.3)
    assert isinstance(result, RegistryUnavailable)
    assert "did not answer within 0.3 s" in result.detail


async def test_an_answer_that_is_cut_is_an_outage() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"schema": ')
        assert request.transport is not None
        request.transport.close()
        return response

    result = await fetched(answer)
    assert isinstance(result, RegistryUnavailable)
    assert "the answer ended or was no HTTP" in result.detail
    assert not result.denied


async def test_what_is_no_http_is_an_outage() -> None:
    async def junk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x15\x03\x01 not http\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(junk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, RegistryClient(RegistryAccess(f"http://127.0.0.1:{port}")) as client:
        result = await client.fetch(REF)
        assert isinstance(result, RegistryUnavailable)
        assert "no HTTP" in result.detail
    async with RegistryClient(RegistryAccess(f"https://127.0.0.1:{port}")) as client:
        result = await client.fetch(REF)
    assert isinstance(result, RegistryUnavailable)
    assert "look at schemas.registry.url" in result.detail


async def test_nobody_listening_is_an_outage() -> None:
    async with serving(saying("")) as url:
        pass
    async with RegistryClient(RegistryAccess(url)) as client:
        result = await client.fetch(REF)
    assert isinstance(result, RegistryUnavailable)
    assert "no connection" in result.detail
    assert "look at schemas.registry.url, and whether it runs" in result.detail


async def test_a_secret_that_breaks_the_request_is_not_shown() -> None:
    result = await fetched(saying(""), bearer=lambda: "s3cret\nX-Other: 1")
    assert isinstance(result, RegistryUnavailable)
    assert "is there a line break in a secret?" in result.detail
    assert "s3cret" not in result.detail


async def test_a_secret_that_cannot_be_read_is_said() -> None:
    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    result = await fetched(saying(""), bearer=gone)
    assert isinstance(result, RegistryUnavailable)
    assert result.denied
    assert "the secret of schemas.registry cannot be read" in result.detail


@pytest.mark.parametrize(("field", "content"), [("ca", None), ("ca", "junk"), ("cert", "junk")])
def test_a_tls_file_that_cannot_be_used_names_its_setting(
    tmp_path: Path, field: str, content: str | None
) -> None:
    file = tmp_path / "tls.pem"
    if content is not None:
        file.write_text(content)
    files: dict[str, Any] = {field: str(file)}
    with pytest.raises(ConfigurationError) as caught:
        RegistryClient(RegistryAccess("https://registry", **files))
    (finding,) = caught.value.findings
    assert finding.where == f"schemas.registry.tls.{field}"
    assert str(file) in finding.found


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that no authority signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(pem))
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


async def test_tls_is_trusted_by_the_file_that_is_set_and_refused_without(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    async with serving(saying({"schema": "x"}), context) as url:
        async with RegistryClient(RegistryAccess(url, ca=str(cert))) as client:
            assert await client.fetch(REF) == SchemaText("x")
        async with RegistryClient(RegistryAccess(url)) as client:
            result = await client.fetch(REF)
    assert isinstance(result, RegistryUnavailable)
    assert result.denied
    assert "its certificate is not trusted" in result.detail
    assert "set schemas.registry.tls.ca" in result.detail


async def test_a_client_certificate_is_shown_and_its_lack_is_said(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cert)
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    both = {"ca": str(cert), "cert": str(cert), "key": str(key)}
    async with serving(saying({"schema": "x"}), context) as url:
        async with RegistryClient(RegistryAccess(url, **both)) as client:  # type: ignore[arg-type]
            assert await client.fetch(REF) == SchemaText("x")
        async with RegistryClient(RegistryAccess(url, ca=str(cert))) as client:
            result = await client.fetch(REF)
    assert isinstance(result, RegistryUnavailable)
    # By the alert, or by the reset that overtakes it.
    assert "schemas.registry.tls" in result.detail


def test_an_address_without_a_scheme_is_told() -> None:
    detail = no_answer(httpx.UnsupportedProtocol("x")).detail
    assert "neither http:// nor https://" in detail


def test_a_null_for_an_absent_member_is_absent() -> None:
    body = json.dumps({"schema": "x", "schemaType": None, "references": None}).encode()
    assert read_answer("schema id 17", 200, body) == SchemaAnswer("x", ())


# --- before there is a schema to ask for ------------------------------------------------------


async def greeted(answer: Answering, **access: Any) -> RegistryUnavailable | None:
    async with (
        serving(answer) as url,
        RegistryClient(RegistryAccess(url, **access)) as client,
    ):
        return await client.greet()


async def test_a_greeting_is_answered_by_any_registry_that_lets_us_in() -> None:
    assert await greeted(saying(["AVRO", "JSON"])) is None
    unknown = {"error_code": 40401, "message": "an older one may not know this path"}
    assert await greeted(saying(unknown, status=404)) is None


async def test_a_greeting_tells_of_a_login_before_an_event_comes() -> None:
    refused = await greeted(saying("", status=401), username="u", password=lambda: "hush")

    assert refused is not None
    assert refused.denied
    assert "set schemas.registry.basic or schemas.registry.bearer" in refused.detail
    assert "hush" not in refused.detail


async def test_a_greeting_at_a_wrong_path_or_of_nobody_says_where_to_look() -> None:
    lost = await greeted(saying("not found", status=404))
    assert lost is not None
    assert not lost.denied
    assert "schemas.registry.url" in lost.detail
