"""Is one route (or one schema of a topic) refusing so much that a deployment must be bad?

From `FLOOD_REFUSALS` refusals in a minute that are more than half of the outcomes, what is
counted together is held and probed; it closes when a probe is accepted. So a mistake in a route
does not empty a topic into the dead letter topic.

A route's outcomes are its reports that were accepted and refused. A schema that does not decode
has no other outcome, so it is held against all that does decode of its topic: its hold ends too
when a probe is refused at a time when more of the topic decodes than does not.
"""

from collections import deque

from streamer.delivery.breaker import Breaker
from streamer.delivery.retry import Backoff

FLOOD_REFUSALS = 100
FLOOD_WINDOW_S = 60.0
_BUCKET_S = 1.0


class LastMinute:
    """How often something happened within the last minute, to the second."""

    __slots__ = ("_buckets", "_total")

    def __init__(self) -> None:
        self._buckets: deque[list[float]] = deque()  # [start, count]
        self._total = 0.0

    def count(self, now: float, times: int = 1) -> None:
        if not self._buckets or self._buckets[-1][0] <= now - _BUCKET_S:
            self._buckets.append([now, 0.0])
        self._buckets[-1][1] += times
        self._total += times
        self._forget(now)

    def total(self, now: float) -> int:
        self._forget(now)
        return int(self._total)

    def _forget(self, now: float) -> None:
        while self._buckets and self._buckets[0][0] <= now - FLOOD_WINDOW_S:
            self._total -= self._buckets.popleft()[1]


class FloodGuard:
    """The guard of one route, or of one schema of one topic."""

    __slots__ = ("_fine", "_is_never_accepted", "_refused", "breaker", "name")

    def __init__(self, name: str, pauses: Backoff, fine: LastMinute | None = None) -> None:
        """`fine`: what else came of the same, where others count it."""
        self.name = name
        self._is_never_accepted = fine is not None
        self.breaker = Breaker(threshold=1, pauses=pauses)
        self._fine = fine or LastMinute()
        self._refused = LastMinute()

    @property
    def holds(self) -> bool:
        return not self.breaker.is_closed

    def is_quiet(self, now: float) -> bool:
        """Whether nothing was refused within the last minute."""
        return self._refused.total(now) == 0

    def accepted(self, now: float) -> bool:
        """Count an accepted report; True if that ended the hold."""
        self._fine.count(now)
        if self.breaker.is_closed:
            return False
        self._refused = LastMinute()
        return self.breaker.got_through()

    def refused(self, now: float) -> bool:
        """Count a refusal; True if the guard holds from now on, or holds on after a probe."""
        self._refused.count(now)
        refused, fine = self._refused.total(now), self._fine.total(now)
        if self.breaker.is_closed and (refused < FLOOD_REFUSALS or refused <= fine):
            return False
        if self._is_never_accepted and refused <= fine:
            self.breaker.got_through()
            return False
        return self.breaker.failed(now, f"{refused} refusals within a minute")
