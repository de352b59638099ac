"""How does a configured route become a row of the routing table?"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamer.config.routes import IdempotencySettings, RouteSettings
from streamer.config.tree import Tree
from streamer.errors import Finding
from streamer.routing.specs import Idempotency, RouteSpec
from streamer.routing.table import RoutingTable, compile_routes

DEFAULT_ENDPOINT = "default"
"""The name of the one `endpoint`."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The table, or None with the findings that say why there is none."""

    specs: tuple[RouteSpec, ...]
    table: RoutingTable | None
    findings: tuple[Finding, ...]


def compile_table(
    tree: Tree, routes: Mapping[int, RouteSettings], default_instance: str | None
) -> Compiled:
    """Compiles the well-formed routes; findings name file, line and field."""
    specs = tuple(_spec(tree, index, route) for index, route in routes.items())
    outcome = compile_routes(specs, default_instance)
    if isinstance(outcome, RoutingTable):
        return Compiled(specs, outcome, tuple(outcome.findings))
    return Compiled(specs, None, tuple(outcome))


def _spec(tree: Tree, index: int, route: RouteSettings) -> RouteSpec:
    return RouteSpec(
        name=route.name,
        topics=tuple(route.topics or [route.topic or ""]),
        event=route.event,
        when=route.when,
        trigger=route.trigger,
        cancel=route.cancel,
        endpoint=DEFAULT_ENDPOINT,
        instance=route.instance,
        entity=route.entity,
        idempotency=_idempotency(route.idempotency),
        idempotency_ttl_ms=route.idempotency_ttl.ms if route.idempotency_ttl else None,
        max_age_ms=route.max_age.ms if route.max_age else None,
        payload=route.payload if route.payload is not None else {},
        key_avro=route.key == "avro",
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
    return places


def _idempotency(given: str | IdempotencySettings | None) -> Idempotency | None:
    match given:
        case None:
            return None
        case str():
            return Idempotency(given, False)
        case IdempotencySettings():
            return Idempotency(given.value, given.as_is)
