"""How long did events wait?

A wait is from the record's timestamp (the producer's clock as it gives the event to its client) to
the call's arrival at the endpoint: the broker, the way through `streamer` and the lane's turn are
in it, the endpoint's latency is not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from bench.replies import Seen


class Waits:
    """Milliseconds and how often each."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._counts = sorted(counts.items())
        self.events = sum(counts.values())

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the events arrived; 0 where there are none."""
        left = share * self.events
        for wait_ms, count in self._counts:
            left -= count
            if left <= 0:
                return wait_ms / 1000
        return 0.0

    @property
    def mean_s(self) -> float:
        total_ms = sum(wait_ms * count for wait_ms, count in self._counts)
        return total_ms / 1000 / max(1, self.events)

    @property
    def most_s(self) -> float:
        return self._counts[-1][0] / 1000 if self._counts else 0.0


Looks = Mapping[str, Seen]
"""What the endpoint saw in some time, by instance."""


def waits_of(looks: Looks, instances: Iterable[str]) -> Waits:
    """Of these instances together."""
    merged: Counter[int] = Counter()
    for name in instances:
        if name in looks:
            merged.update(looks[name].waits_ms)
    return Waits(merged)
