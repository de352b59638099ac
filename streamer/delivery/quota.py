"""When may a lane's next call start, so that no sliding minute has more than its quota?

Counted are the starts of this process's calls within the last minute, at 98 % of the quota, since
what starts evenly may arrive closer together. Two things more than a count:

- *Spread.* While three quarters of the minute's calls are left, a call goes at once. Then a
  distance between calls grows, and once half of them are left, these are spread evenly, so that
  the lane never comes to a stop: natural batches grow instead.
- *Pace.* Other processes may use the same quota without our knowing. Each 429 lowers how many
  calls a minute may have, success raises it again (additive increase, multiplicative decrease,
  as TCP shares a line: Chiu and Jain 1989). The longer nothing is throttled the faster it rises,
  so that it costs few 429s to stand at a shared quota, and minutes to have all of it when the
  others leave.
"""

from bisect import bisect_right

MINUTE_S = 60.0
USED_SHARE = 0.98
AT_ONCE_SHARE = 0.25
SPREAD_SHARE = 0.5
"""Of the minute's calls used. Without the growing distance between the two, the many small calls of
a burst would use up in a second what the rest of the minute needs."""
PACE_LEAST = 2.0
PACE_CUT = 0.85
PACE_RISE = 0.02
PACE_RISE_MORE = 0.06
"""Of the whole quota, for each minute's worth of calls that went well; and so much more of it for
each that did since the last 429. Chosen by `tests/simulation/quota_sharing.py`."""
LATE_MOST_S = 0.1
STARTS_LOOKED_AT = 200
"""Of a larger quota some of the minute's calls tell how to spread: looking at 6,000 before each
call would take 0.7 ms."""


class QuotaMinute:
    """One lane's calls of the last minute; times are seconds of the core's clock."""

    __slots__ = ("_cut_at", "_due", "_last_due", "_most", "_pace", "_starts", "_well")

    def __init__(self, per_minute: int) -> None:
        """`per_minute`: the endpoint's quota, at least 1."""
        self._most = max(1, int(per_minute * USED_SHARE))
        self._pace = float(self._most)
        self._starts: list[float] = []
        self._due = self._last_due = float("-inf")
        """When the next call may start, and when the last one might have started."""
        self._cut_at = float("-inf")
        self._well = 0.0
        """Minute's worths of calls that went well since."""

    @property
    def most(self) -> int:
        """How many calls a minute may have at the present pace."""
        return max(1, int(self._pace))

    def started(self, now: float) -> None:
        """A call starts; `next_at` was asked before."""
        self._starts.append(now)
        # The loop comes a little late to each; without this all of that would be lost.
        self._last_due = max(self._due, now - LATE_MOST_S)

    def next_at(self, now: float) -> float:
        """The earliest moment of the next call; not after `now`: it may go."""
        self._forget(now)
        self._due = self._next_due(now)
        return self._due

    def _next_due(self, now: float) -> float:
        starts, most = self._starts, self.most
        left = most - len(starts)
        if left <= 0:
            return starts[-most] + MINUTE_S
        used = len(starts) / most
        if used <= AT_ONCE_SHARE:
            return now
        if used <= SPREAD_SHARE:
            growing = (used - AT_ONCE_SHARE) / (SPREAD_SHARE - AT_ONCE_SHARE)
            return self._last_due + growing * MINUTE_S / most
        # One call is free again a minute after each start. With calls at even distances from the
        # last one on, the one that needs the j-th of those (from 0) is `left + j + 1` away.
        free_in = MINUTE_S - self._last_due
        step = len(starts) // STARTS_LOOKED_AT + 1
        looked_at = zip(range(left + 1, most + 1, step), starts[::step], strict=True)
        distance = max((start + free_in) / places for places, start in looked_at)
        return self._last_due + distance

    def throttled(self, started_at: float, now: float) -> None:
        """A call that started at `started_at` was answered 429.

        Those that were under way when the pace was lowered tell the same story again.
        """
        if started_at < self._cut_at:
            return
        self._cut_at = now
        self._well = 0.0
        self._pace = max(min(PACE_LEAST, float(self._most)), self._pace * PACE_CUT)

    def went_well(self) -> None:
        """A call was not throttled."""
        if self._pace < self._most:
            self._well += 1 / self._pace
            share = (PACE_RISE + PACE_RISE_MORE * self._well) / self._pace
            self._pace = min(float(self._most), self._pace + share * self._most)

    def is_spent(self, now: float) -> bool:
        """Whether there is something to remember: calls of the last minute."""
        self._forget(now)
        return bool(self._starts)

    def _forget(self, now: float) -> None:
        starts = self._starts
        if starts and starts[0] <= now - MINUTE_S:
            del starts[: bisect_right(starts, now - MINUTE_S)]
