"""Which routes does an event meet, and what do they make of it?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from streamer.errors import Finding, Severity
from streamer.model import (
    Action,
    Event,
    Reason,
    Refusal,
    RefusedReport,
    Report,
    Routed,
    Skipped,
    Tombstone,
)
from streamer.routing.compiling import compiled_rows
from streamer.routing.language.scope import Scope
from streamer.routing.route import Route
from streamer.routing.specs import Idempotency, OnTombstone, RouteSpec
from streamer.routing.topics import is_pattern, matches

__all__ = ["Idempotency", "OnTombstone", "RouteSpec", "RoutingTable", "compile_routes"]

_REMEMBERED = 50_000
"""Pairs of topic and schema whose routes are kept at hand. There are as many as schemas were
really used; the bound is for a registry that goes mad."""

_NO_ROUTE = Routed((), (Skipped("", "no-route"),))
_TOMBSTONE = Routed((), (Skipped("", "tombstone"),))


def compile_routes(
    specs: Sequence[RouteSpec], instances: Mapping[str, str]
) -> "RoutingTable | list[Finding]":
    """The table, with its warnings in `findings`; or, if a route is wrong, all that was found.

    `instances`: by endpoint entry the app instance of routes that name none, where it has one.
    """
    routes, findings = compiled_rows(specs, instances)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return findings
    return RoutingTable(routes, findings)


class RoutingTable:
    """The routes in their order. Pure: an event always makes the same."""

    def __init__(self, routes: Sequence[Route], findings: Sequence[Finding] = ()) -> None:
        self.routes = tuple(routes)
        self.findings = tuple(findings)
        """Warnings: what works, and a person should look at."""
        self.topics = tuple(dict.fromkeys(t for route in routes for t in route.parts.topics))
        """Names and patterns of all topics that a route reads, each once."""
        self.cancelled = frozenset(pair for route in routes for pair in _cancelled(route))
        """Endpoint and trigger of every cancel."""
        self._of_topic: dict[str, tuple[Route, ...]] = {}
        self._of_tombstone: dict[str, tuple[Route, ...]] = {}
        self._key_wanted: dict[str, bool] = {}
        self._of_schema: dict[tuple[str, str], tuple[Route, ...]] = {}
        self._by_name: dict[str, list[int]] = {}
        self._by_pattern: list[int] = []
        for position, route in enumerate(routes):
            for topic in route.parts.topics:
                if not is_pattern(topic):
                    self._by_name.setdefault(topic, []).append(position)
            if any(map(is_pattern, route.parts.topics)):
                self._by_pattern.append(position)

    def route(self, event: Event | Tombstone, now_ms: int) -> Routed:
        """All that the routes make of the event, in the table's order."""
        if isinstance(event, Tombstone):
            return self._tombstone(event, now_ms)
        found = self._of_schema.get((event.message.partition.topic, event.schema))
        if found is None:
            found = self._routes_of(event.message.partition.topic, event.schema)
        reports: list[Report | RefusedReport] = []
        skipped: list[Skipped] = []
        plain = decoded = None
        for route in found:
            if route.key_avro:
                decoded = decoded or Scope(event.message, event.avro_key, decoded_key=True)
                scope = decoded
            else:
                plain = plain or Scope(event.message, None, decoded_key=False)
                scope = plain
            made = route.made_of(event, scope, now_ms)
            if made is None:
                continue
            if isinstance(made, Skipped):
                skipped.append(made)
            else:
                reports.append(made)
        if len(reports) > 1:
            reports = _without_duplicates(reports)
        if not reports and not skipped:
            return _NO_ROUTE
        return Routed(tuple(reports), tuple(skipped))

    def _tombstone(self, tombstone: Tombstone, now_ms: int) -> Routed:
        reports: list[Report | RefusedReport] = []
        skipped: list[Skipped] = []
        for route in self._on_tombstone(tombstone.message.partition.topic):
            decoded = route.key_avro
            scope = Scope(tombstone.message, tombstone.avro_key, decoded_key=decoded)
            made = route.made_of_tombstone(tombstone, scope, now_ms)
            if isinstance(made, Skipped):
                skipped.append(made)
            elif made is not None:
                reports.append(made)
        if not reports and not skipped:
            return _TOMBSTONE
        return Routed(tuple(reports), tuple(skipped))

    def _on_tombstone(self, topic: str) -> tuple[Route, ...]:
        """The routes of the topic that cancel at a tombstone, in the table's order."""
        found = self._of_tombstone.get(topic)
        if found is None:
            routes = self.routes_of_topic(topic)
            found = tuple(route for route in routes if route.parts.on_tombstone is not None)
            _remember(self._of_tombstone, topic, found)
        return found

    def wants_key(self, topic: str) -> bool:
        """Whether a route of the topic reads the decoded key."""
        wanted = self._key_wanted.get(topic)
        if wanted is None:
            wanted = any(route.key_avro for route in self.routes_of_topic(topic))
            _remember(self._key_wanted, topic, wanted)
        return wanted

    def instance_of(self, endpoint: str) -> str | None:
        """The first app instance that a route of this endpoint names as it is, if one does."""
        named = (it.parts.instance for it in self.routes if it.parts.endpoint == endpoint)
        return next((instance for instance in named if isinstance(instance, str)), None)

    def routes_of_topic(self, topic: str) -> tuple[Route, ...]:
        """The routes that read the topic, in the table's order."""
        found = self._of_topic.get(topic)
        if found is None:
            positions = set(self._by_name.get(topic, ()))
            positions.update(
                position
                for position in self._by_pattern
                if any(matches(name, topic) for name in self.routes[position].parts.topics)
            )
            found = tuple(self.routes[position] for position in sorted(positions))
            _remember(self._of_topic, topic, found)
        return found

    def _routes_of(self, topic: str, schema: str) -> tuple[Route, ...]:
        found = tuple(
            route
            for route in self.routes_of_topic(topic)
            if route.parts.event is None or route.parts.event == schema
        )
        _remember(self._of_schema, (topic, schema), found)
        return found


def _cancelled(route: Route) -> Iterator[tuple[str, str]]:
    parts = route.parts
    if parts.action is Action.CANCEL:
        yield parts.endpoint, parts.trigger
    if parts.on_tombstone is not None:
        yield parts.endpoint, parts.on_tombstone.trigger


_K = TypeVar("_K")
_V = TypeVar("_V")


def _remember(known: dict[_K, _V], key: _K, found: _V) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = found


def _without_duplicates(
    reports: list[Report | RefusedReport],
) -> list[Report | RefusedReport]:
    """The second of two reports that the platform would take for one is a refusal."""
    seen: dict[tuple[str, str, str], str] = {}
    kept: list[Report | RefusedReport] = []
    for report in reports:
        if isinstance(report, Report) and report.action is Action.REPORT:
            same = (report.endpoint, report.trigger, report.idempotency_key)
            first = seen.setdefault(same, report.route)
            if first != report.route:
                kept.append(_duplicate(report, first))
                continue
        kept.append(report)
    return kept


def _duplicate(report: Report, first: str) -> RefusedReport:
    refusal = Refusal(
        Reason.DUPLICATE_KEY,
        f"route {report.route}: its report has the trigger {report.trigger} and the idempotency"
        f" key of route {first}'s, so that the platform would ignore it; leave out as_is, or name"
        " another value for idempotency",
    )
    return RefusedReport(
        report.message,
        report.route,
        report.trigger,
        report.action,
        refusal,
        report.lane.instance,
        report.endpoint,
        report.entity,
    )
