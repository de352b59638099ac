"""Which mistakes in routes are found, and where?"""

from typing import Any

import pytest

from streamer.errors import Finding, Severity
from streamer.routing.table import (
    Idempotency,
    OnTombstone,
    RouteSpec,
    RoutingTable,
    compile_routes,
)
from tests.unit.routing.samples import INSTANCE, spec


def findings(*specs: RouteSpec, default_instance: str | None = None) -> list[Finding]:
    made = compile_routes(specs, {"default": default_instance} if default_instance else {})
    return list(made.findings) if isinstance(made, RoutingTable) else made


def errors(*specs: RouteSpec) -> list[Finding]:
    return [finding for finding in findings(*specs) if finding.severity is Severity.ERROR]


def warnings(*specs: RouteSpec) -> list[Finding]:
    made = findings(*specs)
    assert not [finding for finding in made if finding.severity is Severity.ERROR], made
    return made


CANCEL: dict[str, Any] = {"cancel": "invoice_overdue", "entity": "event.invoice_id"}


@pytest.mark.parametrize(
    ("given", "field", "do"),
    [
        ({"when": "event.a && event.b"}, "when", "`and`"),
        ({"instance": "evnt.site"}, "instance", "write event"),
        ({"instance": "''"}, "instance", "id"),
        ({"instance": None}, "instance", "endpoint.instance"),
        ({"entity": "event.a ="}, "entity", "=="),
        ({"idempotency": Idempotency("nope", False)}, "idempotency", "event.nope"),
        ({"payload": {"a": "nope"}}, "payload.a", "event.nope"),
        ({"payload": {"a-b": "1"}}, "payload.a-b", "letters"),
        ({"payload": {"_a": "1"}}, "payload._a", "underscore"),
        ({"payload": "{'a': nope}"}, "payload", "event.nope"),
        ({"topics": ("^(",)}, "topic", "Python's re"),
        ({"topics": ()}, "topic", "topic: NAME"),
        ({"trigger": None}, "trigger", "one of trigger"),
        ({"cancel": "x", "trigger": "y", "entity": "event.a"}, "trigger", "one of trigger"),
        ({"trigger": ""}, "trigger", "1 to 100"),
        ({"trigger": "x" * 101}, "trigger", "1 to 100"),
        ({"cancel": "invoice_overdue"}, "entity", "the same value"),
        ({**CANCEL, "payload": {"a": "1"}}, "payload", "leave it out"),
        ({**CANCEL, "idempotency": Idempotency("1", False)}, "idempotency", "leave it out"),
        ({**CANCEL, "idempotency_ttl_ms": 5}, "idempotency_ttl", "leave it out"),
        ({"idempotency": Idempotency("event.event_id", True)}, "idempotency", "as_is: shared"),
    ],
)
def test_a_mistake_is_a_finding_at_its_field(given: dict[str, Any], field: str, do: str) -> None:
    (finding,) = errors(spec(**given))
    assert finding.where == f"streamer.yaml:7: routes[0].{field}"
    assert do in finding.do


def test_all_mistakes_are_found_at_once() -> None:
    made = errors(
        spec("a", when="event.a &&", instance="nope", payload={"x": "null", "y": "lambda: 1"}),
        spec("b", entity="x.lower()", topics=("^[",)),
        spec("b"),
    )
    assert len(made) == 9


def test_a_finding_stands_at_the_fields_own_line_where_it_is_known() -> None:
    places = {"when": "streamer.yaml:12: routes[0].when"}
    (finding,) = errors(spec(when="nope", places=places))
    assert finding.where == "streamer.yaml:12: routes[0].when"


def test_an_expression_error_names_its_column() -> None:
    (finding,) = errors(spec(when="event.a > nope"))
    assert finding.found == "the expression at column 11: nope is not known"


def test_two_routes_of_one_name_are_an_error_at_both() -> None:
    assert len(errors(spec("a"), spec("a"), spec("b"))) == 2


def test_as_is_needs_an_instance_that_is_the_same_for_all() -> None:
    own = Idempotency("event.event_id", True)
    assert not errors(spec(idempotency=own, instance="'site'"))
    assert not errors(spec(idempotency=Idempotency("event.event_id", "shared")))


def test_as_is_needs_a_trigger_that_one_route_reports() -> None:
    own = Idempotency("event.event_id", True)
    (finding,) = errors(
        spec("a", idempotency=own, instance="'site'"), spec("b", event="com.acme.Other")
    )
    assert "2 routes report the trigger invoice_overdue" in finding.found
    assert not errors(
        spec("a", idempotency=own, instance="'site'"),
        spec("b", trigger="other"),
        spec("c", **CANCEL),
    )


