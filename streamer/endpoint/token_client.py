"""How is an access token for an app instance asked for, and what does the answer say?"""

import math
import re
from collections.abc import Callable, Mapping
from typing import TypeGuard, cast

import msgspec
from msgspec import Struct

from streamer.endpoint.http import HttpClient
from streamer.errors import StreamerError
from streamer.model import Answer, NoAnswer

TOKEN_PATH = "/oauth2/token"
LIFE_DEFAULT_S = 14_400.0  # the endpoint's reference page; RFC 6749 lets `expires_in` be left out
LIFE_LEAST_S = 10.0
"""A shorter life is not believed (a 0 for "without end", hours, a clock that is wrong): the token
is used for so long, and the endpoint's 401 ends it earlier."""
LIFE_MOST_S = 30 * 24 * 3600.0
"""A longer life is not believed; a token that ended earlier is renewed after the endpoint's 401."""
ANSWER_BYTES_MOST = 1024 * 1024
"""For the client's options. An answer has a few hundred bytes, a token some thousand."""

_TOKEN = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,16382}[\x21-\x7e])?")
"""What may stand in a header: visible ASCII (RFC 6750 and RFC 9110), 16 KiB at most."""
_ERROR = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_DESCRIPTION_MOST = 200

_PASSING_ERRORS = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""Errors of OAuth 2.0 that say nothing of the app or its instance."""

_HEADERS = (
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", "streamer"),
)


class TokenGranted(Struct, frozen=True):
    token: str
    expires_in_s: float
    """At least `LIFE_LEAST_S`, at most `LIFE_MOST_S`."""

    def __repr__(self) -> str:
        return f"TokenGranted(token=..., expires_in_s={self.expires_in_s})"


class TokenRefused(Struct, frozen=True):
    """For good: the app's id or secret is wrong, or the instance is not (any more) the app's."""

    status: int
    error: str
    """RFC 6749's error code, such as `invalid_client`, or the endpoint's own."""
    description: str = ""
    request_id: str | None = None

    def __str__(self) -> str:
        text = f": {self.description}" if self.description else ""
        return f"the token was refused ({self.status} {self.error}{text})"


class TokenUnavailable(Struct, frozen=True):
    """No answer, or none that says anything: ask again."""

    detail: str
    retry_after_s: float | None = None


TokenAnswer = TokenGranted | TokenRefused | TokenUnavailable


class TokenClient:
    """Asks with an app's client credentials."""

    def __init__(
        self, base_url: str, app_id: str, read_secret: Callable[[], str], http: HttpClient
    ) -> None:
        """`read_secret` is called for each token: a secret in a file may have been rotated. Where
        it raises a `StreamerError` (whose text is shown), no call is made. `http` is closed by
        `aclose`."""
        self._url = base_url.rstrip("/") + TOKEN_PATH
        self._app_id = app_id
        self._read_secret = read_secret
        self._http = http

    async def ask(self, instance: str) -> TokenAnswer:
        """One call, no retry. Raises nothing for whatever the network or the answer does."""
        try:
            secret = self._read_secret()
        except StreamerError as error:
            return TokenUnavailable(f"app.secret of the endpoint: {error}")
        body = {
            # An expression can make text that is no Unicode: the endpoint refuses its replacement.
            "instance_id": instance.encode(errors="replace").decode(),
            "client_id": self._app_id,
            "client_secret": secret,
            "grant_type": "client_credentials",
        }
        try:
            content = msgspec.json.encode(body)
        except UnicodeEncodeError as error:
            return TokenUnavailable(
                "no token call can be made: app.id or app.secret of the endpoint is no text in"
                f" Unicode ({type(error).__name__})"
            )
        exchange = await self._http.post(self._url, _HEADERS, content)
        if isinstance(exchange, NoAnswer):
            return TokenUnavailable(
                f"no answer to the token call ({exchange.kind}): {exchange.detail}"
            )
        return read_token_answer(exchange, secret)

    async def aclose(self) -> None:
        await self._http.aclose()


def is_usable(token: object) -> TypeGuard[str]:
    """Whether what was granted is a token that can be sent."""
    return isinstance(token, str) and _TOKEN.fullmatch(token) is not None


def read_token_answer(answer: Answer, secret: str) -> TokenAnswer:
    """What an answer says; `secret` is taken out of a description that quotes it."""
    members = _members(answer.body)
    if 200 <= answer.status < 300:
        return _granted(answer, members)
    if answer.status in (400, 401, 403):
        return _refused(answer, members, secret)
    detail = f"the token call was answered {answer.status}"
    if 300 <= answer.status < 400:
        detail += (
            ", a redirect, which is never followed because the secret would go with it;"
            " set `base_url` of the endpoint to the address that answers without one"
        )
    return TokenUnavailable(detail, answer.retry_after_s)


def _members(body: bytes) -> Mapping[str, object]:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return cast("Mapping[str, object]", decoded) if isinstance(decoded, dict) else {}


def _granted(answer: Answer, members: Mapping[str, object]) -> TokenAnswer:
    token = members.get("access_token")
    if is_usable(token):
        return TokenGranted(token, _life_s(members.get("expires_in")))
    detail = f"the token call was answered {answer.status} without a usable `access_token`"
    return TokenUnavailable(detail, answer.retry_after_s)


def _life_s(value: object) -> float:
    """Tolerant: a number, or one in a string; anything else is as if it were left out."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return LIFE_DEFAULT_S
    try:
        life_s = float(value)
    except (ValueError, OverflowError):
        return LIFE_DEFAULT_S
    if math.isnan(life_s):
        return LIFE_DEFAULT_S
    return min(max(life_s, LIFE_LEAST_S), LIFE_MOST_S)


def _refused(answer: Answer, members: Mapping[str, object], secret: str) -> TokenAnswer:
    error = members.get("error")
    if not isinstance(error, str):
        error = _application_code(members)
    if error is None or not _ERROR.fullmatch(error) or error in _PASSING_ERRORS:
        said = f" {error}" if error in _PASSING_ERRORS else ""
        detail = (
            f"the token call was answered {answer.status}{said} without saying that it is refused:"
            " something else than the endpoint may stand at its `base_url`"
        )
        return TokenUnavailable(detail, answer.retry_after_s)
    description = members.get("error_description")
    text = _printable(description, secret) if isinstance(description, str) else ""
    return TokenRefused(answer.status, error, text, answer.request_id)


def _application_code(members: Mapping[str, object]) -> str | None:
    """The code in the shape that the endpoint's other calls give their errors."""
    details = members.get("details")
    error = details.get("applicationError") if isinstance(details, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def _printable(text: str, secret: str) -> str:
    if secret:
        text = text.replace(secret, "...")
    return _NOT_PRINTABLE.sub(" ", text)[:_DESCRIPTION_MOST].strip()
