"""Is a value a payload that the endpoint takes?"""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from streamer.routing.payload import MAX_CHARACTERS, Invalid, encode_payload, key_problem


def encoded(value: Any) -> bytes:
    made = encode_payload(value)
    assert isinstance(made, bytes), made
    return made


def invalid(value: Any) -> Invalid:
    made = encode_payload(value)
    assert isinstance(made, Invalid), made
    return made


def test_a_payload_is_a_json_object_of_its_values() -> None:
    assert encoded(
        {
            "id": UUID(int=1),
            "amount": Decimal("12.50"),
            "big": 2**70,
            "at": datetime(2026, 11, 1, 10, tzinfo=UTC),
            "due": date(2026, 11, 1),
            "paid": True,
            "lines": [{"sku": "a", "price": Decimal("0.10")}],
            "none": [],
        }
    ) == (
        b'{"id":"00000000-0000-0000-0000-000000000001","amount":12.50,"big":1180591620717411303424,'
        b'"at":"2026-11-01T10:00:00Z","due":"2026-11-01","paid":true,'
        b'"lines":[{"sku":"a","price":0.10}],"none":[]}'
    )


def test_a_null_is_left_out_at_the_top_in_an_item_and_as_an_item() -> None:
    made = encoded({"a": None, "b": [{"c": None, "d": 1}, None, {"c": None}]})
    assert json.loads(made) == {"b": [{"d": 1}, {}]}


@pytest.mark.parametrize(
    ("value", "found", "do"),
    [
        (None, "payload is null", "write a map"),
        ([{"a": 1}], "payload is a list", "write a map"),
        ({"a": {"b": 1}}, "payload.a is an object", "keys of their own"),
        ({"a": [1]}, "payload.a[0] is an integer", '[{"value": x} for x in ...]'),
        ({"a": ["x"]}, "payload.a[0] is text", "join"),
        ({"a": [[{}]]}, "payload.a[0] is a list", ""),
        ({"lines": [{}, {}, {}, {"sku": {}}]}, "payload.lines[3].sku is an object", "json(x)"),
        ({"lines": [{"sku": [1]}]}, "payload.lines[0].sku is an array", "json(x)"),
        ({"a": b"x"}, "payload.a is bytes", "base64(x)"),
        ({"a": [{"b": b"x"}]}, "payload.a[0].b is bytes", "base64(x)"),
        ({"a": float("nan")}, "payload.a is NaN or infinite", ""),
        ({"a": [{"b": float("inf")}]}, "payload.a[0].b is NaN or infinite", ""),
        ({"a": Decimal("1E+5000")}, "payload.a is a decimal", ""),
        ({"a": 10**400}, "payload.a is an integer", ""),
        ({"a": [{1: 2}]}, "payload.a[0] has a key that is no text", "str(x)"),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_named_by_its_path(value: Any, found: str, do: str) -> None:
    refused = invalid(value)
    assert found in refused.found
    assert do in refused.do


@pytest.mark.parametrize("key", ["", "_a", "a-b", "a.b", "a b", "ä", "e@mail", 5, "a\n"])
def test_a_key_that_the_endpoint_does_not_take_is_refused_and_not_shown(key: Any) -> None:
    refused = invalid({key: 1})
    assert refused.found == "payload has a key that the endpoint does not take"


def test_a_maps_key_in_an_item_is_not_shown() -> None:
    assert "ada" not in invalid({"a": [{"ada@example.com": []}]}).found


def test_keys_of_the_configuration_are_judged_by_the_same_rule() -> None:
    assert key_problem("invoiceId_2") is None
    assert key_problem("2nd") is None
    assert key_problem("_a") == "begins with an underscore"
    assert key_problem("") == "is empty"
    assert key_problem("a-b") == "has other signs than letters, digits and underscores"


def test_one_text_that_stands_in_a_payload_often_is_counted_each_time() -> None:
    text = "x" * 1_000_000
    assert "longer than" in invalid({"a": [{"b": text} for _ in range(11)]}).found
    assert "longer than" in invalid({f"a{number}": text for number in range(11)}).found
    assert len(encoded({"a": [{"b": text} for _ in range(9)]})) < MAX_CHARACTERS
