"""Does the endpoint give a token for the app, and does it take it?"""

import json
from typing import Any

import httpx

from streamer.checks.probes import PROBE_S, unreachable, warning
from streamer.config.settings import AppSettings, EndpointSettings
from streamer.endpoint.requests import CANCEL_PATH
from streamer.endpoint.tls import read_tls
from streamer.errors import ConfigurationError, Finding

_WHERE = "endpoint"
_TOKEN_PATH = "/oauth2/token"
_ANSWER_BYTES_MOST = 1 << 16  # a token's answer has some hundred bytes


async def endpoint_findings(settings: EndpointSettings) -> list[Finding]:
    """Asks for a token, if there is an app, and makes a call with it that does nothing.

    The call is a cancel without a trigger: whoever may call is told that it is invalid (400), and
    whoever may not is told so. Without `endpoint.instance` there is no instance to ask a token
    for, and only the way to the endpoint is tried.
    """
    tls = settings.tls
    try:
        trust = read_tls(tls.ca, tls.cert, tls.key, where="endpoint.tls")
    except ConfigurationError as error:
        return list(error.findings)
    try:
        client = httpx.AsyncClient(
            base_url=settings.base_url,
            verify=trust.context(),
            timeout=PROBE_S,
            trust_env=False,
            proxy=settings.proxy.reveal() if settings.proxy else None,
        )
    except (ValueError, httpx.InvalidURL):
        do = "write it as `http://HOST:PORT`, with `USER:PASSWORD@` before HOST if it wants them"
        return [Finding("endpoint.proxy", "is no address of a proxy", do)]
    async with client:
        try:
            return await _login(client, settings)
        except httpx.HTTPError as error:
            found, do = unreachable(error, settings.base_url, "endpoint.base_url")
            return [Finding(_WHERE, found, do)]


async def _login(client: httpx.AsyncClient, settings: EndpointSettings) -> list[Finding]:
    if settings.app is None:
        token = settings.token.reveal() if settings.token else ""
        return _judge_call(await _call(client, CANCEL_PATH, {}, token), "endpoint.token")
    if settings.instance is None:
        await _call(client, CANCEL_PATH, {}, "")
        return []
    status, answer = await _call(
        client, _TOKEN_PATH, _token_request(settings.app, settings.instance), ""
    )
    granted = answer.get("access_token")
    if status >= 300 or not isinstance(granted, str) or not granted:
        return _judge_token(status, answer)
    return _judge_call(await _call(client, CANCEL_PATH, {}, granted), "endpoint.app")


def _token_request(app: AppSettings, instance: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": app.id,
        "client_secret": app.secret.reveal(),
        "instance_id": instance,
    }


async def _call(
    client: httpx.AsyncClient, path: str, body: dict[str, str], token: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of the answer; empty where it is none or longer than bounded."""
    headers = {"Authorization": token} if token else {}
    received = b""
    async with client.stream("POST", path, json=body, headers=headers) as answer:
        async for chunk in answer.aiter_bytes():
            received += chunk
            if len(received) > _ANSWER_BYTES_MOST:
                return answer.status_code, {}
    try:
        parsed = json.loads(received)
    except (ValueError, RecursionError):
        parsed = None
    return answer.status_code, parsed if isinstance(parsed, dict) else {}


def _judge_token(status: int, answer: dict[str, Any]) -> list[Finding]:
    code = answer.get("error")
    said = f" {code}" if code in _OAUTH_ERRORS else ""
    if status == 404:
        return [_no_api(status)]
    if status in (400, 401, 403):
        return [
            Finding(
                _WHERE,
                f"the token is refused ({status}{said})",
                "mend endpoint.app.id or endpoint.app.secret; if they are right, see whether the"
                " app is installed where endpoint.instance says",
            )
        ]
    return [
        warning(
            _WHERE,
            f"the token call is answered with {status} and no token",
            "look at endpoint.base_url; if it is right, delivery waits until tokens are given",
        )
    ]


_OAUTH_ERRORS = frozenset(  # RFC 6749, 5.2
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


def _judge_call(outcome: tuple[int, dict[str, Any]], setting: str) -> list[Finding]:
    status, answer = outcome
    if status == 401:
        return [Finding(_WHERE, "the token is not accepted (401)", f"mend {setting}")]
    if status == 403:
        return [
            Finding(
                _WHERE,
                "the app may not report events (403)",
                'give the app the permission "Set Up Automations"',
            )
        ]
    if 300 <= status < 400 or (status == 404 and not answer):
        return [_no_api(status)]
    if status == 429 or status >= 500:
        return [
            warning(_WHERE, f"a call is answered with {status}", "try again: delivery waits for it")
        ]
    return []


def _no_api(status: int) -> Finding:
    return Finding(
        _WHERE,
        f"the report API is not at this address ({status})",
        "set endpoint.base_url to the base address of the platform's API",
    )
