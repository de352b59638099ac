"""How many calls has each app instance made, and may it make another now?

The quota counts calls in a sliding minute, by app instance, whatever they ask for; a bulk call is
one. Pure: the time comes in.
"""

from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest

from msgspec import Struct

MINUTE_MS = 60_000
DEFAULT_CALLS_A_MINUTE = 200  # report endpoint, "Quota": for each app instance


class RetryAfter(StrEnum):
    """What a call over quota is told of the time to wait."""

    SECONDS = "seconds"
    DATE = "date"
    NONE = "none"
    """There is no header: the endpoint's page does not promise one."""


@dataclass(frozen=True, slots=True)
class Quota:
    calls_a_minute: int | None = None
    """For each app instance, 1 or more; None: no quota."""
    retry_after: RetryAfter = RetryAfter.SECONDS
    refused_calls_count: bool = False
    """A call that is refused for the quota uses it up as well."""


class _Minute:
    """The times of the calls of the last minute."""

    __slots__ = ("_first", "_times_ms")

    def __init__(self) -> None:
        self._times_ms: list[int] = []
        self._first = 0
        """Index of the oldest that is within the minute; those before it are not cut off yet."""

    def count(self, now_ms: int) -> int:
        """The calls within the minute that ends now: one of exactly a minute ago is not."""
        times, first = self._times_ms, self._first
        if not times:
            return 0
        begin_ms = now_ms - MINUTE_MS
        while first < len(times) and times[first] <= begin_ms:
            first += 1
        # Cut off in large pieces: cutting one moves all others.
        if first > 64 and first * 2 > len(times):
            del times[:first]
            first = 0
        self._first = first
        return len(times) - first

    def add(self, now_ms: int) -> None:
        self._times_ms.append(now_ms)

    def leaves_at_ms(self, how_many: int) -> int:
        """When so many of the calls have left the minute; `how_many` is at least 1."""
        return self._times_ms[self._first + how_many - 1] + MINUTE_MS


class Usage(Struct, gc=False):
    """What one app instance has called. Mutable: counts go up."""

    app: str
    instance: str
    calls: int = 0
    """All that came with a good token."""
    over_quota: int = 0
    """Of them, those refused with 429 for the quota."""
    most_in_a_minute: int = 0
    """The highest number of calls in any sliding minute, those over quota included."""


class _Window(Struct):
    usage: Usage
    counted: _Minute
    """The calls that use up the quota."""
    refused: _Minute
    """Those that do not."""


class Usages:
    """Counts the calls of every app instance and holds them to the quota."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], _Window] = {}
        self._instances: set[str] = set()

    def __len__(self) -> int:
        return len(self._windows)

    def call(self, quota: Quota, app: str, instance: str, now_ms: int) -> int | None:
        """Counts a call. Milliseconds until the next may come where this one is over quota."""
        window = self._windows.get((app, instance))
        if window is None:
            window = _Window(Usage(app, instance), _Minute(), _Minute())
            self._windows[app, instance] = window
            self._instances.add(instance)
        usage = window.usage
        usage.calls += 1
        counted, refused = window.counted.count(now_ms), window.refused.count(now_ms)
        if counted + refused >= usage.most_in_a_minute:
            usage.most_in_a_minute = counted + refused + 1
        limit = quota.calls_a_minute
        if limit is None or counted < limit:
            window.counted.add(now_ms)
            return None
        usage.over_quota += 1
        (window.counted if quota.refused_calls_count else window.refused).add(now_ms)
        too_many = window.counted.count(now_ms) - limit + 1
        return window.counted.leaves_at_ms(too_many) - now_ms

    def has_called(self, instance: str) -> bool:
        """For any app."""
        return instance in self._instances

    def usages(self, limit: int, instance: str | None = None) -> list[Usage]:
        """Of the app instances that called (all, or those of this id), the `limit` with the most
        calls, the busiest first."""
        found = (
            window.usage
            for window in self._windows.values()
            if instance is None or window.usage.instance == instance
        )
        return nsmallest(limit, found, key=lambda usage: (-usage.calls, usage.instance, usage.app))

    def in_minute(self, app: str, instance: str, now_ms: int) -> int:
        """How much of its quota an app instance has used up in the minute that ends now."""
        window = self._windows.get((app, instance))
        return 0 if window is None else window.counted.count(now_ms)
