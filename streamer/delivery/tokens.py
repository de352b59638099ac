"""Whose token is there, whose is asked for, and who is given none?

One book an endpoint entry. A token belongs to a scope: an app instance, or `SHARED` where one
ready token serves all. The rules (RULES, Tokens):

- one call a scope, however many lanes wait; at most 16 at once, of which scopes without an answer
  the last time have 4 (up to 12 while they are answered); renewed before it expires;
- a token that the endpoint answered 401 to is asked for anew once; if the new one is refused too,
  or is the same, its lanes are held; after a pause one is asked for and tried, also the same;
- after a 401 a token is tried by one call of its lanes before the others use it; but where
  a call with the same token was taken that began no earlier than the refused one, it was a stray
  401 (`worked`): all go on with it, and one is asked for all the same;
- a refusal is the scope's own or the app's (`token_faults.py`). While it is the app's, only the
  probe calls;
- a scope that was refused by its own fault 3 times over 5 minutes is unknown: its reports are
  settled by policy, and it is asked for again while reports come, until it is granted a token.

        REST -> (QUEUED ->) ASKED -> REST with a token, or unknown
                  ^           |-> HELD until a time -> REST, and asked again where it is wanted
                  +-----------+   (the app is held)

A token serves while it is renewed. What a fact costs does not grow with the number of scopes.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.delivery.token_calls import AskQueue, TokenCalls
from streamer.delivery.token_faults import Faults
from streamer.delivery.token_scopes import Phase, Scope, Scopes


class UnknownInstance(StrEnum):
    """What becomes of the reports of an instance that is given no token for good."""

    DEAD_LETTER = "dead-letter"
    SKIP = "skip"
    HOLD = "hold"


SHARED = ""
TOKENS_KEPT = 10_000
RENEW_SHARE = 0.1
RENEW_MOST_S = 300.0
"""A token is renewed in the last tenth of its life, but not earlier than five minutes before."""
TRIED_APART_S = 10.0
"""After a 401 one call tells whether the token is taken. One that hangs keeps the other lanes for
so long and no longer."""
TRIES_APART_S = 0.5
"""One that ends and tells nothing of the token (503, 429) is followed by the next, but not sooner
after it began: each time all lanes that share the token stand in the turn again."""
GRANTS_APART_S = 10.0
"""Of a scope at most two tokens are made in so long, however soon they end: two, so that one that
ends early for once (the app was installed anew) is replaced at once."""
SAME_APART_S = 2.0
"""One that the token service gives again was not made, and is asked for again after so long."""

REFUSED_PAUSES_S = (30.0, 90.0, 180.0)
"""Until a refused scope is asked again, up to a fifth longer: the first is short for an app that
is being installed, and together they are the five minutes."""
UNKNOWN_REFUSALS = 3
UNKNOWN_AFTER_S = 300.0
MANY_REFUSED = 1_000
"""Instances that wait after a refusal: no app is removed from so many sites at once."""
UNKNOWN_PAUSE_S = 600.0
"""An unknown scope is asked for again after so long, up to half as long again."""


class TokenState(Struct, frozen=True):
    """For metrics, health and the status."""

    app_held: str
    """Empty, or why no token is to be had at all."""
    held: int
    """Scopes that wait for the end of a pause."""
    unknown: int
    """Scopes that are given no token for good."""


class TokenBook:
    """`ask(scope)` is called for each token call to make; `ready(scope)` when its lanes may try
    again; `tell_rejected(scope, why)` when the endpoint does not take a token that is fresh."""

    def __init__(
        self,
        shared: bool,
        timers: Timers,
        pauses: Backoff,
        ask: Callable[[str], None],
        ready: Callable[[str], None],
        tell_rejected: Callable[[str, str], None],
        is_wanted: Callable[[str], bool] = lambda scope: True,
        policy: UnknownInstance = UnknownInstance.HOLD,
        unknown: Callable[[str, str, float], None] = lambda scope, why, now: None,
        tell_app: Callable[[str], None] = lambda why: None,
        tell_many: Callable[[int], None] = lambda scopes: None,
    ) -> None:
        """`is_wanted(scope)` is asked before a call that had to wait is made: what waited for it
        may be gone. `unknown(scope, why, now)`: from now on `is_unknown`; who waits for its token
        is to be settled. `tell_app(why)`: no token is to be had for the app; empty: it is again.
        `tell_many(scopes)`: so many are refused a token that they can hardly be app instances.
        """
        self._shared = shared
        self._timers = timers
        self._pauses = pauses
        self._ask = ask
        self._ready = ready
        self._tell_rejected = tell_rejected
        self._is_wanted = is_wanted
        self._policy = policy
        self._unknown = unknown
        self._tell_app = tell_app
        self._tell_many = tell_many
        self._many = MANY_REFUSED
        self._scopes = Scopes(TOKENS_KEPT)
        self._queue = AskQueue()
        self._faults = Faults()
        self._calls = TokenCalls(pauses)
        self._probe_is_set = False

    def scope_of(self, instance: str) -> str:
        return SHARED if self._shared else instance

    @property
    def state(self) -> TokenState:
        return TokenState(self._faults.app_held, self._scopes.held, self._scopes.unknown)

    @property
    def remembered(self) -> int:
        """Scopes that memory is held for: at most `TOKENS_KEPT`, and those that are waited for."""
        return len(self._scopes)

    def nobody_answers(self, now: float) -> bool:
        """Whether all token calls pause, since so many in a row had no answer."""
        return now < self._calls.quiet_until

    def why_held(self, instance: str) -> str:
        """Why there is no token for it; empty while it is asked for."""
        if self._faults.app_held:
            return self._faults.app_held
        scope = self._scopes.get(self.scope_of(instance))
        if scope is None:
            return ""
        if scope.token is not None and scope.rejected is not None:
            return "one call tries its token, since the endpoint answered 401"
        return scope.why if scope.phase is Phase.HELD or scope.silences else ""

    def is_unknown(self, instance: str) -> bool:
        """Whether its reports are to be settled without a token, where `token` gives none."""
        scope = self._scopes.get(self.scope_of(instance))
        return scope is not None and scope.unknown

    def token(self, instance: str, now: float) -> str | None:
        """A token that may be used now. None: the instance is unknown, or its token is being
        asked for or tried by another call, and `ready` will tell."""
        name = self.scope_of(instance)
        scope = self._scopes.of(name)
        self._scopes.used(name, scope)
        if scope.has_token(now):
            if now >= scope.renew_at:
                self._want(name, scope, now)
            return scope.token if self._may_use(name, scope, now) else None
        scope.token = None
        self._want(name, scope, now)
        return None

    def _may_use(self, name: str, scope: Scope, now: float) -> bool:
        """After a 401 thousands of lanes must not all try a token that may be bad: one does."""
        if scope.rejected is None:
            return True
        if now < scope.tried_until:
            return False
        scope.tried_at = now
        self._let_try(name, scope, now + TRIED_APART_S)
        return True

    def _let_try(self, name: str, scope: Scope, at: float) -> None:
        """Another call may try the token from then on."""
        scope.tried_until = at

        def due(_: float) -> None:
            if scope.tried_until == at:
                self._ready(name)

        self._timers.at(at, due)

    # --- facts ---------------------------------------------------------------------------------

    def rejected(self, instance: str, token: str, began: float, now: float) -> None:
        """The endpoint answered 401 to this token, in a call that began at `began`."""
        name = self.scope_of(instance)
        scope = self._scopes.get(name)
        if scope is None:
            return
        if token == scope.rejected:
            scope.rejected_began = max(scope.rejected_began, began)
        if scope.token != token:
            return  # it was renewed in the meantime
        scope.token = None
        fresh_one_failed = scope.rejected is not None
        if scope.rejected != token:
            scope.rejected = token
            scope.rejected_began = began
        if not fresh_one_failed:
            if scope.taken_began >= scope.rejected_began:
                self._is_taken(name, scope)
            self._want(name, scope, now)
        elif scope.phase is Phase.REST:
            self._hold_rejected(name, scope, "the endpoint refuses a token that was just made", now)

    def worked(self, instance: str, token: str, began: float) -> None:
        """The endpoint knew the token of a call that began at `began`: a 401 later on is a new
        story.

        Where it overlaps a call with the same token that was answered 401, the later one to begin
        tells. If that one was taken, a node of the endpoint answered the 401 on its own account. If
        it was refused, the token may have been revoked in between. Wrong is that only where the
        endpoint looked at the later one first and the token was revoked between these two looks,
        and then once: whatever begins after that is refused.
        """
        name = self.scope_of(instance)
        scope = self._scopes.get(name)
        if scope is None:
            return
        if scope.rejected is None:
            if token == scope.token and began > scope.taken_began:
                scope.taken_began = began
        elif token == scope.rejected:
            if began >= scope.rejected_began:
                scope.taken_began = began
                self._is_taken(name, scope)
        elif token == scope.token:
            scope.taken_began = began
            self._is_taken(name, scope)

    def _is_taken(self, name: str, scope: Scope) -> None:
        """The scope's token is; where it was dropped because of a 401, that one."""
        if scope.token is None:
            scope.token = scope.rejected
        scope.rejected = None
        scope.failures = 0
        self._ready(name)

    def not_used(self, instance: str, token: str, now: float) -> None:
        """The call that `token` gave this one for now is not made: another one may try it."""
        self._try_again(instance, token, now, now)

    def told_nothing(self, instance: str, token: str, began: float, now: float) -> None:
        """A call that began at `began` ended, and does not tell whether the token is taken: where
        it was to tell that, another one is."""
        self._try_again(instance, token, began, max(now, began + TRIES_APART_S))

    def _try_again(self, instance: str, token: str, began: float, at: float) -> None:
        name = self.scope_of(instance)
        scope = self._scopes.get(name)
        if scope is None or scope.rejected is None:
            return
        if token == scope.token and began >= scope.tried_at:
            self._let_try(name, scope, at)

    def granted(self, name: str, token: str, expires_in_s: float | None, now: float) -> None:
        """The token call was answered with a token; None: it does not expire."""
        scope = self._scopes.of(name)
        self._calls.answered(name)
        scope.silences = 0
        scope.refusals = 0
        self._scopes.mark(scope, unknown=False)
        if token == scope.rejected and not scope.failures:
            # Token services give the same one until it ends: after a pause it is tried again.
            why = "the token is still the one that the endpoint refuses"
            self._hold_rejected(name, scope, why, now)
        else:
            self._keep(scope, token, expires_in_s, now)
            self._scopes.rest(name, scope)
            self._ready(name)
        self._nothing_is_the_apps_fault(name, now)
        self._next(now)

    def refused(self, name: str, why: str, now: float) -> None:
        """The token call was refused for good; `why` goes into the alert."""
        scope = self._scopes.of(name)
        self._calls.answered(name)
        scope.silences = 0
        scope.why = why
        if scope.unknown and self._faults.probing != name:
            self._ask_unknown_later(scope, now)
            self._scopes.rest(name, scope)
        else:
            was_held = bool(self._faults.app_held)
            if self._faults.refused(name, why, now):
                if scope.has_token(now) and now < scope.renew_at:
                    self._scopes.rest(name, scope)  # it was asked only to tell
                else:
                    self._line_up(name, scope)
                self._hold_app(why, was_held)
            else:
                pause_s = REFUSED_PAUSES_S[min(scope.refusals, len(REFUSED_PAUSES_S) - 1)]
                self._pause(name, scope, now + pause_s * (1 + 0.2 * self._pauses.draw()))
                self._count_held()
        self._next(now)

    def _count_held(self) -> None:
        """Tell of the first thousand, and of each twice as many."""
        held = self._scopes.held
        if held >= self._many:
            self._many = 2 * held
            self._tell_many(held)
        elif held < MANY_REFUSED // 2:
            self._many = MANY_REFUSED

    def unavailable(self, name: str, why: str, at_least_s: float | None, now: float) -> None:
        """The token call was not answered: asked again after a pause."""
        scope = self._scopes.of(name)
        scope.why = why
        scope.failures += 1
        scope.silences += 1
        due = now + self._pauses.delay_s(scope.failures, at_least_s)
        self._faults.unavailable(name, due)
        self._pause(name, scope, due)
        if self._calls.unavailable(name, now):
            self._timers.at(self._calls.quiet_until, self._next)
        self._next(now)

    # --- asking --------------------------------------------------------------------------------

    def _want(self, name: str, scope: Scope, now: float) -> None:
        if scope.phase is not Phase.REST:
            return
        if now < scope.ask_not_before:
            if not scope.unknown and not scope.has_token(now):
                scope.why = "its tokens end as soon as they are made"
                self._pause(name, scope, scope.ask_not_before)
        elif self._may_call(scope.silences, now) and not self._queue.anyone_before(scope.silences):
            # Not by the queue: who asks is not known to wait yet.
            self._call(name, scope, now)
        else:
            self._line_up(name, scope)

    def _may_call(self, silences: int, now: float) -> bool:
        return self._calls.may_start(silences, now) and not self._faults.app_held

    def _next(self, now: float) -> None:
        """Make the calls that may be made."""
        self._probe_when_due(now)
        while self._may_call(0, now):
            name = self._first_waiting(now)
            if name is None:
                return
            self._call(name, self._scopes.of(name), now)

    def _first_waiting(self, now: float) -> str | None:
        """The next of the queue that is still wanted; it left the queue."""
        again_too = self._calls.may_start(1, now)
        while (name := self._queue.take(again_too)) is not None:
            scope = self._scopes.of(name)
            if scope.unknown or scope.has_token(now) or self._is_wanted(name):
                return name
            self._scopes.rest(name, scope)
            self._ready(name)  # who comes later asks by itself
        return None

    def _line_up(self, name: str, scope: Scope) -> None:
        self._scopes.waits(name, scope, Phase.QUEUED)
        self._queue.put(name, scope.granted_at is not None, scope.silences)

    def _call(self, name: str, scope: Scope, now: float) -> None:
        self._scopes.waits(name, scope, Phase.ASKED)
        self._calls.start(name, scope.silences, now)
        self._ask(name)

    def _keep(self, scope: Scope, token: str, expires_in_s: float | None, now: float) -> None:
        life_s = float("inf") if expires_in_s is None else max(expires_in_s, 1.0)
        is_same = token in (scope.token, scope.rejected) and now < scope.renew_at
        scope.token = token
        scope.tried_until = float("-inf")
        scope.expires_at = now + life_s
        scope.renew_at = scope.expires_at - min(life_s * RENEW_SHARE, RENEW_MOST_S)
        before = scope.granted_at
        if is_same:
            scope.ask_not_before = max(scope.ask_not_before, now + SAME_APART_S)
        else:
            scope.ask_not_before = float("-inf") if before is None else before + GRANTS_APART_S
            scope.granted_at = now
        if scope.rejected is None:
            scope.failures = 0

    # --- pauses --------------------------------------------------------------------------------

    def _pause(self, name: str, scope: Scope, until: float) -> None:
        self._scopes.waits(name, scope, Phase.HELD)
        scope.pause_until = until

        def over(now: float) -> None:
            if scope.phase is Phase.HELD and scope.pause_until == until:
                self._scopes.rest(name, scope)
                if self._is_wanted(name):
                    self._want(name, scope, now)
                else:
                    self._ready(name)  # who comes later asks by itself

        self._timers.at(until, over)

    def _hold_rejected(self, name: str, scope: Scope, why: str, now: float) -> None:
        self._tell_rejected(name, why)
        scope.why = why
        scope.failures += 1
        self._pause(name, scope, now + self._pauses.delay_s(scope.failures))

    # --- faults --------------------------------------------------------------------------------

    def _hold_app(self, why: str, was_held: bool) -> None:
        """Who was refused waits with the others for the app, not for a pause of its own."""
        for name in self._faults.take_suspects():
            scope = self._scopes.get(name)
            if scope is not None and scope.phase is Phase.HELD:
                self._line_up(name, scope)
        if not was_held:
            self._tell_app(why)

    def _nothing_is_the_apps_fault(self, name: str, now: float) -> None:
        """The scope `name` was granted a token."""
        was_held = bool(self._faults.app_held)
        for refused, refused_at in self._faults.granted(name).items():
            scope = self._scopes.get(refused)
            if scope is not None and not scope.unknown:
                self._count_refusal(refused, scope, refused_at, now)
        if was_held:
            self._tell_app("")

    def _count_refusal(self, name: str, scope: Scope, refused_at: float, now: float) -> None:
        """It was the scope's own. The third over five minutes makes it unknown."""
        if scope.refusals == 0:
            scope.refused_first_at = refused_at
        scope.refusals += 1
        lasted_s = refused_at - scope.refused_first_at
        if (
            self._policy is UnknownInstance.HOLD
            or scope.refusals < UNKNOWN_REFUSALS
            or lasted_s < UNKNOWN_AFTER_S
        ):
            return
        self._scopes.mark(scope, unknown=True)
        self._ask_unknown_later(scope, now)
        if scope.phase is Phase.HELD:
            self._scopes.rest(name, scope)
        if not scope.has_token(now):
            self._unknown(name, scope.why, now)

    def _ask_unknown_later(self, scope: Scope, now: float) -> None:
        scope.ask_not_before = now + UNKNOWN_PAUSE_S * (1 + 0.5 * self._pauses.draw())

    def _probe_when_due(self, now: float) -> None:
        if not self._faults.wants_probe or self._calls.is_full:
            return  # each answer looks again
        due = self._faults.probe_not_before
        if now >= due:
            self._probe(now)
        elif not self._probe_is_set:
            self._probe_is_set = True
            self._timers.at(due, self._probe_timer)

    def _probe_timer(self, now: float) -> None:
        self._probe_is_set = False
        self._probe_when_due(now)

    def _probe(self, now: float) -> None:
        waiting = self._first_waiting(now) if self._faults.app_held else None
        name = self._faults.choose_probe(waiting)
        if waiting is not None and waiting != name:
            self._line_up(waiting, self._scopes.of(waiting))
        self._faults.probes(name, now)
        scope = self._scopes.of(name)
        if scope.phase is not Phase.ASKED:  # otherwise the answer on its way tells
            self._queue.discard(name)
            self._call(name, scope, now)
