"""How does a snapshot become gauges? At each scrape, and never in between."""

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streamer.observability import catalogue
from streamer.observability.catalogue import Spec
from streamer.observability.state import Snapshot


class StateGauges(Collector):
    """Collects from `look`, which gives None while the event loop does not answer."""

    def __init__(self, look: Callable[[], Snapshot | None]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Nothing: naming the families must not take a snapshot."""
        return ()

    def collect(self) -> Iterable[Metric]:
        state = self._look()
        if state is None:
            return
        yield _one(catalogue.IN_FLIGHT, state.calls_in_flight)
        yield _one(catalogue.LIMIT, state.calls_limit)
        yield _one(catalogue.ASSIGNED, len(state.partitions))
        yield _one(catalogue.READING_STUCK, float(bool(state.stuck)))
        yield _one(catalogue.POLL_AGE, state.poll_age_s)
        yield _one(catalogue.LOOP_AGE, state.loop_age_s)
        yield _one(catalogue.TASKS, state.tasks)
        yield _by_label(catalogue.HELD, state.held)
        yield _by_label(catalogue.BREAKERS, state.breakers)
        yield _one(catalogue.LANES, state.lanes_known)
        yield _by_label(catalogue.LANES_HELD, state.lanes_held)
        yield _stopped_by(state)
        yield _by_label(catalogue.FLOODS, dict.fromkeys(state.floods, 1))
        held_apps = {name: float(bool(why)) for name, why in state.app_held.items()}
        yield _by_label(catalogue.APP_HELD, held_apps)
        yield from _partitions(state)


def _partitions(state: Snapshot) -> Iterable[Metric]:
    values: dict[Spec, Callable[..., float]] = {
        catalogue.LAG: lambda p: p.lag,
        catalogue.LAG_SECONDS: lambda p: p.lag_s,
        catalogue.UNDELIVERED: lambda p: p.undelivered,
        catalogue.WINDOW: lambda p: p.window,
        catalogue.PAUSED: lambda p: float(p.paused),
        catalogue.STUCK: lambda p: float(bool(p.stuck)),
    }
    for spec, value in values.items():
        family = GaugeMetricFamily(spec.name, spec.meaning, labels=spec.labels)
        for partition in state.partitions:
            family.add_metric([partition.topic, str(partition.partition)], value(partition))
        yield family


def _stopped_by(state: Snapshot) -> Metric:
    spec = catalogue.STOPPED_BY
    family = GaugeMetricFamily(spec.name, spec.meaning, labels=spec.labels)
    for partition in state.partitions:
        lane = partition.stopped_by
        if lane is not None:
            where = [partition.topic, str(partition.partition)]
            family.add_metric([*where, lane.endpoint, lane.instance, lane.trigger, lane.kind], 1)
    return family


def _one(spec: Spec, value: float) -> Metric:
    return GaugeMetricFamily(spec.name, spec.meaning, value=value)


def _by_label(spec: Spec, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(spec.name, spec.meaning, labels=spec.labels)
    for label, value in values.items():
        family.add_metric([label], value)
    return family
