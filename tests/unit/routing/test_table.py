"""Which reports do the routes make of an event?"""

import json
from typing import Any

import pytest

from streamer.model import (
    Action,
    Event,
    KeyRefused,
    Reason,
    Refusal,
    RefusedReport,
    Report,
    Skipped,
    Tombstone,
)
from streamer.routing.table import Idempotency, RoutingTable
from tests.unit.routing.samples import FIELDS, INSTANCE, OVERDUE, TOPIC, event, message, spec, table

NOW_MS = 10_000


def reports(routes: RoutingTable, of: Event) -> list[Report]:
    made = routes.route(of, NOW_MS)
    assert all(isinstance(report, Report) for report in made.reports), made
    return [report for report in made.reports if isinstance(report, Report)]


def refusal(routes: RoutingTable, of: Event) -> RefusedReport:
    (made,) = routes.route(of, NOW_MS).reports
    assert isinstance(made, RefusedReport), made
    return made


def test_a_route_makes_a_report_of_its_event() -> None:
    routes = table(
        spec(
            when='event.days_overdue > 7 and event.currency == "EUR"',
            entity="event.invoice_id",
            idempotency=Idempotency("event.event_id", False),
            idempotency_ttl_ms=60_000,
            payload={
                "invoiceId": "event.invoice_id",
                "amount": "event.amount",
                "note": "event.note",
                "lines": '[{"sku": l.sku, "qty": l.qty} for l in event.lines if l.qty > 0]',
            },
        )
    )
    (report,) = reports(routes, event())
    assert report.route == "overdue"
    assert report.lane == ("default", INSTANCE)
    assert report.trigger == "invoice_overdue"
    assert report.action is Action.REPORT
    assert report.payload == (
        b'{"invoiceId":"INV-7","amount":12.50,"lines":[{"sku":"apple","qty":2}]}'
    )
    assert report.entity is not None
    assert len(report.idempotency_key) == 64
    assert report.idempotency_ttl_ms == 60_000


def test_a_cancel_has_an_entity_and_neither_payload_nor_key() -> None:
    routes = table(spec("paid", cancel="invoice_overdue", entity="event.invoice_id"))
    (report,) = reports(routes, event())
    assert report.action is Action.CANCEL
    assert (report.payload, report.idempotency_key) == (b"", "")
    assert routes.cancelled == {("default", "invoice_overdue")}


def test_a_report_without_a_payload_has_an_empty_one() -> None:
    (report,) = reports(table(spec()), event())
    assert report.payload == b"{}"


def test_one_expression_may_give_the_whole_payload() -> None:
    (report,) = reports(table(spec(payload='{"a": event.currency} | {"b": 1}')), event())
    assert json.loads(report.payload) == {"a": "EUR", "b": 1}


def test_routes_are_met_by_topic_pattern_and_event_in_their_order() -> None:
    routes = table(
        spec("other-event", event="com.acme.Other"),
        spec("pattern", topics=(r"^billing\..*",), event=None),
        spec("name", event=None),
        spec("other-topic", topics=("orders",), event=None),
        spec("half", topics=("^billing",), event=None),
    )
    assert [report.route for report in reports(routes, event())] == ["pattern", "name"]
    assert routes.topics == (TOPIC, r"^billing\..*", "orders", "^billing")


def test_an_event_without_a_route_is_skipped() -> None:
    routes = table(spec(when="event.days_overdue > 100"))
    for other in (event(), event(schema="com.acme.Other"), event(of=message(topic="x"))):
        made = routes.route(other, NOW_MS)
        assert made.reports == ()
        assert made.skipped == (Skipped("", "no-route"),)


def test_a_tombstone_is_skipped() -> None:
    made = table(spec()).route(Tombstone(message()), NOW_MS)
    assert made.skipped == (Skipped("", "tombstone"),)


