"""What is known of each token scope, and which of them are remembered?"""

from collections import OrderedDict
from enum import Enum, auto


class Phase(Enum):
    """What a scope waits for."""

    REST = auto()
    """Nothing: it has a token, or nobody wants one."""
    QUEUED = auto()
    """For a free call, or for the app to be granted tokens again."""
    ASKED = auto()
    """For the answer to its token call."""
    HELD = auto()
    """For the end of a pause."""


class Scope:
    """An app instance, or all of them where one ready token serves all."""

    __slots__ = (
        "ask_not_before",
        "expires_at",
        "failures",
        "granted_at",
        "pause_until",
        "phase",
        "refusals",
        "refused_first_at",
        "rejected",
        "rejected_began",
        "renew_at",
        "silences",
        "taken_began",
        "token",
        "tried_at",
        "tried_until",
        "unknown",
        "why",
    )

    def __init__(self) -> None:
        self.phase = Phase.REST
        self.token: str | None = None
        self.expires_at = 0.0
        self.renew_at = 0.0
        self.granted_at: float | None = None
        self.ask_not_before = float("-inf")
        self.rejected: str | None = None
        """The token that the endpoint answered 401 to last; None once it took a call again."""
        self.rejected_began = float("-inf")
        """When the last call began of those that it was answered 401 to."""
        self.taken_began = float("-inf")
        """When the last call began of those that the endpoint took. A token of later on is used by
        calls that begin later."""
        self.tried_at = float("-inf")
        """After a 401: when the call began that is to tell whether the token is taken, ..."""
        self.tried_until = float("-inf")
        """... and until when the others wait for it."""
        self.failures = 0
        """Asked in vain, in a row; for the pauses."""
        self.silences = 0
        """Token calls without an answer, in a row."""
        self.why = ""
        """Why it was asked in vain last."""
        self.pause_until = 0.0
        self.refusals = 0
        """In a row, each known to be the scope's own."""
        self.refused_first_at = 0.0
        self.unknown = False

    def has_token(self, now: float) -> bool:
        return self.token is not None and now < self.expires_at


class Scopes:
    """Those at rest are remembered up to a number, the ones used last. Others are waited for, so
    there are no more of them than reports that wait."""

    def __init__(self, at_rest_most: int) -> None:
        self._most = at_rest_most
        self._all: dict[str, Scope] = {}
        self._at_rest: OrderedDict[str, None] = OrderedDict()
        self.held = 0
        self.unknown = 0

    def __len__(self) -> int:
        return len(self._all)

    def get(self, name: str) -> Scope | None:
        return self._all.get(name)

    def of(self, name: str) -> Scope:
        """A new one where it is not remembered."""
        scope = self._all.get(name)
        if scope is None:
            scope = self._all[name] = Scope()
            self.rest(name, scope)
        return scope

    def used(self, name: str, scope: Scope) -> None:
        if scope.phase is Phase.REST:
            self._at_rest.move_to_end(name)

    def waits(self, name: str, scope: Scope, phase: Phase) -> None:
        """It waits for something, and is not forgotten meanwhile."""
        self._at_rest.pop(name, None)
        self._enter(scope, phase)

    def rest(self, name: str, scope: Scope) -> None:
        self._enter(scope, Phase.REST)
        self._at_rest[name] = None
        self._at_rest.move_to_end(name)
        if len(self._at_rest) > self._most:
            oldest, _ = self._at_rest.popitem(last=False)
            self.mark(self._all.pop(oldest), unknown=False)

    def mark(self, scope: Scope, *, unknown: bool) -> None:
        self.unknown += unknown - scope.unknown
        scope.unknown = unknown

    def _enter(self, scope: Scope, phase: Phase) -> None:
        self.held += (phase is Phase.HELD) - (scope.phase is Phase.HELD)
        scope.phase = phase
