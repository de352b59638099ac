"""How are observations counted where there are thousands a second?

As `prometheus_client`'s own histogram does, many at a time: that takes a lock and a walk over the
buckets for each value, which was a tenth of what an event cost. Counted in the event loop, read by
whoever scrapes, in another thread.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from streamer.observability.catalogue import Spec


class _Counts:
    __slots__ = ("by_bucket", "total")

    def __init__(self, buckets: int) -> None:
        self.by_bucket = [0] * (buckets + 1)
        """The last is of what is above all bounds."""
        self.total = 0.0


class Histograms(Collector):
    """One metric, by its labels."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._bounds = tuple(map(float, spec.buckets))
        bounds = (*self._bounds, float("inf"))
        self._names: list[str] = [
            floatToGoString(bound)  # type: ignore[no-untyped-call]
            for bound in bounds
        ]
        self._counts: dict[tuple[str, ...], _Counts] = {}

    def observe(self, labels: tuple[str, ...], values: Sequence[float]) -> None:
        """Count these values under the labels' values."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = _Counts(len(self._bounds))
        bounds, by_bucket = self._bounds, counts.by_bucket
        for value in values:
            by_bucket[bisect_left(bounds, value)] += 1
        counts.total += sum(values)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        spec = self._spec
        family = HistogramMetricFamily(spec.name, spec.meaning, labels=spec.labels)
        for labels, counts in list(self._counts.items()):
            sums = map(float, accumulate(list(counts.by_bucket)))
            buckets = list(zip(self._names, sums, strict=True))
            family.add_metric(labels, buckets, counts.total)
        yield family
