"""What are the routing tests' events made of?"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from streamer.model import Event, Generation, Headers, Message, Offset, Partition
from streamer.routing.language.expressions import Language
from streamer.routing.language.failures import Failure
from streamer.routing.language.scope import Scope
from streamer.routing.language.syntax import Checked, check
from streamer.routing.table import RouteSpec, RoutingTable, compile_routes

TOPIC = "billing.invoices"
OVERDUE = "com.acme.billing.InvoiceOverdue"
INSTANCE = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"

FIELDS: dict[str, Any] = {
    "event_id": "e-1",
    "invoice_id": "INV-7",
    "site": INSTANCE,
    "days_overdue": 9,
    "currency": "EUR",
    "amount": Decimal("12.50"),
    "rate": 0.5,
    "note": None,
    "customer": {"name": "Ada", "city": None},
    "lines": [{"sku": "apple", "qty": 2}, {"sku": "pear", "qty": 0}],
    "raw": b"\xff",
}


def message(
    *,
    topic: str = TOPIC,
    key: bytes | None = b"k",
    headers: Headers = (),
    timestamp_ms: int = 1_000,
    offset: int = 42,
) -> Message:
    return Message(
        Partition(topic, 3), Generation(1), Offset(offset), timestamp_ms, key, b"v", headers
    )


def event(
    fields: Mapping[str, Any] = FIELDS,
    *,
    of: Message | None = None,
    schema: str = OVERDUE,
    avro_key: Any = None,
) -> Event:
    return Event(of or message(), schema, fields, avro_key)


def spec(name: str = "overdue", **given: Any) -> RouteSpec:
    """A well-made report, with what a test gives in place of it."""
    fields: dict[str, Any] = {
        "topics": (TOPIC,),
        "event": OVERDUE,
        "trigger": None if "cancel" in given else "invoice_overdue",
        "instance": "event.site",
        "where": "streamer.yaml:7: routes[0]",
    }
    return RouteSpec(name=name, **{**fields, **given})


def table(*specs: RouteSpec, default_instance: str | None = None) -> RoutingTable:
    made = compile_routes(specs, {"default": default_instance} if default_instance else {})
    assert isinstance(made, RoutingTable), [str(finding) for finding in made]
    return made


def value(
    text: str,
    fields: Mapping[str, Any] = FIELDS,
    *,
    of: Message | None = None,
    avro_key: Any = None,
    decoded_key: bool = False,
) -> Any:
    """What an expression gives for an event; raises its Failure."""
    checked = check(text)
    assert isinstance(checked, Checked), checked
    scope = Scope(of or message(), avro_key, decoded_key=decoded_key)
    return Language().expression(checked)(fields, scope)


def failure(text: str, fields: Mapping[str, Any] = FIELDS, **given: Any) -> Failure:
    """How an expression fails for an event."""
    try:
        made = value(text, fields, **given)
    except Failure as failed:
        return failed
    raise AssertionError(f"{text} gives {made!r}")
