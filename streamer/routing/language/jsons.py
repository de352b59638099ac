"""How does a value become JSON text inside an expression, and JSON text a value?"""

import json
from decimal import Decimal
from typing import Any, NoReturn

from streamer.decoding.json_values import NotJson, encode_any_json
from streamer.routing.language.arguments import need_text
from streamer.routing.language.budget import Budget, bounded_int
from streamer.routing.language.failures import Failure, Kind
from streamer.routing.language.numbers import check_digits

_READ_AT_MOST = 1_000_000
"""Characters of JSON text that `from_json` takes: a whole message of Kafka's default size."""


def to_json(budget: Budget, value: Any) -> str:
    """The value as JSON text, its decimals with their exact digits."""
    # What is held twice is written twice: the steps are taken for all of it before.
    budget.spend_value(value)
    try:
        made = encode_any_json(value).decode()
    except NotJson:
        # Its words have the path, and a map's keys in it: values of the event.
        raise Failure(
            Kind.VALUE,
            "the value holds something that JSON cannot write, such as bytes or NaN",
            "leave it out; for bytes choose base64(x), hex(x) or text(x)",
        ) from None
    budget.spend_text(len(made))
    return made


def from_json(budget: Budget, value: Any) -> Any:
    """The value of JSON text: numbers with a fraction are decimals."""
    text = need_text(value)
    if len(text) > _READ_AT_MOST:
        raise Failure(
            Kind.LIMIT, f"the JSON text has over {_READ_AT_MOST:,} characters", "shorten it"
        )
    # The smallest value, with its comma, has two characters.
    budget.spend(len(text) // 10)
    try:
        read = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=_no_number)
        # An escape may stand for half a character, which no JSON answer could carry on.
        json.dumps(read, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        raise Failure(
            Kind.VALUE, "the text is no JSON", "look at what the producer writes there"
        ) from None
    return read


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    check_digits(number)
    return number


def _integer(text: str) -> int:
    return bounded_int(int(text))


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
