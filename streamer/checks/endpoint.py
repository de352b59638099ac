"""Does the endpoint give a token for the app, and does it take it?"""

import json
from typing import Any

import httpx

from streamer.checks.probes import PROBE_S, unreachable, warning
from streamer.config.settings import AppSettings, EndpointSettings
from streamer.endpoint.failures import words
from streamer.endpoint.request_head import takes_value
from streamer.endpoint.requests import CANCEL_PATH
from streamer.endpoint.tls import read_tls
from streamer.endpoint.token_client import is_usable
from streamer.errors import ConfigurationError, Finding

_TOKEN_PATH = "/oauth2/token"
_NO_INSTANCE = "00000000-0000-4000-8000-000000000000"
_ANSWER_BYTES_MOST = 1 << 16  # a token's answer has some hundred bytes


async def endpoint_findings(
    settings: EndpointSettings, section: str = "endpoint", instance: str | None = None
) -> list[Finding]:
    """Asks for a token, if there is an app, and makes a call with it that does nothing.

    The call is a cancel without a trigger: whoever may call is told that it is invalid (400), and
    whoever may not is told so. Any other answer is not the API's. Without an instance a token is
    asked for one that does not exist: whether the app or the instance is refused tells whether the
    secret is right. No call is made without a token. `section` is where the configuration has the
    endpoint, and `instance` stands in where that names none.
    """
    tls = settings.tls
    try:
        trust = read_tls(tls.ca, tls.cert, tls.key, where=f"{section}.tls")
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
    except (ValueError, ImportError, httpx.InvalidURL):
        do = "write it as `http://HOST:PORT`, with `USER:PASSWORD@` before HOST if it wants them"
        return [Finding(f"{section}.proxy", "is no address of a proxy", do)]
    async with client:
        try:
            return await _login(client, settings, _Judge(section), settings.instance or instance)
        except httpx.ProxyError as error:
            found = f"the proxy opens no way to {settings.base_url} ({words(str(error))})"
            do = "correct its address, user name and password, or ask who runs it to allow that"
            return [Finding(f"{section}.proxy", found, do)]
        except httpx.HTTPError as error:
            if isinstance(error, httpx.LocalProtocolError) and settings.app is None:
                return [_unsendable(section)]
            found, do = unreachable(error, settings.base_url, f"{section}.base_url")
            return [Finding(section, found, do)]


async def _login(
    client: httpx.AsyncClient, settings: EndpointSettings, judge: "_Judge", instance: str | None
) -> list[Finding]:
    if settings.app is None:
        token = settings.token.reveal() if settings.token else ""
        if not takes_value(token):
            return [_unsendable(judge.section)]
        return judge.call(await _call(client, CANCEL_PATH, {}, token), "token")
    request = _token_request(settings.app, instance or _NO_INSTANCE)
    status, answer = await _call(client, _TOKEN_PATH, request, "")
    granted = answer.get("access_token")
    if status >= 300 or not is_usable(granted):
        return judge.token(status, answer, of_an_instance=instance is not None)
    return judge.call(await _call(client, CANCEL_PATH, {}, granted), "app")


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
    headers = {b"Authorization": token.encode("latin-1")} if token else {}
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


_OF_THE_APP = frozenset({"invalid_client", "unauthorized_client"})
"""Those of them that are about the client itself, whatever the instance."""


def _unsendable(section: str) -> Finding:
    do = "write it in one line, without blanks around it, as the platform gave it"
    return Finding(f"{section}.token", "holds characters that HTTP does not take", do)


def _is_error_of_the_api(answer: dict[str, Any]) -> bool:
    """Of another service's JSON few have both; a gateway's has a message alone."""
    return isinstance(answer.get("message"), str) and isinstance(answer.get("details"), dict)


_REFUSED = (400, 404, 428)
"""What the API answers to a call without a trigger, with an error of its shape. It accepts none."""


class _Judge:
    """What an answer says of the endpoint that stands in this section of the configuration."""

    def __init__(self, section: str) -> None:
        self.section = section

    def token(self, status: int, answer: dict[str, Any], *, of_an_instance: bool) -> list[Finding]:
        code = answer.get("error")
        said = f" {code}" if code in _OAUTH_ERRORS else ""
        section = self.section
        if status == 404:
            return [self._no_api(status)]
        if status in (400, 401, 403) and code == "unsupported_grant_type":
            do = f"set {section}.base_url to the base address of the platform's API"
            found = f"no tokens for apps are given at this address ({status}{said})"
            return [Finding(section, found, do)]
        if status in (400, 401, 403) and not of_an_instance:
            return self._app(status, code)
        if status in (400, 401, 403):
            return [
                Finding(
                    section,
                    f"the token is refused ({status}{said})",
                    f"mend {section}.app.id or {section}.app.secret; if they are right, see whether"
                    " the app is installed at the app instance that the configuration names",
                )
            ]
        return [
            warning(
                section,
                f"the token call is answered with {status} and no token",
                f"look at {section}.base_url; if it is right, delivery waits until tokens are"
                " given",
            )
        ]

    def _app(self, status: int, code: object) -> list[Finding]:
        """Of an instance that does not exist: refusing it is right."""
        section = self.section
        if code in _OF_THE_APP:
            do = f"mend {section}.app.id or {section}.app.secret"
            return [Finding(section, f"the app is refused ({status} {code})", do)]
        if code in _OAUTH_ERRORS:
            return []
        return [
            warning(
                section,
                f"whether the secret is right cannot be told ({status}): no app instance is named,"
                " and of one that does not exist the endpoint does not say what it refuses",
                f"set {section}.instance, if only for this check",
            )
        ]

    def call(self, outcome: tuple[int, dict[str, Any]], setting: str) -> list[Finding]:
        status, answer = outcome
        section = self.section
        if status == 401:
            do = f"mend {section}.{setting}"
            return [Finding(section, "the token is not accepted (401)", do)]
        if status == 403:
            return [
                Finding(
                    section,
                    "the app may not report events (403)",
                    'give the app the permission "Set Up Automations"',
                )
            ]
        if status in (408, 425, 429) or status >= 500:
            found = f"a call is answered with {status}"
            return [warning(section, found, "try again: delivery waits for it")]
        if status in _REFUSED and _is_error_of_the_api(answer):
            return []
        return [self._no_api(status)]

    def _no_api(self, status: int) -> Finding:
        return Finding(
            self.section,
            f"the report API is not at this address ({status})",
            f"set {self.section}.base_url to the base address of the platform's API",
        )
