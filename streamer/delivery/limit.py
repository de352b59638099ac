"""How many calls may be in flight at once, as the endpoint bears it?

Between `LEAST` and the configured maximum. It shrinks when more calls fail for the endpoint's sake
than is usual, or when the *median* latency leaves what is usual, and grows again while it is used
up. The median, not the mean: one key in a hundred that is slow says nothing of the endpoint. And
more than is usual: a tenth that fails whatever the load (one node of ten is broken) does not go
away with fewer calls.
"""

from enum import Enum


class CallEnd(Enum):
    """What a call tells about the endpoint's health."""

    FINE = "fine"
    OVERLOADED = "overloaded"
    """Time-out, 5xx, no connection."""


LEAST = 4
WINDOW_S = 0.5
WINDOW_CALLS = 20
SHRINK_FAILING = 0.7
SHRINK_SLOW = 0.9
GROW = 1.25
FAILING_SHARE = 0.1
"""So many failures are no reason to shrink, whatever is usual."""
FAILING_FACTOR = 1.5
FAILING_MOST = 0.4
"""More is never usual."""
USUAL_RATE = 0.2
"""How much of the way to what a window shows the usual share of failures goes."""
SLOW_FACTOR = 2.0
SLOW_SLACK_S = 0.05
"""What a busy process of our own adds to a latency without any fault of the endpoint's."""
BASELINE_RISE = 1.02
"""Per window: an endpoint that became slower for good is the new usual after a while."""
SAMPLES_MOST = 512


class ConcurrencyLimit:
    """Judges in windows of at least half a second and twenty calls."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._baseline_s: float | None = None
        self._window_started = 0.0
        self._latencies: list[float] = []
        self._calls = 0
        self._overloaded = 0
        self._usually_failing = 0.0
        self._was_used_up = False

    @property
    def limit(self) -> int:
        return int(self._limit)

    def ended(self, end: CallEnd, latency_s: float, in_flight: int, now: float) -> None:
        """Learn of one call; `in_flight` counts it still."""
        self._calls += 1
        if end is CallEnd.OVERLOADED:
            self._overloaded += 1
        elif len(self._latencies) < SAMPLES_MOST:
            self._latencies.append(latency_s)
        if in_flight >= int(self._limit):
            self._was_used_up = True
        if now - self._window_started >= WINDOW_S and self._calls >= WINDOW_CALLS:
            self._judge()
            self._window_started = now

    def _judge(self) -> None:
        factor = GROW if self._was_used_up else 1.0
        failing = self._overloaded / self._calls
        tolerated = min(FAILING_MOST, max(FAILING_SHARE, FAILING_FACTOR * self._usually_failing))
        self._usually_failing += USUAL_RATE * (failing - self._usually_failing)
        if failing > tolerated:
            factor = SHRINK_FAILING
        elif self._latencies:
            median_s = sorted(self._latencies)[len(self._latencies) // 2]
            baseline_s = self._baseline_s or median_s
            if median_s > SLOW_FACTOR * baseline_s + SLOW_SLACK_S:
                factor = SHRINK_SLOW
            self._baseline_s = min(baseline_s * BASELINE_RISE, median_s)
        # At least one more each time, or a small limit would never grow.
        grown = max(self._limit * factor, self._limit + 1) if factor > 1 else self._limit * factor
        self._limit = min(float(self._most), max(grown, float(min(LEAST, self._most))))
        self._latencies.clear()
        self._calls = self._overloaded = 0
        self._was_used_up = False
