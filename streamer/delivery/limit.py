"""How many calls may be in flight at once, as the endpoint bears it?

Between `LEAST` and the configured maximum. It shrinks when more calls fail for the endpoint's sake
than is usual, or when most lanes are slower than is usual for them, and grows again otherwise,
faster while it is used up. Each lane has one voice, however many calls it makes: a site that
answers slowly says nothing of the others', and one that does not answer at all says nothing: a
failure counts once a call of the same lane got through soon after it, or where none of any lane
does. A lane that makes few calls is judged by those of several windows: of two, one that failed
and one that did not, a half failed, not none. Where no lane has a voice and most calls hang, a
quarter of the maximum is left: they may be the first ones of thousands of sites. A lane is as slow
as its *median* call, not its mean: one key in a hundred that is slow says nothing of it. And more
than is usual: a tenth that fails whatever the load (one node of ten is broken) does not go away
with fewer calls.
"""

from collections.abc import Hashable
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
GROW_UNUSED = 1.1
"""Nothing tells that more would be too much, and a busy hour may begin."""
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
"""Latencies of one lane in one window."""
RECENT_S = 20.0
"""So long a lane has a voice after its last call."""
HUNG_S = 1.0
"""A call that came to nothing took so long: it hung."""
HUNG_LEAST = 0.25
"""Of the configured maximum: the least where all that is heard of is calls that hang. They take
nothing from the endpoint but connections, and where they are those of thousands of sites that went
down together, the others stand behind them until each was asked once."""
RUN_MOST = 10
"""So many failures of a lane in a row are its own outage, at which its breaker opens."""
JUDGED_CALLS = 8.0
"""A lane with fewer calls in a window is judged by earlier ones too, up to so many."""
LANES_MOST = 1_000
"""As many lanes have a voice: those seen last."""


class _Lane:
    """What one lane's calls told."""

    __slots__ = (
        "calls",
        "earlier",
        "earlier_failed",
        "failed_at",
        "failing",
        "is_slow",
        "latencies",
        "overloaded",
        "run",
        "seen_at",
        "usual_s",
    )

    def __init__(self) -> None:
        self.latencies: list[float] = []
        """Of the window under way, as the next two."""
        self.calls = 0
        self.overloaded = 0
        self.earlier = 0.0
        self.earlier_failed = 0.0
        """Calls of earlier windows that it is judged by, and how many of them failed."""
        self.usual_s: float | None = None
        self.is_slow = False
        self.failing: float | None = None
        """The share of its last calls that failed; None: none got through in the last window in
        which it made any, or as the first after its own outage, so that it has no voice."""
        self.run = 0
        """Failures since a call got through, and when the last of them was."""
        self.failed_at = 0.0
        self.seen_at = 0.0

    def failed(self, now: float) -> None:
        self.run += 1
        self.failed_at = now

    def got_through(self, latency_s: float, now: float) -> None:
        if self.run < RUN_MOST:
            if now - self.failed_at <= RECENT_S:
                self.overloaded += self.run
                self.calls += self.run
            self.calls += 1
        self.run = 0
        if len(self.latencies) < SAMPLES_MOST:
            self.latencies.append(latency_s)

    def judge(self, now: float) -> None:
        """The window ends."""
        self.seen_at = now
        self.is_slow = False
        self.failing = None
        if self.calls:
            calls, failed = self.calls + self.earlier, self.overloaded + self.earlier_failed
            self.failing = failed / calls
            kept = min(1.0, JUDGED_CALLS / calls)
            self.earlier, self.earlier_failed = kept * calls, kept * failed
        if self.latencies:
            median_s = sorted(self.latencies)[len(self.latencies) // 2]
            usual_s = self.usual_s or median_s
            self.is_slow = median_s > SLOW_FACTOR * usual_s + SLOW_SLACK_S
            self.usual_s = min(usual_s * BASELINE_RISE, median_s)
        self.latencies = []
        self.calls = self.overloaded = 0


class ConcurrencyLimit:
    """Judges in windows of at least half a second and twenty calls."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._window_started = 0.0
        self._calls = 0
        self._hung = 0
        """Of the calls of the window under way."""
        self._lanes: dict[Hashable, _Lane] = {}
        """Those that have a voice, the ones seen last at the end."""
        self._in_window: dict[Hashable, _Lane] = {}
        self._usually_failing = 0.0
        self._was_used_up = False

    def __len__(self) -> int:
        """Lanes that something is remembered of."""
        return len(self._lanes) + len(self._in_window)

    @property
    def limit(self) -> int:
        return int(self._limit)

    def ended(
        self, key: Hashable, end: CallEnd, latency_s: float, in_flight: int, now: float
    ) -> None:
        """Learn of one call of the lane `key`; `in_flight` counts it still."""
        self._calls += 1
        lane = self._in_window.get(key)
        if lane is None:
            known = self._lanes.pop(key) if key in self._lanes else None
            lane = self._in_window[key] = known or _Lane()
        if end is CallEnd.OVERLOADED:
            lane.failed(now)
            self._hung += latency_s >= HUNG_S
        else:
            lane.got_through(latency_s, now)
        if in_flight >= int(self._limit):
            self._was_used_up = True
        if now - self._window_started >= WINDOW_S and self._calls >= WINDOW_CALLS:
            mostly_hung = 2 * self._hung > self._calls
            self._end_window(now)
            self._judge(mostly_hung)
            self._window_started = now

    def _end_window(self, now: float) -> None:
        for lane in self._in_window.values():
            lane.judge(now)
        lanes = self._lanes
        lanes |= self._in_window
        self._in_window.clear()
        self._calls = self._hung = 0
        gone = [key for key, lane in lanes.items() if lane.seen_at < now - RECENT_S]
        for key in [*gone, *list(lanes)[len(gone) : len(lanes) - LANES_MOST]]:
            del lanes[key]

    def _judge(self, mostly_hung: bool) -> None:
        factor = GROW if self._was_used_up else GROW_UNUSED
        voices = [lane for lane in self._lanes.values() if lane.failing is not None]
        failing = sum(lane.failing or 0.0 for lane in voices) / len(voices) if voices else 1.0
        tolerated = min(FAILING_MOST, max(FAILING_SHARE, FAILING_FACTOR * self._usually_failing))
        self._usually_failing += USUAL_RATE * (failing - self._usually_failing)
        if failing > tolerated:
            factor = SHRINK_FAILING
        elif 2 * sum(lane.is_slow for lane in voices) > len(voices):
            factor = SHRINK_SLOW
        least = max(LEAST, HUNG_LEAST * self._most) if mostly_hung and not voices else LEAST
        # At least one more each time, or a small limit would never grow.
        grown = max(self._limit * factor, self._limit + 1) if factor > 1 else self._limit * factor
        self._limit = min(float(self._most), max(grown, float(least)))
        self._was_used_up = False
