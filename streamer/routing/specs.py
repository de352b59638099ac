"""How is a route written, before anything of it is compiled?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamer.routing.route import AsIs


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What a route says of its idempotency keys."""

    value: str
    """An expression."""
    as_is: AsIs
    """Whether the value itself is sent, and is meant to be shared."""


@dataclass(frozen=True, slots=True)
class OnTombstone:
    """The cancel that a route makes of a message without a value. Nothing in it knows `event`."""

    cancel: str
    """The trigger to cancel."""
    entity: str
    instance: str | None = None
    """An expression, or a GUID as it is; None for the route's own instance."""


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A route as it is written: its expressions are text."""

    name: str
    topics: tuple[str, ...]
    """Names, and patterns that begin with `^`."""
    event: str | None = None
    """The writer schema's full name; None for every event of the topics."""
    when: str | None = None
    trigger: str | None = None
    """The trigger to report; one of `trigger` and `cancel` is given."""
    cancel: str | None = None
    """The trigger to cancel."""
    endpoint: str = "default"
    """The name of the endpoint entry."""
    endpoint_section: str = "endpoint"
    """Where the configuration has that entry, for findings."""
    instance: str | None = None
    """An expression, or a GUID as it is; None for the endpoint's default."""
    entity: str | None = None
    idempotency: Idempotency | None = None
    idempotency_ttl_ms: int | None = None
    max_age_ms: int | None = None
    payload: dict[str, str] | str = field(default_factory=dict)
    """Expressions by key, or one that gives a map."""
    key_avro: bool = False
    on_tombstone: OnTombstone | None = None
    where: str = ""
    """`file:line` of the route, for findings."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Of fields whose own place is known: `when` or `payload.total` to `file:line: field`."""

    def place(self, name: str) -> str:
        """Where the field stands, for a finding."""
        return self.places.get(name) or f"{self.where}.{name}"
