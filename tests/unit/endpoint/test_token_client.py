"""How a token is asked for, and what is made of any answer."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.endpoint.http import Headers
from streamer.endpoint.token_client import (
    TokenAnswer,
    TokenClient,
    TokenGranted,
    TokenRefused,
    TokenUnavailable,
    read_token_answer,
)
from streamer.errors import StreamerError
from streamer.model import Answer, Exchange, NoAnswer, NoAnswerKind

SECRET = "s3cr3t-of-the-app"


class ScriptedClient:
    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.calls: list[tuple[str, Headers, bytes]] = []
        self.closed = False

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        self.calls.append((url, headers, body))
        return self.exchange

    async def aclose(self) -> None:
        self.closed = True


def token_client(http: ScriptedClient, *secrets: str) -> TokenClient:
    texts: Iterator[str] = iter(secrets or (SECRET,))
    return TokenClient("https://endpoint.example/", "app-1", lambda: next(texts), http)


def read(body: object, status: int = 200) -> TokenAnswer:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_token_answer(Answer(status, encoded, 5.0, "request-1"), SECRET)


GRANTED = Answer(200, b'{"access_token":"t.o.k","token_type":"Bearer","expires_in":14400}')


async def test_it_asks_as_the_vendors_sdk_does() -> None:
    http = ScriptedClient(GRANTED)

    assert await token_client(http).ask("instance-1") == TokenGranted("t.o.k", 14400.0)

    ((url, headers, body),) = http.calls
    assert url == "https://endpoint.example/oauth2/token"
    assert dict(headers)["content-type"] == "application/json"
    assert json.loads(body) == {
        "instance_id": "instance-1",
        "client_id": "app-1",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
    }


async def test_the_secret_is_read_anew_for_each_token() -> None:
    http = ScriptedClient(GRANTED)
    client = token_client(http, "old", "new")

    await client.ask("instance-1")
    await client.ask("instance-1")

    assert [json.loads(body)["client_secret"] for _, _, body in http.calls] == ["old", "new"]


async def test_a_secret_that_is_no_unicode_makes_no_call_and_is_not_shown() -> None:
    """The byte 0xFF in an environment variable, as Python reads it."""
    http = ScriptedClient(GRANTED)

    answer = await token_client(http, f"{SECRET}\udcff").ask("instance-1")

    assert isinstance(answer, TokenUnavailable)
    assert "app.secret of the endpoint is no text in Unicode (UnicodeEncodeError)" in answer.detail
    assert SECRET not in answer.detail
    assert http.calls == []


async def test_an_unreadable_secret_makes_no_call_and_is_told() -> None:
    http = ScriptedClient(GRANTED)

    def unreadable() -> str:
        raise StreamerError("the secret's file app.txt cannot be read (it is empty)")

    answer = await TokenClient("https://endpoint.example", "app-1", unreadable, http).ask("i")

    assert isinstance(answer, TokenUnavailable)
    assert "app.secret of the endpoint: the secret's file app.txt" in answer.detail
    assert http.calls == []


async def test_an_instance_that_is_no_unicode_text_is_asked_for_with_replacements() -> None:
    http = ScriptedClient(GRANTED)

    await token_client(http).ask("a\ud800b")

    assert json.loads(http.calls[0][2])["instance_id"] == "a?b"


async def test_no_answer_is_unavailable() -> None:
    http = ScriptedClient(NoAnswer(NoAnswerKind.TIMEOUT, "no complete answer within 10 s"))

    assert await token_client(http).ask("i") == TokenUnavailable(
        "no answer to the token call (timeout): no complete answer within 10 s"
    )


async def test_closing_closes_its_client() -> None:
    http = ScriptedClient(GRANTED)
    await token_client(http).aclose()
    assert http.closed


@pytest.mark.parametrize(
    ("members", "life_s"),
    [
        ({}, 14_400.0),
        ({"expires_in": None}, 14_400.0),
        ({"expires_in": "soon"}, 14_400.0),
        ({"expires_in": True}, 14_400.0),
        ({"expires_in": [60]}, 14_400.0),
        ({"expires_in": "nan"}, 14_400.0),
        ({"expires_in": 60}, 60.0),
        ({"expires_in": 59.5}, 59.5),
        ({"expires_in": "3600"}, 3600.0),
        ({"expires_in": 1}, 10.0),
        ({"expires_in": 0}, 10.0),
        ({"expires_in": -5}, 10.0),
        ({"expires_in": "-1e300"}, 10.0),
        ({"expires_in": 1e300}, 30 * 86_400.0),
        ({"expires_in": 10**12}, 30 * 86_400.0),
        ({"expires_in": 10**400}, 14_400.0),
        ({"expires_in": "inf"}, 30 * 86_400.0),
    ],
)
def test_a_tokens_life_is_kept_sane(members: dict[str, object], life_s: float) -> None:
    assert read({"access_token": "t", **members}) == TokenGranted("t", life_s)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"access_token":"t',
        b"[]",
        b'{"access_token":' * 50_000,
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 17},
        {"access_token": "a\r\nx: y"},
        {"access_token": "a\nb"},
        {"access_token": " a"},
        {"access_token": "tök"},
        {"access_token": "a" * 16_385},
    ],
)
def test_a_success_without_a_usable_token_is_unavailable(body: object) -> None:
    answer = read(body)

    assert isinstance(answer, TokenUnavailable)
    assert "access_token" in answer.detail
    assert answer.retry_after_s == 5.0


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_oauth_error_is_a_refusal(status: int) -> None:
    body = {"error": "invalid_client", "error_description": "no such app"}

    assert read(body, status) == TokenRefused(status, "invalid_client", "no such app", "request-1")
    assert str(read(body, status)) == (
        f"the token was refused ({status} invalid_client: no such app)"
    )


def test_an_error_in_the_endpoints_own_shape_is_a_refusal() -> None:
    body = {"message": "no", "details": {"applicationError": {"code": "APP_NOT_INSTALLED"}}}

    assert read(body, 403) == TokenRefused(403, "APP_NOT_INSTALLED", "", "request-1")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"<html>bad gateway</html>"),
        (401, {}),
        (403, {"error": {"code": 1}}),
        (400, {"error": "words that are no code"}),
        (400, {"error": "temporarily_unavailable"}),
        (400, {"error": "server_error"}),
        (404, {"error": "invalid_client"}),
        (429, {"error": "invalid_client"}),
        (500, {"error": "invalid_client"}),
        (503, b""),
        (302, b""),
        (101, b""),
    ],
)
def test_any_other_answer_is_unavailable(status: int, body: object) -> None:
    answer = read(body, status)

    assert isinstance(answer, TokenUnavailable)
    assert str(status) in answer.detail
    assert answer.retry_after_s == 5.0


def test_a_redirect_names_the_setting() -> None:
    answer = read(b"", 307)

    assert isinstance(answer, TokenUnavailable)
    assert "`base_url` of the endpoint" in answer.detail


def test_neither_token_nor_secret_is_shown() -> None:
    assert "t.o.k" not in repr(TokenGranted("t.o.k", 60.0))
    assert "t.o.k" not in str(TokenGranted("t.o.k", 60.0))
    echo = read({"error": "invalid_client", "error_description": f"bad {SECRET}\n!"}, 401)
    assert isinstance(echo, TokenRefused)
    assert echo.description == "bad ... !"


@given(st.integers(100, 999), st.binary(max_size=100))
def test_any_bytes_have_an_answer(status: int, body: bytes) -> None:
    assert not isinstance(read(body, status), TokenGranted)