def test_an_event_that_is_too_old_is_skipped_by_the_route_that_says_so() -> None:
    routes = table(spec("young", max_age_ms=9_000), spec("any"))
    made = routes.route(event(of=message(timestamp_ms=999)), NOW_MS)
    assert made.skipped == (Skipped("young", "max-age"),)
    assert [report.route for report in made.reports] == ["any"]
    assert len(routes.route(event(of=message(timestamp_ms=1_000)), NOW_MS).reports) == 2
    assert len(routes.route(event(of=message(timestamp_ms=-1)), NOW_MS).reports) == 2


def test_only_an_old_event_that_a_route_would_match_counts_as_too_old() -> None:
    routes = table(spec(max_age_ms=1, when="event.days_overdue > 100"))
    assert routes.route(event(), NOW_MS).skipped == (Skipped("", "no-route"),)


def test_an_old_event_whose_when_fails_is_too_old_and_no_dead_letter() -> None:
    routes = table(spec(max_age_ms=1, when="event.nope"))
    assert routes.route(event(), NOW_MS).skipped == (Skipped("overdue", "max-age"),)


@pytest.mark.parametrize("when", ["event.nope > 1", "event['nope'] == 1", "event.customer.nope"])
def test_a_missing_field_in_when_does_not_match_where_the_route_is_for_every_event(
    when: str,
) -> None:
    assert table(spec(event=None, when=when)).route(event(), NOW_MS).reports == ()
    refused = refusal(table(spec(when=when)), event())
    assert refused.refusal.reason is Reason.EXPRESSION_FAILED


def test_other_failures_of_when_are_refusals_for_every_route() -> None:
    for when in (
        "event.note > 1",
        "event.amount > 1.5",
        "event.lines[9].sku == 'a'",
        "event.customer['no such key'] == 1",
    ):
        assert isinstance(refusal(table(spec(event=None, when=when)), event()), RefusedReport)


def test_a_refusal_names_route_expression_path_and_type() -> None:
    routes = table(spec(payload={"id": "event.invoice_id", "city": "event.customer.city + '!'"}))
    refused = refusal(routes, event())
    assert refused.refusal.reason is Reason.EXPRESSION_FAILED
    assert refused.refusal.detail == (
        "route overdue: payload.city: `event.customer.city + '!'`: event.customer.city is null"
        ' where a value is needed; write default(event.customer.city, "") with the value to take'
        " then"
    )
    assert (refused.route, refused.trigger, refused.instance) == (
        "overdue",
        "invoice_overdue",
        INSTANCE,
    )


def test_a_payload_that_breaks_the_rules_is_a_refusal_with_its_path() -> None:
    refused = refusal(table(spec(payload={"customer": "event.customer"})), event())
    assert refused.refusal.reason is Reason.PAYLOAD_INVALID
    assert "payload.customer is an object" in refused.refusal.detail


@pytest.mark.parametrize("given", [{"entity": "event.note"}, {"entity": "''"}])
def test_a_null_or_empty_entity_is_a_refusal(given: dict[str, Any]) -> None:
    refused = refusal(table(spec(**given)), event())
    assert refused.refusal.reason is Reason.BAD_KEY
    assert "entity" in refused.refusal.detail


@pytest.mark.parametrize(
    ("expression", "as_is"),
    [("event.note", False), ("''", False), ("event.lines", False), ("event.days_overdue", "shared"),
     ("'x' * 81", "shared"), ("event.note", "shared")],
)  # fmt: skip
def test_an_idempotency_value_that_is_no_key_is_a_refusal(expression: str, as_is: Any) -> None:
    refused = refusal(table(spec(idempotency=Idempotency(expression, as_is))), event())
    assert refused.refusal.reason is Reason.BAD_KEY


def test_an_instance_that_is_null_or_no_text_is_a_refusal() -> None:
    for instance in ("event.note", "event.lines", "''+''"):
        refused = refusal(table(spec(instance=instance)), event())
        assert refused.instance is None
        assert "instance" in refused.refusal.detail


def test_an_instance_may_be_the_default_a_guid_or_a_text() -> None:
    routes = table(
        spec("a", instance=None),
        spec("b", instance=INSTANCE),
        spec("c", instance="'site'"),
        default_instance="standard",
    )
    made = [report.lane.instance for report in reports(routes, event())]
    assert made == ["standard", INSTANCE, "site"]


