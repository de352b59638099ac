"""How are the metrics counted?

Counters and histograms are counted where things happen (`Watch`, `CallWatch`); gauges are read
from the state at each scrape (`state.py`), so that they cost nothing in between.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from streamer import __version__
from streamer.model import Action, Reason
from streamer.observability import catalogue
from streamer.observability.catalogue import Kind, Spec
from streamer.observability.histograms import Histograms


class Metrics:
    """All metrics of one process, on a registry of their own."""

    def __init__(self) -> None:
        # They would add a series to every counter, of a name that no catalogue lists.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._consumed = self._counter(catalogue.CONSUMED)
        self._skipped = self._counter(catalogue.SKIPPED)
        self._delivered = self._counter(catalogue.DELIVERED)
        self._nothing_to_cancel = self._counter(catalogue.NOTHING_TO_CANCEL)
        self._retried = self._counter(catalogue.RETRIED)
        self._dead_lettered = self._counter(catalogue.DEAD_LETTERED)
        self._letter_failed = self._counter(catalogue.LETTER_FAILED)
        self._calls = self._counter(catalogue.CALLS)
        self._commits = self._counter(catalogue.COMMITS)
        self._rebalances = self._counter(catalogue.REBALANCES)
        self._stalls = self._counter(catalogue.STALLS)
        self._metadata_rejected = self._counter(catalogue.METADATA_REJECTED)
        self._offset_resets = self._counter(catalogue.OFFSET_RESETS)
        self._deleted_unread = self._counter(catalogue.DELETED_UNREAD)
        self._made_anew = self._counter(catalogue.MADE_ANEW)
        self._age = self._histogram(catalogue.AGE)
        self._call_seconds = self._histogram(catalogue.CALL_SECONDS)
        self._call_reports = self._histogram(catalogue.CALL_REPORTS)
        self._breaker_openings = self._counter(catalogue.BREAKER_OPENINGS)
        self._gauge(catalogue.BUILD).labels(__version__).set(1)

    # Looking a child up by its labels costs more than counting: each is kept.

    def _counter(self, spec: Spec) -> Any:
        assert spec.kind is Kind.COUNTER
        counter = Counter(spec.name, spec.meaning, spec.labels, registry=self.registry)
        return lru_cache(maxsize=4096)(counter.labels) if spec.labels else lambda: counter

    def _histogram(self, spec: Spec) -> Histograms:
        assert spec.kind is Kind.HISTOGRAM
        made = Histograms(spec)
        self.registry.register(made)
        return made

    def _gauge(self, spec: Spec) -> Gauge:
        return Gauge(spec.name, spec.meaning, spec.labels, registry=self.registry)

    # --- the core's watch ----------------------------------------------------------------------

    def skipped(self, topic: str, route: str, why: str) -> None:
        self._skipped(topic, route, why).inc()

    def delivered(self, route: str, action: Action, reports: int, ages_s: Sequence[float]) -> None:
        self._delivered(route, action.value).inc(reports)
        self._age.observe((route,), ages_s)

    def nothing_to_cancel(self, route: str) -> None:
        self._nothing_to_cancel(route).inc()

    def dead_lettered(self, topic: str, route: str, reason: Reason) -> None:
        self._dead_lettered(topic, route, reason.value).inc()

    def letter_failed(self, topic: str, kind: str) -> None:
        self._letter_failed(topic, kind).inc()

    def retried(self, route: str, why: str) -> None:
        self._retried(route, why).inc()

    def breaker_opened(self, kind: str) -> None:
        self._breaker_openings(kind).inc()

    def flood(self, name: str, holds: bool) -> None:
        """Nothing to count: the gauge is read from the state."""

    def committed(self, ok: bool, code: str) -> None:
        self._commits("ok" if ok else code).inc()

    def stalled(self, gap_s: float) -> None:
        self._stalls().inc()

    # --- the edge's and the source's -----------------------------------------------------------

    def consumed(self, topic: str, messages: int) -> None:
        self._consumed(topic).inc(messages)

    def call_ended(self, action: Action, reports: int, status: str, seconds: float) -> None:
        self._calls(action.value, status).inc()
        self._call_seconds.observe((action.value,), (seconds,))
        self._call_reports.observe((action.value,), (reports,))

    def rebalanced(self, kind: str, partitions: int) -> None:
        self._rebalances(kind).inc(partitions)

    def metadata_rejected(self, why: str) -> None:
        self._metadata_rejected(why).inc()

    def out_of_range(self, topic: str, deleted: int) -> None:
        self._offset_resets(topic).inc()
        self._deleted_unread(topic).inc(deleted)

    def made_anew(self, topic: str, partitions: int) -> None:
        self._made_anew(topic).inc(partitions)
