"""What was lost, doubled, out of order or sent again, given what the sandbox accepted?

Its ledger is taken entry by entry and forgotten: what is kept grows with the keys and with what is
wrong, not with what was accepted. So a run of an hour is compared like one of a second.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from tests.integration.bridge import overlap

MOST_SAMPLES = 5
"""Of each fault that are named."""


class Samples:
    """A count, and the first few by name."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, what: str) -> None:
        self.count += 1
        if len(self.first) < MOST_SAMPLES:
            self.first.append(what)


class Accepted:
    """What the sandbox accepted of events that are numbered within their key from 0 on."""

    def __init__(self, span_ms: tuple[float, float] = (0.0, math.inf)) -> None:
        """`span_ms`: between which moments, in milliseconds since the epoch, there was traffic."""
        self._span_ms = span_ms
        self.count = 0
        self.doubled = Samples()
        self.out_of_order = Samples()
        self.sent_again = 0
        self.again_ms: deque[float] = deque(maxlen=1_000_000)
        """When each of these was accepted first, in milliseconds since the epoch."""
        self.longest_pause_ms = 0.0
        """Between two acceptances while there was traffic."""
        self._last_ms: float | None = None
        self._next: dict[str, int] = {}
        self._missing: dict[str, set[int]] = {}
        self._last: dict[str, Mapping[str, Any]] = {}

    def take(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """The next entries of the ledger, in order of acceptance."""
        for entry in entries:
            self._take(entry)

    def _take(self, entry: Mapping[str, Any]) -> None:
        key, number = entry["payload"]["key"], entry["payload"]["number"]
        self.count += 1
        at_ms = entry["accepted_at_ms"]
        if self._last_ms is not None and self._span_ms[0] < self._last_ms < self._span_ms[1]:
            self.longest_pause_ms = max(self.longest_pause_ms, at_ms - self._last_ms)
        self._last_ms = at_ms
        if entry["came"] > 1:
            self.sent_again += entry["came"] - 1
            self.again_ms.append(at_ms)
        before = self._last.get(key)
        if before is not None and overlap(before, entry):
            self.out_of_order.add(f"{key}:{number} began before the one before it was answered")
        self._last[key] = entry
        expected = self._next.get(key, 0)
        if number >= expected:
            if number > expected:
                self._missing.setdefault(key, set()).update(range(expected, number))
            self._next[key] = number + 1
        elif number in self._missing.get(key, ()):
            self._missing[key].remove(number)
            self.out_of_order.add(f"{key}:{number} came after {expected - 1}")
        else:
            self.doubled.add(f"{key}:{number}")

    def lost(self, produced: Mapping[str, int]) -> list[str]:
        """Of so many events by key, those that were not accepted."""
        return [
            f"{key}:{number}"
            for key, count in produced.items()
            for number in sorted(self._missing.get(key, set()))
            + list(range(self._next.get(key, 0), count))
        ]

    def never_written(self, produced: Mapping[str, int]) -> list[str]:
        """What was accepted and nobody produced."""
        return [
            f"{key}:{upper - 1}"
            for key, upper in self._next.items()
            if upper > produced.get(key, 0)
        ]
