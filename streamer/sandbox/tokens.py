"""Which tokens are good, for whom, and until when?

Create Access Token with client credentials, refused as RFC 6749 has it. Pure: the time comes in.
"""

import hmac
from collections import deque
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from streamer.sandbox.answers import ApiError, Reply, unauthenticated
from streamer.sandbox.calls import TokenCall

DEFAULT_TOKEN_LIFETIME_S = 14_400  # report endpoint: `expires_in` of Create Access Token
READY_TOKEN_APP = "ready-token"  # the app of a ready token where several apps, or none, are named


class Caller(Struct, frozen=True):
    """Who a token was made for."""

    app: str
    instance: str
    expires_at_ms: int | None = None


class TokenRefusal(Struct, frozen=True):
    """An error of RFC 6749, section 5.2."""

    status: int
    error: str
    description: str


_INVALID_REQUEST = TokenRefusal(
    400,
    "invalid_request",
    "send grant_type, client_id, client_secret and instance_id as JSON or form-encoded",
)


class Tokens:
    """Makes tokens and knows whose they are.

    `apps`: secret by app id; without any, every app id and secret is good. `ready`: instance by
    token, for tokens that never expire and are never asked for.
    """

    def __init__(
        self,
        apps: Mapping[str, str],
        ready: Mapping[str, str],
        lifetime_s: int,
        new_id: Callable[[], str],
    ) -> None:
        self.lifetime_s = lifetime_s
        self._apps = apps
        self._ready = ready
        self._new_id = new_id
        self._callers: dict[str, Caller] = {}
        # All tokens live equally long, so that the oldest expires first.
        self._expiring: deque[tuple[int, str]] = deque()
        self.made = 0
        self.refused = 0
        self.forget()

    def __len__(self) -> int:
        return len(self._callers)

    def make(self, call: TokenCall | None, now_ms: int) -> str | TokenRefusal:
        """A new token, or why there is none; `call` is None where it could not be read."""
        self._drop_expired(now_ms)
        refusal = _INVALID_REQUEST if call is None else self._why_refused(call)
        if call is None or refusal is not None:
            self.refused += 1
            return refusal or _INVALID_REQUEST
        token = f"sandbox.{self._new_id()}"
        expires_at_ms = now_ms + self.lifetime_s * 1000
        self._callers[token] = Caller(call.app, call.instance, expires_at_ms)
        self._expiring.append((expires_at_ms, token))
        self.made += 1
        return token

    def _why_refused(self, call: TokenCall) -> TokenRefusal | None:
        if call.grant_type != "client_credentials":
            error = "unsupported_grant_type" if call.grant_type else "invalid_request"
            return TokenRefusal(400, error, "grant_type must be client_credentials")
        for name, value in (("client_id", call.app), ("client_secret", call.secret)):
            if not value:
                return TokenRefusal(400, "invalid_request", f"{name} is required")
        if self._apps and not _same(self._apps.get(call.app), call.secret):
            return TokenRefusal(401, "invalid_client", "no such app, or not its secret")
        if not call.instance:
            return TokenRefusal(400, "invalid_request", "instance_id is required")
        return None

    def _drop_expired(self, now_ms: int) -> None:
        while self._expiring and self._expiring[0][0] <= now_ms:
            _, token = self._expiring.popleft()
            self._callers.pop(token, None)

    def caller(self, authorization: str | None, now_ms: int) -> Caller | ApiError:
        """Who calls, by the header's token, with or without `Bearer` before it."""
        if not authorization:
            return unauthenticated("no token: send it in the Authorization header")
        caller = self._callers.get(authorization)
        if caller is None and authorization[:7].lower() == "bearer ":
            caller = self._callers.get(authorization[7:].strip())
        if caller is None:
            return unauthenticated("the token is not known: ask for one at /oauth2/token")
        if caller.expires_at_ms is not None and caller.expires_at_ms <= now_ms:
            return unauthenticated("the token has expired: ask for a new one at /oauth2/token")
        return caller

    def forget(self) -> None:
        """All tokens but the ready ones."""
        app = next(iter(self._apps)) if len(self._apps) == 1 else READY_TOKEN_APP
        self._expiring.clear()
        self._callers = {token: Caller(app, instance) for token, instance in self._ready.items()}


def _same(secret: str | None, given: str) -> bool:
    return secret is not None and hmac.compare_digest(secret.encode(), given.encode())


def token_reply(made: str | TokenRefusal, lifetime_s: int) -> Reply:
    """The answer to Create Access Token, as RFC 6749 has it."""
    headers = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
    if isinstance(made, TokenRefusal):
        body = {"error": made.error, "error_description": made.description}
        return Reply(made.status, msgspec.json.encode(body), headers=headers)
    granted = {"access_token": made, "token_type": "Bearer", "expires_in": lifetime_s}
    return Reply(200, msgspec.json.encode(granted), headers=headers)
