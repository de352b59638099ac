"""Are the values that the configuration calls sensitive hidden, and what is made of them?"""

from decimal import Decimal
from typing import Any

import pytest

from streamer.replay.hiding import HIDDEN, Hiding
from streamer.routing.route import AsIs
from streamer.routing.specs import Idempotency, RouteSpec

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


@pytest.mark.parametrize(
    ("expression", "as_is", "is_hidden"),
    [
        ("event.email", True, True),
        ("event.email", "shared", True),
        ("lower(event.email)", True, True),
        ("key", True, True),
        ("event.number", True, False),
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
