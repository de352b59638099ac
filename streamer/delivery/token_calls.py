"""May a token call be made now, and for whom?"""

from collections import OrderedDict

from streamer.delivery.retry import Backoff

TOKEN_CALLS_MOST = 16
AGAIN_LEAST = 4
AGAIN_MOST = 12
"""Of these, for scopes whose last call had no answer: each may take a call's whole time-out. One
more for each answer, as after an outage of all, until one has none again."""
SILENT_MOST = TOKEN_CALLS_MOST
"""So many scopes in a row without an answer: nobody answers, and all token calls pause."""


class AskQueue:
    """Scopes that wait for a token call, first come first served, in pairs of rows that take turns.

    First those whose last call was answered, or who made none: those that had a token before need
    not wait for 10,000 names that an expression made up. Then those without an answer: one that
    had bad luck once need not wait for hundreds that hang each time.
    """

    def __init__(self) -> None:
        self._first = _Rows()
        self._again = _Rows()

    def anyone_before(self, silences: int) -> bool:
        """Whether somebody waits who goes before one that comes now."""
        return bool(self._first) or (silences > 0 and bool(self._again))

    def put(self, name: str, had_token: bool, silences: int) -> None:
        """`silences`: its calls without an answer, in a row."""
        if silences:
            self._again.put(name, silences > 1)
        else:
            self._first.put(name, not had_token)

    def discard(self, name: str) -> None:
        self._first.discard(name)
        self._again.discard(name)

    def take(self, again_too: bool) -> str | None:
        """The next; of those without an answer only where `again_too`."""
        name = self._first.take()
        return self._again.take() if name is None and again_too else name


class _Rows:
    """Two that take turns."""

    def __init__(self) -> None:
        # Ordered dictionaries: one that is asked for as a probe leaves from the middle.
        self._rows: tuple[OrderedDict[str, None], ...] = (OrderedDict(), OrderedDict())
        self._turn = 0

    def __bool__(self) -> bool:
        return any(self._rows)

    def put(self, name: str, second: bool) -> None:
        self._rows[second][name] = None

    def discard(self, name: str) -> None:
        for row in self._rows:
            row.pop(name, None)

    def take(self) -> str | None:
        self._turn = 1 - self._turn
        for row in (self._rows[self._turn], self._rows[1 - self._turn]):
            if row:
                return row.popitem(last=False)[0]
        return None


class TokenCalls:
    """How many run, and whether anybody answers. Where nobody does, thousands of scopes must not
    each ask again and again: they pause together, and then as many ask as may at once. Where only
    some hang, a pause must not keep the others: in each, one more scope may ask."""

    def __init__(self, pauses: Backoff) -> None:
        self._pauses = pauses
        self._running = 0
        self._running_again: set[str] = set()
        """Of these, scopes whose last call had no answer, ..."""
        self._again_may = AGAIN_LEAST
        """... and how many of them may run."""
        self.quiet_until = float("-inf")
        self._quiet_is_tried = False
        self._silent: set[str] = set()
        """Asked without an answer since the last answer to anyone; no more than it takes."""
        self._silences = 0

    @property
    def is_full(self) -> bool:
        return self._running >= TOKEN_CALLS_MOST

    def may_start(self, silences: int, now: float) -> bool:
        """`silences`: the scope's calls without an answer, in a row."""
        if self.is_full:
            return False
        if silences:
            return len(self._running_again) < self._again_may and now >= self.quiet_until
        return now >= self.quiet_until or not self._quiet_is_tried

    def start(self, name: str, silences: int, now: float) -> None:
        self._running += 1
        if silences:
            self._running_again.add(name)
        if now < self.quiet_until:
            self._quiet_is_tried = True

    def answered(self, name: str) -> None:
        """With a token or a refusal."""
        if self._ended_again(name):
            self._again_may = min(self._again_may + 1, AGAIN_MOST)
        self.quiet_until = float("-inf")
        self._silent.clear()
        self._silences = 0

    def unavailable(self, name: str, now: float) -> bool:
        """A call ended without an answer. Whether all pause, from now to `quiet_until`."""
        if self._ended_again(name):
            self._again_may = AGAIN_LEAST
        if now < self.quiet_until:
            return False
        self._silent.add(name)
        if len(self._silent) < SILENT_MOST and not self._silences:
            return False
        self._silent.clear()
        self._silences += 1
        self.quiet_until = now + self._pauses.delay_s(self._silences)
        self._quiet_is_tried = False
        return True

    def _ended_again(self, name: str) -> bool:
        """A call ended; whether its scope had no answer the last time."""
        self._running -= 1
        was_again = name in self._running_again
        self._running_again.discard(name)
        return was_again
