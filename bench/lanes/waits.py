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
        self.counts = sorted(counts.items())
        self.events = sum(counts.values())

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the events arrived; 0 where there are none."""
        left = share * self.events
        for wait_ms, count in self.counts:
            left -= count
            if left <= 0:
                return wait_ms / 1000
        return 0.0

    @property
    def mean_s(self) -> float:
        total_ms = sum(wait_ms * count for wait_ms, count in self.counts)
        return total_ms / 1000 / max(1, self.events)

    @property
    def most_s(self) -> float:
        return self.counts[-1][0] / 1000 if self.counts else 0.0


Looks = Mapping[str, Seen]
"""What the endpoint saw in some time, by instance."""


def waits_of(looks: Looks, instances: Iterable[str]) -> Waits:
    """Of these instances together."""
    return _sum(looks[name].waits_ms for name in instances if name in looks)


def merged(all_waits: Iterable[Waits]) -> Waits:
    return _sum(dict(waits.counts) for waits in all_waits)


def _sum(all_counts: Iterable[Mapping[int, int]]) -> Waits:
    total: Counter[int] = Counter()
    for counts in all_counts:
        total.update(counts)
    return Waits(total)
