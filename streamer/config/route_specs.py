"""How does a configured route become a row of the routing table?"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamer.config.endpoints import endpoint_of, instances, sections
from streamer.config.routes import IdempotencySettings, RouteSettings, TombstoneSettings
from streamer.config.tree import Path, Tree
from streamer.errors import Finding
from streamer.routing.specs import Idempotency, OnTombstone, RouteSpec
from streamer.routing.table import RoutingTable, compile_routes


@dataclass(frozen=True, slots=True)
class Compiled:
    """The table, or None with the findings that say why there is none."""

    specs: tuple[RouteSpec, ...]
    table: RoutingTable | None
    findings: tuple[Finding, ...]


def compile_table(tree: Tree, routes: Mapping[int, RouteSettings]) -> Compiled:
    """Compiles the well-formed routes; findings name file, line and field."""
    endpoints = sections(tree)
    specs = tuple(_spec(tree, index, route, endpoints) for index, route in routes.items())
    outcome = compile_routes(specs, instances(tree))
    if isinstance(outcome, RoutingTable):
        return Compiled(specs, outcome, tuple(outcome.findings))
    return Compiled(specs, None, tuple(outcome))


def _spec(tree: Tree, index: int, route: RouteSettings, endpoints: Mapping[str, Path]) -> RouteSpec:
    endpoint = endpoint_of(tree, route.endpoint)
    return RouteSpec(
        name=route.name,
        topics=tuple(route.topics or [route.topic or ""]),
        event=route.event,
        when=route.when,
        trigger=route.trigger,
        cancel=route.cancel,
        endpoint=endpoint,
        endpoint_section=".".join(map(str, endpoints.get(endpoint, ("endpoint",)))),
        instance=route.instance,
        entity=route.entity,
        idempotency=_idempotency(route.idempotency),
        idempotency_ttl_ms=route.idempotency_ttl.ms if route.idempotency_ttl else None,
        max_age_ms=route.max_age.ms if route.max_age else None,
        payload=route.payload if route.payload is not None else {},
        key_avro=route.key == "avro",
        on_tombstone=_on_tombstone(route.on_tombstone),
        where=str(tree.mark(("routes", index))),
        places=_places(tree, index, route),
    )


def _places(tree: Tree, index: int, route: RouteSettings) -> dict[str, str]:
    """Where each field that is given stands: `when`, `payload.total`."""
    given = sorted(route.model_fields_set)
    places = {name: str(tree.mark(("routes", index, name))) for name in given}
    if route.topics is not None:
        places["topic"] = places["topics"]
    if isinstance(route.payload, dict):
        for key in route.payload:
            places[f"payload.{key}"] = str(tree.mark(("routes", index, "payload", key)))
    if route.on_tombstone is not None:
        for key in TombstoneSettings.model_fields:
            place = tree.mark(("routes", index, "on_tombstone", key))
            places[f"on_tombstone.{key}"] = str(place)
    return places


def _on_tombstone(given: TombstoneSettings | None) -> OnTombstone | None:
    return None if given is None else OnTombstone(given.cancel, given.entity, given.instance)


def _idempotency(given: str | IdempotencySettings | None) -> Idempotency | None:
    match given:
        case None:
            return None
        case str():
            return Idempotency(given, False)
        case IdempotencySettings():
            return Idempotency(given.value, given.as_is)
