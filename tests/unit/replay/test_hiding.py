"""Are the values that the configuration calls sensitive hidden, and what is made of them?"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from streamer.replay.hiding import HIDDEN, Hiding, without
from streamer.routing.route import AsIs
from streamer.routing.specs import Idempotency, OnTombstone, RouteSpec

EVENT: dict[str, Any] = {
    "email": "a@b.c",
    "card": {"number": "4111", "brand": "visa"},
    "lines": [{"sku": "x", "email": "d@e.f"}],
    "number": 5,
    "raw": b"123",
    "amount": Decimal("1.10"),
}


def test_a_name_is_hidden_wherever_it_stands_and_a_path_where_it_ends_so() -> None:
    assert Hiding(["email", "card.number"]).of_event(EVENT) == {
        "email": HIDDEN,
        "card": {"number": HIDDEN, "brand": "visa"},
        "lines": [{"sku": "x", "email": HIDDEN}],
        "number": 5,
        "raw": "(3 bytes)",
        "amount": "1.10",
    }


def test_a_record_that_is_hidden_is_hidden_whole() -> None:
    assert Hiding(["card"]).of_event(EVENT)["card"] == HIDDEN


def test_of_a_payload_what_is_made_of_a_sensitive_field_is_hidden() -> None:
    spec = RouteSpec(
        "r",
        ("t",),
        payload={
            "to": "lower(event.email)",
            "brand": "event.card.brand",
            "sku": "event.lines[0].sku",
        },
    )
    payload = b'{"to":"a@b.c","brand":"visa","sku":"x","email":"y"}'
    assert Hiding(["email", "card.number"]).of_payload(payload, spec, {}) == {
        "to": HIDDEN,
        # On the way to what is sensitive: more is hidden than need be.
        "brand": HIDDEN,
        "sku": "x",
        "email": HIDDEN,
    }


def test_a_payload_of_one_expression_that_names_a_sensitive_field_is_hidden_whole() -> None:
    spec = RouteSpec("r", ("t",), payload='{"to": event.email, "n": event.number}')
    assert Hiding(["email"]).of_payload(b'{"to":"a","n":5}', spec, {}) == {
        "to": HIDDEN,
        "n": HIDDEN,
    }


def test_nothing_is_hidden_where_nothing_is_sensitive() -> None:
    spec = RouteSpec("r", ("t",), payload={"to": "event.email"})
    assert Hiding([]).of_payload(b'{"to":"a"}', spec, {}) == {"to": "a"}


@pytest.mark.parametrize(
    ("expression", "as_is", "is_hidden"),
    [
        ("event.email", True, True),
        ("event.email", "shared", True),
        ("lower(event.email)", True, True),
        ("key", True, True),
        ("event.number", True, False),
        ('f"{event.number}-" + topic', True, False),
        # A record may hold it.
        ("json(event)", True, True),
        ("join(values(event.card), '-')", "shared", True),
        # What is sent is a hash of it.
        ("event.email", False, False),
    ],
)
def test_a_key_that_is_sent_as_it_is_is_hidden_where_it_is_made_of_a_sensitive_field(
    expression: str, as_is: AsIs, is_hidden: bool
) -> None:
    spec = RouteSpec("r", ("t",), idempotency=Idempotency(expression, as_is))
    assert Hiding(["email", "key"]).hides_key("a@b.c", spec) is is_hidden
    assert not Hiding([]).hides_key("a@b.c", spec)


def test_a_key_of_a_route_that_is_gone_is_hidden_unless_it_is_a_hash() -> None:
    hiding = Hiding(["email"])
    assert hiding.hides_key("a@b.c", None)
    assert not hiding.hides_key("0f" * 32, None)
    assert not hiding.hides_key("0f" * 32, RouteSpec("r", ("t",)))


def test_a_sensitive_value_is_hidden_in_what_is_made_of_a_record_that_holds_it() -> None:
    """Found by a stranger: the expression names the record, and nothing that is in it."""
    spec = RouteSpec(
        "r",
        ("t",),
        payload={
            "to": "json(event.ship_to)",
            "vals": "join(values(event.ship_to), ', ')",
            "house": "event.ship_to.house",
            "city": "event.ship_to.city",
            "all": "event.ship_to",
            "as_keys": "flip(event.ship_to)",
        },
    )
    fields = {"ship_to": {"street": "Mill Lane 1", "house": 4711, "city": "Graz", "door": "9"}}
    payload = (
        b'{"to":"{\\"street\\":\\"Mill Lane 1\\"}","vals":"Mill Lane 1, Graz","house":4711,'
        b'"city":"Graz 9","all":{"street":"Mill Lane 1","house":4711,"no":[true,null,12]},'
        b'"as_keys":{"Mill Lane 1":1}}'
    )
    hiding = Hiding(["street", "house", "door"])
    assert hiding.of_payload(payload, spec, fields) == {
        "to": HIDDEN,
        "vals": HIDDEN,
        "house": HIDDEN,
        # Of one character, that stands in many texts by chance.
        "city": "Graz 9",
        "all": {"street": HIDDEN, "house": HIDDEN, "no": [True, None, 12]},
        "as_keys": {HIDDEN: 1},
    }


@pytest.mark.parametrize(
    ("entity", "sensitive", "is_hidden"),
    [
        ("event.order_id", ["order_id"], True),
        ("upper(event.card.number)", ["card.number"], True),
        ("event.order_id", ["street"], False),
        ("json(event.ship_to)", ["street"], True),
        ("event.lines[0].sku", ["street"], True),
        ("event.order_id", [], False),
        (None, ["order_id"], False),
    ],
)
def test_an_entity_is_hidden_where_it_is_made_of_a_sensitive_field(
    entity: str | None, sensitive: list[str], is_hidden: bool
) -> None:
    assert Hiding(sensitive).hides_entity(RouteSpec("r", ("t",), entity=entity)) is is_hidden


def test_an_entity_of_a_tombstone_and_of_a_route_that_is_gone_is_hidden_too() -> None:
    hiding = Hiding(["key"])
    assert hiding.hides_entity(RouteSpec("r", ("t",), on_tombstone=OnTombstone("t", "key", "key")))
    assert hiding.hides_entity(None)
    assert not Hiding([]).hides_entity(None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('say "hi"\n', '{"note":"say \\"hi\\"\\n"}'),
        (datetime(2026, 11, 23, 10, 0, tzinfo=UTC), "at 2026-11-23T10:00:00Z"),
        (Decimal("1.50"), 1.5),
        (Decimal("1.50"), "EUR 1.50"),
        (UUID("3bf1791a-ce1e-4932-ac19-6e8e1a08297e"), "3bf1791a-ce1e-4932-ac19-6e8e1a08297e"),
        (b"secret", "c2VjcmV0"),
        (b"secret", "736563726574"),
        (b"secret", "the secret"),
    ],
)
def test_a_value_is_told_in_whatever_text_it_is_written(value: Any, text: Any) -> None:
    told = Hiding(["note"]).values({"note": value, "other": "x"})
    assert without({"made": text, "n": 2.5}, told) == {"made": HIDDEN, "n": 2.5}
