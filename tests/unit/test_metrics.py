"""Does /metrics expose what the catalogue lists, and does the page say so?"""

from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamer.model import Action, Reason
from streamer.observability import catalogue
from streamer.observability.gauges import StateGauges
from streamer.observability.metrics import Metrics
from streamer.observability.reference import put_into
from streamer.observability.state import LaneState, PartitionState, Snapshot

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
OF_THE_CLIENT = ("process_", "python_")
OF_SAMPLES = {"le"}
"""What a histogram's buckets have beyond its own labels."""

STATE = Snapshot(
    joined=True,
    stuck="",
    calls_in_flight=3,
    calls_limit=256,
    held={"breaker": 2},
    breakers={"outage": 1},
    lanes_known=0,
    lanes_held={"breaker": 1},
    lanes=[],
    floods={"invoice-overdue": 1},
    app_held={"default": ""},
    schemas_awaited=[],
    letters_unwritten="",
    partitions=[
        PartitionState(
            topic="billing.invoices",
            partition=0,
            generation=1,
            position=10,
            committed=8,
            end=20,
            window=2,
            undelivered=12,
            lag=12,
            lag_s=1.5,
            paused=True,
            waits_for_schema=0,
            waits_for_commit=0,
            stuck="",
            stopped_by=LaneState("default", "site", "t", 2, "breaker", "503"),
        )
    ],
    poll_age_s=0.1,
    loop_age_s=0.2,
)


def count_everything(metrics: Metrics) -> None:
    metrics.skipped("t", "r", "max-age")
    metrics.delivered("r", Action.REPORT, 1, [0.5])
    metrics.nothing_to_cancel("r")
    metrics.dead_lettered("t", "r", next(iter(Reason)))
    metrics.letter_failed("t", "unwritable")
    metrics.retried("r", "throttled")
    metrics.breaker_opened("outage")
    metrics.committed(True, "")
    metrics.stalled(20.0)
    metrics.consumed("t", 5)
    metrics.call_ended(Action.CANCEL, 3, "2xx", 0.1)
    metrics.rebalanced("assigned", 4)
    metrics.metadata_rejected("foreign")
    metrics.out_of_range("t", 5)
    metrics.made_anew("t", 2)


def exposed_samples(metrics: Metrics) -> dict[str, set[str]]:
    """Label names by sample name, of what is streamer's own."""
    text = generate_latest(metrics.registry).decode()
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.startswith(OF_THE_CLIENT):
                samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.registry.register(StateGauges(lambda: STATE))
    count_everything(metrics)
    return metrics


def test_metrics_exposes_exactly_the_catalogue(metrics: Metrics) -> None:
    listed = {name for spec in catalogue.ALL for name in spec.exposed}

    assert set(exposed_samples(metrics)) == listed


def test_every_sample_has_the_labels_of_the_catalogue(metrics: Metrics) -> None:
    samples = exposed_samples(metrics)

    for spec in catalogue.ALL:
        for name in spec.exposed:
            assert samples[name] - OF_SAMPLES == set(spec.labels), name


def test_the_types_and_meanings_are_those_of_the_catalogue(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}

    for spec in catalogue.ALL:
        assert families[spec.name].type == spec.kind.value
        assert families[spec.name].documentation == spec.meaning


def test_without_an_answer_of_the_event_loop_the_counters_are_still_there() -> None:
    metrics = Metrics()
    metrics.registry.register(StateGauges(lambda: None))
    count_everything(metrics)

    samples = exposed_samples(metrics)

    assert "streamer_reports_delivered_total" in samples
    assert "streamer_lag_messages" not in samples


def test_the_clients_own_metrics_of_the_process_are_there(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()

    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"):
        assert f"\n{name}" in text


def test_a_name_stands_once_in_the_catalogue_and_says_its_unit_as_prometheus_does() -> None:
    names = [spec.name for spec in catalogue.ALL]

    assert len(names) == len(set(names))
    for spec in catalogue.ALL:
        assert spec.name.startswith("streamer_")
        assert not spec.name.endswith(("_total", "_ms", "_s")), spec.name


def test_no_label_is_named_after_what_must_not_be_shown() -> None:
    labels = {label for spec in catalogue.ALL for label in spec.labels}

    # `instance` is Prometheus' own label for what it scrapes.
    assert not labels & {"key", "instance", "entity", "payload", "token", "idempotency"}


def test_the_page_holds_the_current_table() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert put_into(page) == page, "run `make docs`"


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has no line"):
        put_into("# Metrics\n")
