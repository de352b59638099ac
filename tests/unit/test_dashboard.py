"""Does every query of the Grafana dashboard ask for what the catalogue has?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from promql_parser import AggModifierType, AggregateExpr, BinaryExpr, Expr, VectorSelector

from streamer.observability import catalogue

ROOT = Path(__file__).parents[2]
FILE = ROOT / "helm" / "streamer" / "dashboards" / "streamer.json"
PAGE = ROOT / "docs" / "metrics.md"

OF_THE_TARGET = {"namespace", "job", "pod", "instance"}
"""Labels that a scrape gives to every sample."""
OF_THE_CLIENT = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
}
"""What the Python client has of its own, without labels."""

LABELS: dict[str, set[str]] = {
    name: set(spec.labels) | ({"le"} if name.endswith("_bucket") else set())
    for spec in catalogue.ALL
    for name in spec.exposed
} | {name: set() for name in OF_THE_CLIENT}

Problems = Iterator[str]


def parsed(query: str) -> Expr:
    """The query with Grafana's variables filled in, read by Prometheus' grammar."""
    spans = re.sub(r"\$__(rate_interval|range|interval)", "5m", query)
    expr: Expr = promql_parser.parse(re.sub(r"\$\{?(\w+)\}?", "any", spans))
    return expr


def problems(query: str) -> Problems:
    """What the query asks for that the catalogue does not have."""
    yield from _problems(parsed(query))


def _problems(expr: Expr) -> Problems:
    selectors = _selectors(expr)
    if not selectors:
        yield "asks for no metric"
    for selector in selectors:
        if selector.name not in LABELS:
            yield f"there is no metric {selector.name}"
            return
        for matcher in selector.matchers.matchers:
            if matcher.name not in LABELS[selector.name] | OF_THE_TARGET:
                yield f"{selector.name} has no label {matcher.name}"
    for label, below in _grouped(expr):
        for selector in _selectors(below):
            if label not in LABELS[selector.name or ""] | OF_THE_TARGET:
                yield f"{selector.name} has no label {label} to group by"


def _selectors(expr: Expr) -> list[VectorSelector]:
    return [node for node in _nodes(expr) if isinstance(node, VectorSelector)]


def _grouped(expr: Expr) -> Iterator[tuple[str, Expr]]:
    """Labels that are grouped or joined by, each with the expression that must have it."""
    for node in _nodes(expr):
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            yield from ((label, node.expr) for label in node.modifier.labels)
        if isinstance(node, BinaryExpr) and node.modifier and node.modifier.matching:
            yield from ((label, node) for label in node.modifier.matching.labels)


def _nodes(expr: Expr) -> list[Expr]:
    nodes: list[Expr] = []
    promql_parser.walk(expr, lambda node: nodes.append(node))
    return nodes


def kept_labels(query: str) -> set[str]:
    """The labels that the query's result may have."""
    expr = parsed(query)
    for node in _nodes(expr):
        # The outermost aggregation decides, and what is inside of it does not matter.
        if isinstance(node, AggregateExpr) and not _keeps_all(node):
            modifier = node.modifier
            return set(modifier.labels) if modifier is not None else set()
    (selector, *_) = _selectors(expr)
    return LABELS[selector.name or ""] | OF_THE_TARGET


def _keeps_all(node: AggregateExpr) -> bool:
    by = node.modifier is not None and node.modifier.type == AggModifierType.By
    return not by and str(node.op) in ("topk", "bottomk")


# --- the dashboard --------------------------------------------------------------------------------


def dashboard() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


def panels() -> list[Any]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def targets() -> list[Any]:
    return [target for panel in panels() for target in panel["targets"]]


def test_every_query_asks_for_metrics_and_labels_that_are_there() -> None:
    found = {t["expr"]: list(problems(t["expr"])) for t in targets()}

    assert len(found) > 30
    assert not {query: why for query, why in found.items() if why}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sum(streamer_reports_deliverd_total)", "no metric streamer_reports_deliverd_total"),
        ("sum(streamer_reports_delivered)", "no metric streamer_reports_delivered"),
        ('streamer_lag_seconds{route="a"}', "streamer_lag_seconds has no label route"),
        ("sum by (route) (rate(streamer_calls_total[5m]))", "no label route to group by"),
        ("sum by (le) (rate(streamer_call_seconds_sum[5m]))", "no label le to group by"),
        ("streamer_stalls_total / on (kind) streamer_breakers_open", "no label kind to group by"),
        ("1 + 1", "asks for no metric"),
    ],
)
def test_a_query_for_what_is_not_there_is_found(query: str, why: str) -> None:
    assert why in "; ".join(problems(query))


def test_counters_are_asked_for_their_rate_and_gauges_are_not() -> None:
    counters = {name for spec in catalogue.ALL for name in spec.exposed if _counts(spec)}

    for target in targets():
        for node in _nodes(parsed(target["expr"])):
            if isinstance(node, promql_parser.Call) and node.func.name in ("rate", "increase"):
                (selector,) = _selectors(node)
                assert (selector.name or "").endswith(("_total", "_bucket", "_sum", "_count"))
        text = re.sub(r"(rate|increase)\([^)]*\)", "", target["expr"])
        assert not [name for name in counters if name in text], target["expr"]


def _counts(spec: catalogue.Spec) -> bool:
    return spec.kind is not catalogue.Kind.GAUGE


def test_a_legend_names_labels_that_the_result_has() -> None:
    for target in targets():
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert named <= kept_labels(target["expr"]), target


def test_every_query_keeps_to_the_chosen_namespace_and_job() -> None:
    for target in targets():
        for selector in _selectors(parsed(target["expr"])):
            matched = {matcher.name for matcher in selector.matchers.matchers}
            assert {"namespace", "job"} <= matched, target["expr"]


def test_every_metric_that_calls_for_a_person_is_on_the_dashboard() -> None:
    shown = {s.name for t in targets() for s in _selectors(parsed(t["expr"]))}

    for spec in catalogue.ALL:
        assert shown & set(spec.exposed), f"{spec.name} is on no panel"


def test_panels_have_ids_titles_and_places_of_their_own() -> None:
    everything = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()

    assert len({panel["id"] for panel in everything}) == len(everything)
    for panel in everything:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["title"] and panel["description"] for panel in panels())


def test_the_data_source_is_chosen_and_never_fixed() -> None:
    for part in (*panels(), *targets()):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    names = [variable["name"] for variable in dashboard()["templating"]["list"]]
    assert names == ["datasource", "namespace", "job"]


def test_the_queries_on_the_page_ask_for_what_is_there() -> None:
    rows = re.findall(r"^\| [^|]+\? \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    queries = [query for row in rows for query in re.findall(r"`([^`]+)`", row)]

    assert len(queries) > 5
    assert not {q: why for q in queries if (why := list(problems(q)))}
