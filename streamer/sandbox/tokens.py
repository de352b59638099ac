"""Which tokens are good, for whom, and until when?

Create Access Token with client credentials, refused as RFC 6749 has it. Pure: the time comes in.
"""

import hmac
from collections import deque
from collections.abc import Callable, Collection, Mapping

import msgspec
from msgspec import Raw, Struct

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
    token, for tokens that never expire and are never asked for. `instances`: those that have the
    app installed, beside those of ready tokens; None for all.
    """

    def __init__(
        self,
        apps: Mapping[str, str],
        ready: Mapping[str, str],
        instances: Collection[str] | None,
        lifetime_s: int,
        new_id: Callable[[], str],
    ) -> None:
        self.lifetime_s = lifetime_s
        self._secrets = dict(apps)
        self._any_app = not apps
        self._ready = ready
        self._ready_app = next(iter(apps)) if len(apps) == 1 else READY_TOKEN_APP
        self._installed = None if instances is None else {*instances, *ready.values()}
        self._uninstalled: set[str] = set()
        self._new_id = new_id
        self._callers: dict[str, Caller] = {}
        # In the order in which they were made. One with a shorter life is good for nothing at its
        # end and leaves the memory when it is its turn.
        self._expiring: deque[tuple[int, str]] = deque()
        self.made = 0
        self.refused = 0
        self.forget()

    def __len__(self) -> int:
        return len(self._callers)

    def make(
        self, call: TokenCall | None, now_ms: int, lifetime_s: int | None = None
    ) -> str | TokenRefusal:
        """A new token, or why there is none; `call` is None where it could not be read.

        `lifetime_s`: a shorter life than that of other tokens.
        """
        self._drop_expired(now_ms)
        refusal = _INVALID_REQUEST if call is None else self._why_refused(call)
        if call is None or refusal is not None:
            self.refused += 1
            return refusal or _INVALID_REQUEST
        token = f"sandbox.{self._new_id()}"
        expires_at_ms = now_ms + (lifetime_s or self.lifetime_s) * 1000
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
        secret = self._secrets.get(call.app)
        if not (_same(secret, call.secret) or (secret is None and self._any_app)):
            return TokenRefusal(401, "invalid_client", "no such app, or not its secret")
        if not call.instance:
            return TokenRefusal(400, "invalid_request", "instance_id is required")
        if not self.has_installed(call.instance):
            # The credentials are good, what is wrong is what they are to be used for.
            return TokenRefusal(400, "invalid_grant", "no such instance of the app")
        return None

    # --- apps and instances ---------------------------------------------------------------

    @property
    def apps(self) -> list[str]:
        """Ids of the apps whose secret is known."""
        return sorted(self._secrets)

    @property
    def any_app(self) -> bool:
        """An app whose secret is not known gets tokens for any."""
        return self._any_app

    def set_secret(self, app: str, secret: str, *, end_tokens: bool) -> None:
        """From now on tokens are made for this secret only; those made before stay good, unless
        they are to end as well."""
        self._secrets[app] = secret
        if end_tokens:
            self._end(lambda caller: caller.app == app and caller.expires_at_ms is not None)

    @property
    def instances(self) -> tuple[list[str] | None, list[str]]:
        """Those that have the app installed, None for all others; and those that had it."""
        installed = None if self._installed is None else sorted(self._installed)
        return installed, sorted(self._uninstalled)

    def has_installed(self, instance: str) -> bool:
        if instance in self._uninstalled:
            return False
        return self._installed is None or instance in self._installed

    def uninstall(self, instance: str) -> None:
        """Its tokens end, and it gets none."""
        self._uninstalled.add(instance)
        if self._installed is not None:
            self._installed.discard(instance)
        self._end(lambda caller: caller.instance == instance)

    def install(self, instance: str) -> None:
        """It gets tokens; a ready token of it is good again."""
        self._uninstalled.discard(instance)
        if self._installed is not None:
            self._installed.add(instance)
        self._callers |= self._ready_callers()

    def _end(self, which: Callable[[Caller], bool]) -> None:
        for token in [token for token, caller in self._callers.items() if which(caller)]:
            del self._callers[token]

    def _ready_callers(self) -> dict[str, Caller]:
        return {
            token: Caller(self._ready_app, instance)
            for token, instance in self._ready.items()
            if self.has_installed(instance)
        }

    # --- tokens ---------------------------------------------------------------------------

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
        self._expiring.clear()
        self._callers = self._ready_callers()


def _same(secret: str | None, given: str) -> bool:
    return secret is not None and hmac.compare_digest(secret.encode(), given.encode())


def token_reply(made: str | TokenRefusal, expires_in: str | None) -> Reply:
    """The answer to Create Access Token, as RFC 6749 has it.

    `expires_in` is JSON text; None leaves the field out.
    """
    headers = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
    if isinstance(made, TokenRefusal):
        body = {"error": made.error, "error_description": made.description}
        return Reply(made.status, msgspec.json.encode(body), headers=headers)
    granted: dict[str, object] = {"access_token": made, "token_type": "Bearer"}
    if expires_in is not None:
        granted["expires_in"] = Raw(expires_in.encode())
    return Reply(200, msgspec.json.encode(granted), headers=headers)