def test_a_cancel_from_another_topic_is_a_warning() -> None:
    (finding,) = warnings(
        spec("overdue"), spec("paid", **CANCEL, topics=("payments",), event="com.acme.Paid")
    )
    assert "cancelled from other topics" in finding.found
    assert finding.severity is Severity.WARNING


def test_a_report_before_its_cancel_in_one_event_is_a_warning() -> None:
    (finding,) = warnings(spec("report"), spec("cancel", **CANCEL))
    assert "then this cancel of it" in finding.found
    assert not warnings(spec("cancel", **CANCEL), spec("report"))
    assert not warnings(spec("report"), spec("cancel", **CANCEL, event="com.acme.Paid"))
    assert warnings(spec("report", event=None), spec("cancel", **CANCEL))


def test_other_endpoints_and_triggers_do_not_meet() -> None:
    assert not warnings(
        spec("report"),
        spec("other", **{**CANCEL, "cancel": "other"}),
        spec("far", **CANCEL, endpoint="second"),
    )


TOMBSTONE = OnTombstone("invoice_overdue", "key", INSTANCE)


@pytest.mark.parametrize(
    ("given", "field", "do"),
    [
        (OnTombstone("x", "event.id", INSTANCE), "on_tombstone.entity", "of key, headers, topic"),
        (OnTombstone("x", "key.id", INSTANCE), "on_tombstone.entity", "key: avro"),
        (OnTombstone("x", 'key["id"]', INSTANCE), "on_tombstone.entity", "key: avro"),
        (OnTombstone("x", "key &&", INSTANCE), "on_tombstone.entity", "`and`"),
        (OnTombstone("x", "key", "event.site"), "on_tombstone.instance", "of key, headers, topic"),
        (OnTombstone("x", "key", "''"), "on_tombstone.instance", "id"),
        (OnTombstone("x", "key"), "on_tombstone.instance", 'headers["instance"]'),
        (OnTombstone("", "key", INSTANCE), "on_tombstone.cancel", "1 to 100"),
        (OnTombstone("x" * 101, "key", INSTANCE), "on_tombstone.cancel", "1 to 100"),
    ],
)
def test_a_mistake_in_on_tombstone_is_a_finding_at_its_field(
    given: OnTombstone, field: str, do: str
) -> None:
    (finding,) = errors(spec(on_tombstone=given))
    assert finding.where == f"streamer.yaml:7: routes[0].{field}"
    assert do in finding.do


def test_a_tombstones_instance_is_the_routes_own_where_that_reads_no_event() -> None:
    short = OnTombstone("invoice_overdue", "key")
    assert not errors(spec(on_tombstone=short, instance="'site'"))
    assert not errors(spec(on_tombstone=short, instance=INSTANCE))
    assert not errors(spec(on_tombstone=short, instance='headers["site"]'))
    made = findings(spec(on_tombstone=short, instance=None), default_instance="site")
    assert made == []
    (finding,) = findings(spec(on_tombstone=short, instance=None))
    assert finding.where.endswith("routes[0].instance"), "told once, at the route"
    (finding,) = findings(spec(on_tombstone=short, instance="nope"))
    assert finding.where.endswith("routes[0].instance")


def test_a_tombstone_of_another_topic_than_the_reports_is_a_warning() -> None:
    elsewhere = spec("paid", topics=("payments",), trigger="paid", on_tombstone=TOMBSTONE)
    (finding,) = warnings(spec("overdue"), elsewhere)
    assert "cancelled from other topics" in finding.found
    assert finding.where.endswith("routes[0].on_tombstone")
    assert not warnings(spec("overdue", on_tombstone=TOMBSTONE))
    far = spec("paid", topics=("p",), trigger="paid", on_tombstone=TOMBSTONE, endpoint="second")
    assert not warnings(spec("overdue"), far)


def test_a_default_instance_is_that_of_the_routes_endpoint() -> None:
    far = spec(instance=None, endpoint="second", endpoint_section="endpoints.second")
    assert isinstance(compile_routes([far], {"second": "i"}), RoutingTable)
    made = compile_routes([far], {"default": "i"})
    assert isinstance(made, list)
    assert made[0].do.endswith("or set endpoints.second.instance")


def test_as_is_looks_at_one_app_at_a_time() -> None:
    own = Idempotency("event.event_id", True)
    one = spec("a", idempotency=own, instance="'site'")
    other = spec("b", idempotency=own, instance="'site'", endpoint="second")
    assert not errors(one, other)
    assert len(errors(one, spec("b", idempotency=own, instance="'site'"))) == 2