def test_a_key_as_it_is_is_sent_as_it_is() -> None:
    (report,) = reports(table(spec(idempotency=Idempotency("event.event_id", "shared"))), event())
    assert report.idempotency_key == "e-1"


def test_the_second_report_with_one_key_is_a_refusal() -> None:
    same = Idempotency("event.event_id", "shared")
    routes = table(
        spec("first", idempotency=same),
        spec("second", idempotency=same),
        spec("other-trigger", trigger="other", idempotency=same),
    )
    first, second, third = routes.route(event(), NOW_MS).reports
    assert isinstance(first, Report)
    assert isinstance(third, Report)
    assert isinstance(second, RefusedReport)
    assert second.refusal.reason is Reason.DUPLICATE_KEY
    assert "first" in second.refusal.detail


def test_one_key_at_two_endpoints_is_no_duplicate() -> None:
    same = Idempotency("event.event_id", "shared")
    routes = table(
        spec("first", idempotency=same),
        spec("second", idempotency=same, endpoint="crm"),
        spec("third", idempotency=same, endpoint="crm"),
    )
    first, second, third = routes.route(event(), NOW_MS).reports
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert isinstance(third, RefusedReport)
    assert "route second's" in third.refusal.detail


def test_routes_of_one_trigger_without_as_is_have_keys_of_their_own() -> None:
    same = Idempotency("event.event_id", False)
    routes = table(spec("a", idempotency=same), spec("b", idempotency=same), spec("c"))
    assert len({report.idempotency_key for report in reports(routes, event())}) == 3


def test_a_route_may_read_the_decoded_key() -> None:
    routes = table(
        spec("plain", payload={"k": "key"}), spec("avro", key_avro=True, payload={"k": "key.id"})
    )
    made = reports(routes, event(avro_key={"id": 5}))
    assert [json.loads(report.payload) for report in made] == [{"k": "k"}, {"k": 5}]
    assert routes.wants_key(TOPIC)
    assert not routes.wants_key("orders")


def test_a_key_that_does_not_decode_refuses_only_the_routes_that_want_it() -> None:
    refused = KeyRefused(Refusal(Reason.UNDECODABLE, "the key is cut short"))
    routes = table(
        spec("plain"), spec("avro", key_avro=True), spec("when", key_avro=True, when="key.id > 1")
    )
    plain, avro, when = routes.route(event(avro_key=refused), NOW_MS).reports
    assert isinstance(plain, Report)
    for report in (avro, when):
        assert isinstance(report, RefusedReport)
        assert report.refusal.reason is Reason.UNDECODABLE
        assert "the key is cut short" in report.refusal.detail


def test_a_key_that_does_not_decode_says_nothing_where_the_route_does_not_match() -> None:
    refused = KeyRefused(Refusal(Reason.UNDECODABLE, "the key is cut short"))
    routes = table(spec(key_avro=True, when="event.days_overdue > 100"))
    assert routes.route(event(avro_key=refused), NOW_MS).reports == ()


def test_one_failing_route_leaves_the_others_alone() -> None:
    routes = table(spec("bad", payload={"a": "event.nope"}), spec("good"))
    bad, good = routes.route(event(), NOW_MS).reports
    assert isinstance(bad, RefusedReport)
    assert isinstance(good, Report)


def test_ten_thousand_routes_are_looked_up_once_a_schema() -> None:
    others = [spec(f"r{number}", event=f"com.acme.E{number}") for number in range(2_000)]
    routes = table(*others, spec())
    assert [report.route for report in reports(routes, event())] == ["overdue"]
    assert len(routes.routes_of_topic(TOPIC)) == 2_001
    assert routes._of_schema[TOPIC, OVERDUE] == (routes.routes[-1],)


def test_an_event_of_the_same_fields_makes_the_same_bytes() -> None:
    routes = table(spec(payload="{'a': event.amount, 'b': event.lines}"))
    once, again = (reports(routes, event(dict(FIELDS)))[0] for _ in range(2))
    assert (once.payload, once.idempotency_key) == (again.payload, again.idempotency_key)
