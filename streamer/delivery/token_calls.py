"""May a token call be made now, and for whom?"""

from collections import OrderedDict

from streamer.delivery.retry import Backoff

TOKEN_CALLS_MOST = 16
SILENT_MOST = TOKEN_CALLS_MOST
"""So many scopes in a row without an answer: nobody answers, and all token calls pause."""


class AskQueue:
    """Scopes that wait for a token call, first come first served, in two rows that take turns:
    those that had a token before need not wait for 10,000 names that an expression made up."""

    def __init__(self) -> None:
        # Ordered dictionaries: one that is asked for as a probe leaves from the middle.
        self._rows: tuple[OrderedDict[str, None], ...] = (OrderedDict(), OrderedDict())
        self._turn = 0

    def __len__(self) -> int:
        return sum(len(row) for row in self._rows)

    def put(self, name: str, had_token: bool) -> None:
        self._rows[0 if had_token else 1][name] = None

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
    each ask again and again: they pause together, and then as many ask as may at once."""

    def __init__(self, pauses: Backoff) -> None:
        self._pauses = pauses
        self.running = 0
        self.quiet_until = float("-inf")
        self._silent: set[str] = set()
        """Asked without an answer since the last answer to anyone; no more than it takes."""
        self._silences = 0

    @property
    def is_full(self) -> bool:
        return self.running >= TOKEN_CALLS_MOST

    def may_start(self, now: float) -> bool:
        return not self.is_full and now >= self.quiet_until

    def answered(self) -> None:
        """With a token or a refusal."""
        self.running -= 1
        self.quiet_until = float("-inf")
        self._silent.clear()
        self._silences = 0

    def unavailable(self, name: str, now: float) -> bool:
        """A call ended without an answer. Whether all pause, from now to `quiet_until`."""
        self.running -= 1
        if now < self.quiet_until:
            return False
        self._silent.add(name)
        if len(self._silent) < SILENT_MOST and not self._silences:
            return False
        self._silent.clear()
        self._silences += 1
        self.quiet_until = now + self._pauses.delay_s(self._silences)
        return True
