"""Do the histograms that are counted many at a time read as the client library's own?"""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest

from streamer.observability.catalogue import AGE, CALL_REPORTS
from streamer.observability.histograms import Histograms

disable_created_metrics()  # type: ignore[no-untyped-call]

SECONDS = st.lists(st.integers(0, 10_000_000).map(lambda ms: ms / 1000), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["a", 'b"\n']), SECONDS), max_size=6))
def test_they_read_as_the_client_librarys_own(observed: list[tuple[str, list[float]]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    made = Histograms(AGE)
    ours.register(made)
    own = Histogram(AGE.name, AGE.meaning, AGE.labels, registry=theirs, buckets=AGE.buckets)
    for route, seconds in observed:
        made.observe((route,), seconds)
        for value in seconds:
            own.labels(route).observe(value)
        own.labels(route)
    assert _lines(ours) == _lines(theirs)


def _lines(registry: CollectorRegistry) -> list[str]:
    """Without the sums, which are added up in another order."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_sum" not in line]


def test_a_value_on_a_bound_is_in_its_bucket_and_the_sum_is_of_all() -> None:
    registry = CollectorRegistry()
    made = Histograms(CALL_REPORTS)
    registry.register(made)
    bound = CALL_REPORTS.buckets[0]
    made.observe(("report",), [bound, 10_000.0])
    made.observe(("report",), [])
    name, labels = CALL_REPORTS.name, {"action": "report"}
    assert registry.get_sample_value(f"{name}_bucket", {**labels, "le": str(float(bound))}) == 1
    assert registry.get_sample_value(f"{name}_count", labels) == 2
    assert registry.get_sample_value(f"{name}_sum", labels) == bound + 10_000.0
