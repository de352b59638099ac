"""Whose token is there, whose is asked for, and whose fault is a refusal?

One book an endpoint entry. A token belongs to a scope: an app instance, or `SHARED` where one
ready token serves all. The rules (RULES, Tokens):

- one call a scope, however many lanes wait; at most 16 at once; renewed before it expires;
- a token that the endpoint answered 401 to is asked for anew once; if the new one is refused too,
  its lanes are held and it is tried again after a pause;
- when a scope is refused a token, the scope that was granted one last is asked as a probe (at
  most every 30 s). Granted: the refusal is the scope's own. Refused, or no other scope: it is the
  app's (its secret was rotated), and then only the probe calls until one is granted.

        NONE -> ASKED -> HAVE -> ASKED (renewal; the old one serves meanwhile)
                  |-> HELD until a time -> ASKED
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from msgspec import Struct

from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers

SHARED = ""
TOKEN_CALLS_MOST = 16
TOKENS_KEPT = 10_000
PROBE_EVERY_S = 30.0
RENEW_SHARE = 0.1
RENEW_MOST_S = 300.0
"""A token is renewed in the last tenth of its life, but not earlier than five minutes before."""


class _Scope:
    __slots__ = (
        "asking",
        "expires_at",
        "failures",
        "held_why",
        "queued",
        "rejected",
        "renew_at",
        "token",
    )

    def __init__(self) -> None:
        self.token: str | None = None
        self.expires_at = 0.0
        self.renew_at = 0.0
        self.asking = False
        self.queued = False
        self.rejected: str | None = None
        """The token that the endpoint answered 401 to last."""
        self.failures = 0
        self.held_why = ""

    @property
    def is_plain(self) -> bool:
        return not (self.asking or self.queued or self.held_why)


class TokenState(Struct, frozen=True):
    """For metrics, health and the status: what is held for want of a token."""

    app_held: str
    """Empty, or why no token is to be had at all."""
    held: dict[str, str]
    """Scope -> why."""


class TokenBook:
    """`ask(scope)` is called for each token call to make; `ready(scope)` when one was granted;
    `tell_rejected(scope, why)` when the endpoint does not take a token that is fresh."""

    def __init__(
        self,
        shared: bool,
        timers: Timers,
        pauses: Backoff,
        ask: Callable[[str], None],
        ready: Callable[[str], None],
        tell_rejected: Callable[[str, str], None],
        is_wanted: Callable[[str], bool] = lambda scope: True,
    ) -> None:
        """`is_wanted(scope)` is asked before a token call is made again after a pause: what
        waited for it may be gone."""
        self._shared = shared
        self._timers = timers
        self._pauses = pauses
        self._ask = ask
        self._ready = ready
        self._tell_rejected = tell_rejected
        self._is_wanted = is_wanted
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()
        self._queue: deque[str] = deque()
        self._calls = 0
        self._last_granted: str | None = None
        self._app_held = ""
        self._probe_not_before = 0.0
        self._probe_is_set = False
        self._probing: str | None = None
        self._suspects: list[str] = []
        """Refused scopes whose fault is not known before the probe's answer."""

    def scope_of(self, instance: str) -> str:
        return SHARED if self._shared else instance

    @property
    def state(self) -> TokenState:
        return TokenState(
            app_held=self._app_held,
            held={name: scope.held_why for name, scope in self._scopes.items() if scope.held_why},
        )

    def token(self, instance: str, now: float) -> str | None:
        """A token that may be used now; None: it is being asked for, `ready` will tell."""
        name = self.scope_of(instance)
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes[name] = _Scope()
            self._forget_oldest()
        if scope.token is None or now >= scope.expires_at:
            scope.token = None
            self._want(name, scope, now)
            return None
        if now >= scope.renew_at:
            self._want(name, scope, now)
        return scope.token

    # --- facts ---------------------------------------------------------------------------------

    def rejected(self, instance: str, token: str, now: float) -> None:
        """The endpoint answered 401 to this token."""
        name = self.scope_of(instance)
        scope = self._scopes.get(name)
        if scope is None or scope.token != token:
            return  # it was renewed in the meantime
        scope.token = None
        fresh_one_failed = scope.rejected is not None
        scope.rejected = token
        if fresh_one_failed:
            self._hold_rejected(name, scope, "the endpoint refuses a token that was just made", now)
        else:
            self._want(name, scope, now)

    def worked(self, instance: str) -> None:
        """The endpoint took a call with the scope's token: a 401 later on is a new story."""
        scope = self._scopes.get(self.scope_of(instance))
        if scope is not None and scope.rejected is not None:
            scope.rejected = None
            scope.failures = 0

    def granted(self, name: str, token: str, expires_in_s: float | None, now: float) -> None:
        """The token call was answered with a token; None: it does not expire."""
        scope = self._answered(name)
        if token == scope.rejected:
            self._hold_rejected(
                name, scope, "the token is still the one that the endpoint refuses", now
            )
            self._app_is_fine(name, now)
            self._next(now)
            return
        life_s = float("inf") if expires_in_s is None else max(expires_in_s, 1.0)
        scope.token = token
        scope.expires_at = now + life_s
        scope.renew_at = scope.expires_at - min(life_s * RENEW_SHARE, RENEW_MOST_S)
        if scope.rejected is None:
            scope.failures = 0
        scope.held_why = ""
        self._scopes.move_to_end(name)
        self._last_granted = name
        self._app_is_fine(name, now)
        self._ready(name)
        self._next(now)

    def refused(self, name: str, why: str, now: float) -> None:
        """The token call was refused for good; `why` goes into the alert."""
        scope = self._answered(name)
        if self._probing == name or self._app_held:
            self._probing = None
            self._hold_app(name, scope, why, now)
        else:
            self._hold(name, scope, why, now)
            self._tell_apart(name, why, now)
        self._next(now)

    def unavailable(self, name: str, why: str, at_least_s: float | None, now: float) -> None:
        """The token call was not answered: asked again after a pause."""
        scope = self._answered(name)
        if self._probing == name:
            self._probing = None
        if self._app_held:
            self._probe_later(now)
        self._hold(name, scope, why, now, at_least_s)
        self._next(now)

    # --- decisions -----------------------------------------------------------------------------

    def _want(self, name: str, scope: _Scope, now: float) -> None:
        if not scope.is_plain:
            return
        if self._app_held:
            scope.held_why = self._app_held
            self._suspects.append(name)
            return
        scope.queued = True
        self._queue.append(name)
        self._next(now)

    def _next(self, now: float) -> None:
        while self._queue and self._calls < TOKEN_CALLS_MOST and not self._app_held:
            self._call(self._queue.popleft())

    def _call(self, name: str) -> None:
        scope = self._scopes.setdefault(name, _Scope())
        scope.queued = False
        scope.asking = True
        self._calls += 1
        self._ask(name)

    def _answered(self, name: str) -> _Scope:
        self._calls -= 1
        scope = self._scopes.setdefault(name, _Scope())
        scope.asking = False
        return scope

    def _hold(
        self, name: str, scope: _Scope, why: str, now: float, at_least_s: float | None = None
    ) -> None:
        """Ask again after a pause."""
        scope.failures += 1
        scope.held_why = why
        due = now + self._pauses.delay_s(scope.failures, at_least_s)

        def again(at: float) -> None:
            if scope.held_why and self._scopes.get(name) is scope:
                scope.held_why = ""
                if self._is_wanted(name):
                    self._want(name, scope, at)
                else:
                    self._ready(name)  # who comes later asks by itself

        self._timers.at(due, again)

    def _hold_rejected(self, name: str, scope: _Scope, why: str, now: float) -> None:
        self._tell_rejected(name, why)
        self._hold(name, scope, why, now)

    def _tell_apart(self, name: str, why: str, now: float) -> None:
        """Is this refusal the scope's own, or the app's?"""
        other = self._last_granted
        if other is None or other == name:
            self._hold_app(name, self._scopes[name], why, now)
            return
        if self._probing is not None or now < self._probe_not_before:
            return
        self._probe_not_before = now + PROBE_EVERY_S
        scope = self._scopes.setdefault(other, _Scope())
        if scope.asking:
            return  # its answer tells as well
        self._probing = other
        if scope.queued:
            self._queue.remove(other)
        self._call(other)

    def _hold_app(self, name: str, scope: _Scope, why: str, now: float) -> None:
        self._app_held = why
        scope.held_why = why
        self._suspects.append(name)
        for queued in self._queue:
            waiting = self._scopes[queued]
            waiting.queued = False
            waiting.held_why = why
            self._suspects.append(queued)
        self._queue.clear()
        self._probe_later(now)

    def _probe_later(self, now: float) -> None:
        if not self._probe_is_set:
            self._probe_is_set = True
            self._timers.at(now + PROBE_EVERY_S, self._probe_app)

    def _probe_app(self, now: float) -> None:
        """While the app is held only the probe calls."""
        self._probe_is_set = False
        if not self._app_held or self._probing is not None:
            return
        name = self._last_granted or (self._suspects[0] if self._suspects else SHARED)
        scope = self._scopes.setdefault(name, _Scope())
        if scope.asking:
            self._probe_later(now)
            return
        self._probing = name
        self._call(name)

    def _app_is_fine(self, name: str, now: float) -> None:
        """A token was granted, so nothing is the app's fault."""
        if self._probing == name:
            self._probing = None
        if not self._app_held:
            return
        self._app_held = ""
        suspects, self._suspects = self._suspects, []
        for waiting in dict.fromkeys(suspects):
            scope = self._scopes.get(waiting)
            if scope is not None and waiting != name:
                scope.held_why = ""
                self._want(waiting, scope, now)

    def _forget_oldest(self) -> None:
        while len(self._scopes) > TOKENS_KEPT:
            name, scope = next(iter(self._scopes.items()))
            if not scope.is_plain:
                self._scopes.move_to_end(name)
                return
            del self._scopes[name]
