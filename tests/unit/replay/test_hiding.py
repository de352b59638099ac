"""Are the values that the configuration calls sensitive hidden, and what is made of them?"""

from decimal import Decimal
from typing import Any

from streamer.replay.hiding import HIDDEN, Hiding
from streamer.routing.specs import RouteSpec

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
    assert Hiding(["email", "card.number"]).of_payload(payload, spec) == {
        "to": HIDDEN,
        # On the way to what is sensitive: more is hidden than need be.
        "brand": HIDDEN,
        "sku": "x",
        "email": HIDDEN,
    }


def test_a_payload_of_one_expression_that_names_a_sensitive_field_is_hidden_whole() -> None:
    spec = RouteSpec("r", ("t",), payload='{"to": event.email, "n": event.number}')
    assert Hiding(["email"]).of_payload(b'{"to":"a","n":5}', spec) == {"to": HIDDEN, "n": HIDDEN}


def test_nothing_is_hidden_where_nothing_is_sensitive() -> None:
    spec = RouteSpec("r", ("t",), payload={"to": "event.email"})
    assert Hiding([]).of_payload(b'{"to":"a"}', spec) == {"to": "a"}
