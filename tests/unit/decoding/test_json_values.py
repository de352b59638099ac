"""Do values leave as JSON without loss, and is what has no JSON named?"""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from streamer.decoding.json_values import (
    MAX_DEPTH,
    NotJson,
    encode_any_json,
    encode_json,
    json_problem,
)
from streamer.decoding.values import NanoDatetime, Record


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        ("Grüße\n\0", '"Grüße\\n\\u0000"'),
        (2**53 + 1, "9007199254740993"),
        (-(2**63), "-9223372036854775808"),
        (2**70, "1180591620717411303424"),
        (0.1, "0.1"),
        (1e300, "1e300"),
        (Decimal("12.50"), "12.50"),
        (Decimal("-0.00"), "-0.00"),
        (Decimal("1E-8"), "1E-8"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (datetime(2025, 11, 24, 10, 26, 40, 123_000, UTC), '"2025-11-24T10:26:40.123000Z"'),
        (
            datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            '"2025-01-01T00:00:00+02:00"',
        ),
        (datetime(2025, 1, 1, 12), '"2025-01-01T12:00:00"'),
        (NanoDatetime.of(1_763_980_000_123_456_789), '"2025-11-24T10:26:40.123456789Z"'),
        (NanoDatetime.of(-1, local=True), '"1969-12-31T23:59:59.999999999"'),
        (date(2025, 11, 24), '"2025-11-24"'),
        (time(1, 2, 3, 4), '"01:02:03.000004"'),
        (
            UUID("3f0c1a52-0000-4000-8000-00000000000a"),
            '"3f0c1a52-0000-4000-8000-00000000000a"',
        ),
        ({"a": [1, {"b": Record("com.acme.R", {"c": (2,)})}]}, '{"a":[1,{"b":{"c":[2]}}]}'),
    ],
)
def test_values_are_written_exactly(value: Any, expected: str) -> None:
    assert json_problem(value) is None
    assert encode_json(value).decode() == expected
    assert encode_any_json([value]).decode() == f"[{expected}]"
    json.loads(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "is NaN or infinite"),
        (float("-inf"), "is NaN or infinite"),
        (Decimal("NaN"), "is NaN or infinite"),
        (Decimal("sNaN"), "is NaN or infinite"),
        (Decimal("-Infinity"), "is NaN or infinite"),
        (Decimal("1E+1000000"), "whose exponent is beyond 308"),
        (Decimal("1E-1000000"), "whose exponent is beyond 308"),
        (Decimal("0." + "1" * 310), "of more than 309 digits"),
        (10**309, "an integer of more than 309 digits"),
        (-(10**4_000), "an integer of more than 309 digits"),
        (b"ab", "is bytes; choose base64(x), hex(x) or text(x)"),
        (timedelta(1), "is a time difference"),
        ({1}, "is a set, which JSON cannot write"),
        (object(), "is a object, which JSON cannot write"),
    ],
)
def test_what_json_cannot_write_is_named_with_its_path(value: Any, expected: str) -> None:
    problem = json_problem(value)
    assert problem is not None
    assert expected in problem
    with pytest.raises(NotJson) as caught:
        encode_any_json({"lines": [{"x": value}]})
    assert str(caught.value) == f"lines[0].x {problem}"


def test_what_is_written_without_being_judged_still_writes_no_unknown_type() -> None:
    with pytest.raises(NotJson, match="it is a object"):
        encode_json({"a": object()})
    with pytest.raises(NotJson, match="surrogate"):
        encode_json("\ud800")


def test_keys_that_are_no_text_and_depth_without_end_are_named() -> None:
    with pytest.raises(NotJson, match="a has a key of type int"):
        encode_any_json({"a": {1: 2}})
    nested: list[Any] = []
    for _ in range(MAX_DEPTH + 5):
        nested = [nested]
    with pytest.raises(NotJson, match="nested deeper than 200"):
        encode_any_json(nested)
