"""What do the routes make of a message without a value?"""

from typing import Any

import pytest

from streamer.model import (
    Action,
    KeyRefused,
    Message,
    Reason,
    Refusal,
    RefusedReport,
    Report,
    Skipped,
    Tombstone,
)
from streamer.routing.keys import entity_id
from streamer.routing.table import OnTombstone, RoutingTable
from tests.unit.routing.samples import INSTANCE, event, message, spec, table

NOW_MS = 10_000
CANCEL = OnTombstone("invoice_overdue", "key.invoice_id", 'headers["site"]')
HEADERS = (("site", INSTANCE.encode()),)


def tombstone(of: Message | None = None, avro_key: Any = None) -> Tombstone:
    return Tombstone(of or message(headers=HEADERS), avro_key)


def cancelling(on_tombstone: OnTombstone = CANCEL, **given: Any) -> RoutingTable:
    return table(spec(on_tombstone=on_tombstone, **{"key_avro": True, **given}))


def refusal(routes: RoutingTable, of: Tombstone) -> RefusedReport:
    (made,) = routes.route(of, NOW_MS).reports
    assert isinstance(made, RefusedReport), made
    return made


def test_a_tombstone_makes_the_cancel_of_its_route_whatever_event_and_when_say() -> None:
    routes = cancelling(event="com.acme.Other", when="event.nope")

    made = routes.route(tombstone(avro_key={"invoice_id": "INV-7"}), NOW_MS)

    (cancel,) = made.reports
    assert isinstance(cancel, Report)
    assert (cancel.action, cancel.trigger, cancel.route) == (
        Action.CANCEL,
        "invoice_overdue",
        "overdue",
    )
    assert cancel.lane == ("default", INSTANCE)
    assert cancel.entity == entity_id("INV-7"), "the same as the report's"
    assert (cancel.payload, cancel.idempotency_key) == (b"", "")
    assert made.skipped == ()
    assert routes.cancelled == {("default", "invoice_overdue")}
    assert routes.wants_key("billing.invoices")


def test_it_goes_to_the_endpoint_of_its_route() -> None:
    routes = cancelling(OnTombstone("other", "key", INSTANCE), endpoint="crm", key_avro=False)

    (cancel,) = routes.route(tombstone(), NOW_MS).reports

    assert isinstance(cancel, Report)
    assert cancel.lane.endpoint == "crm"
    assert routes.cancelled == {("crm", "other")}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("key", "k"),
        ('headers["site"]', INSTANCE),
        ("topic", "billing.invoices"),
        ("str(partition)", "3"),
        ("str(offset)", "42"),
        ("str(timestamp)", None),
    ],
)
def test_its_expressions_see_all_of_the_message_but_the_value(
    expression: str, expected: str | None
) -> None:
    routes = cancelling(OnTombstone("x", expression, INSTANCE), key_avro=False)

    (cancel,) = routes.route(tombstone(), NOW_MS).reports

    assert isinstance(cancel, Report)
    assert cancel.entity is not None
    if expected is not None:
        assert cancel.entity == entity_id(expected)


def test_an_event_makes_the_routes_own_report_and_no_cancel() -> None:
    (report,) = cancelling().route(event(avro_key={"invoice_id": "INV-7"}), NOW_MS).reports

    assert isinstance(report, Report)
    assert report.action is Action.REPORT


def test_a_cancelling_route_may_cancel_at_tombstones_too() -> None:
    routes = table(
        spec(
            "paid",
            cancel="invoice_overdue",
            entity="event.invoice_id",
            on_tombstone=OnTombstone("invoice_overdue", "key", INSTANCE),
        )
    )

    (cancel,) = routes.route(tombstone(), NOW_MS).reports

    assert cancel.action is Action.CANCEL


def test_each_route_of_the_topic_cancels_in_the_tables_order() -> None:
    own = OnTombstone("b", "key", INSTANCE)
    routes = table(
        spec("none"),
        spec("pattern", topics=(r"^billing\..*",), on_tombstone=OnTombstone("a", "key", INSTANCE)),
        spec("name", on_tombstone=own),
        spec("elsewhere", topics=("orders",), on_tombstone=own),
    )

    made = routes.route(tombstone(), NOW_MS)

    assert [(report.route, report.trigger) for report in made.reports] == [
        ("pattern", "a"),
        ("name", "b"),
    ]


def test_a_tombstone_of_a_topic_without_such_a_route_is_skipped() -> None:
    for routes in (table(spec()), table(spec(topics=("o",), key_avro=True, on_tombstone=CANCEL))):
        made = routes.route(tombstone(), NOW_MS)
        assert (made.reports, made.skipped) == ((), (Skipped("", "tombstone"),))


def test_a_null_entity_is_a_refusal() -> None:
    refused = refusal(cancelling(), tombstone(avro_key={"invoice_id": None}))

    assert refused.refusal.reason is Reason.BAD_KEY
    assert (refused.action, refused.trigger) == (Action.CANCEL, "invoice_overdue")
    assert refused.instance == INSTANCE
    assert refused.refusal.detail.startswith("route overdue: entity is null")


def test_a_message_without_a_key_is_a_refusal() -> None:
    routes = cancelling(OnTombstone("x", "key", INSTANCE), key_avro=False)

    refused = refusal(routes, tombstone(message(key=None)))

    assert refused.refusal.reason is Reason.BAD_KEY


def test_a_key_that_does_not_decode_is_a_refusal_even_where_it_is_not_read() -> None:
    bad = KeyRefused(Refusal(Reason.UNDECODABLE, "the key is no value of its writer schema"))

    for entity in ("key.invoice_id", 'headers["site"]'):
        routes = cancelling(OnTombstone("x", entity, INSTANCE))
        assert refusal(routes, tombstone(avro_key=bad)).refusal.reason is Reason.UNDECODABLE


def test_an_expression_that_fails_is_a_refusal_that_names_it_and_no_value() -> None:
    refused = refusal(cancelling(), tombstone(message(headers=()), {"invoice_id": "INV-7"}))

    assert refused.refusal.reason is Reason.EXPRESSION_FAILED
    assert '`headers["site"]`' in refused.refusal.detail
    assert "on_tombstone.instance" in refused.refusal.detail
    assert "INV-7" not in refused.refusal.detail
    assert refused.instance is None


def test_a_tombstone_that_is_too_old_for_its_route_is_skipped() -> None:
    routes = cancelling(max_age_ms=9_000)

    made = routes.route(tombstone(message(headers=HEADERS, timestamp_ms=999)), NOW_MS)

    assert made.skipped == (Skipped("overdue", "max-age"),)
    assert made.reports == ()


def test_a_cancel_is_named_by_its_endpoint_too_where_there_are_several() -> None:
    names = set()
    for endpoint in ("default", "crm", "billing"):
        routes = cancelling(OnTombstone("x", "key", INSTANCE), key_avro=False, endpoint=endpoint)
        (cancel,) = routes.route(tombstone(), NOW_MS).reports
        names.add(cancel.settlement_id)
        if endpoint == "default":
            assert cancel.settlement_id == f"c\0x\0{INSTANCE}\0{entity_id('k')}"

    assert len(names) == 3
