"""Which functions over numbers may an expression call?"""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from streamer.routing.language.arguments import need, need_bounded, need_items
from streamer.routing.language.budget import MAX_DIGITS, MAX_WIDTH, Budget
from streamer.routing.language.failures import Failure, Kind, null, too_much, wrong_type
from streamer.routing.language.numbers import ceil, check_digits, floor, round_decimal, whole
from streamer.routing.language.operators import Operators

_NUMBER = "a number"


class NumberFunctions:
    def __init__(self, budget: Budget, operators: Operators) -> None:
        self._budget = budget
        self._operators = operators

    def table(self) -> dict[str, tuple[Callable[..., Any], int, int]]:
        """Name to the function and how few and how many arguments it takes."""
        return {
            "int": (self.int_, 1, 1),
            "float": (self.float_, 1, 1),
            "decimal": (self.decimal_, 1, 1),
            "round": (self.round_, 1, 2),
            "floor": (self.floor, 1, 1),
            "ceil": (self.ceil, 1, 1),
            "abs": (self.abs_, 1, 1),
            "min": (self.min_, 1, 50),
            "max": (self.max_, 1, 50),
            "sum": (self.sum_, 1, 1),
        }

    def int_(self, value: Any) -> int:
        """Towards zero, as Python's; a boolean is 0 or 1."""
        match value:
            case bool() | int():
                return int(value)
            case float():
                return int(_finite(value))
            case Decimal():
                return whole(value, "ROUND_DOWN")
            case str():
                return int(self._digits(value))
        raise _no_number(value)

    def float_(self, value: Any) -> float:
        match value:
            case bool() | int() | float():
                return float(value)
            case Decimal():
                check_digits(value)
                return float(value)
            case str():
                return float(_finite(float(self._digits(value))))
        raise _no_number(value)

    def decimal_(self, value: Any) -> Decimal:
        """A float by its shortest digits, which are what a person reads: 0.1 is 0.1."""
        match value:
            case Decimal():
                return value
            case bool():
                raise _no_number(value)
            case int():
                return Decimal(value)
            case float():
                return Decimal(repr(_finite(value)))
            case str():
                return self._parsed(value)
        raise _no_number(value)

    def _parsed(self, text: str) -> Decimal:
        try:
            parsed = Decimal(self._digits(text))
        except InvalidOperation:
            raise ValueError from None
        check_digits(parsed)
        return parsed

    def _digits(self, text: str) -> str:
        self._budget.spend_text(len(text))
        if len(text) > MAX_DIGITS:
            raise too_much("a number in text", f"{MAX_DIGITS:,} digits")
        return text

    def round_(self, value: Any, digits: Any = None) -> Any:
        """Half to even, as Python's; without digits an integer."""
        places = None if digits is None else need_bounded(digits, MAX_WIDTH, "the digits of round")
        match value:
            case bool():
                raise _no_number(value)
            case Decimal() if places is None:
                return whole(value, "ROUND_HALF_EVEN")
            case Decimal():
                return round_decimal(value, places or 0)
            case int():
                return round(value, places)
            case float():
                return round(_finite(value), places)
        raise _no_number(value)

    def floor(self, value: Any) -> int:
        if isinstance(value, Decimal):
            return floor(value)
        number: float = _finite(_number(value))
        return math.floor(number)

    def ceil(self, value: Any) -> int:
        if isinstance(value, Decimal):
            return ceil(value)
        number: float = _finite(_number(value))
        return math.ceil(number)

    def abs_(self, value: Any) -> Any:
        # `abs(decimal)` rounds to the context's 28 digits; copying does not.
        return value.copy_abs() if isinstance(value, Decimal) else abs(_number(value))

    def min_(self, *values: Any) -> Any:
        return min(self._comparable(values))

    def max_(self, *values: Any) -> Any:
        return max(self._comparable(values))

    def _comparable(self, values: tuple[Any, ...]) -> Any:
        items = need_items(values[0]) if len(values) == 1 else values
        self._operators.unmixed(items)
        if not items:
            raise Failure(Kind.RANGE, "the list is empty", "write default(max(x), 0)")
        return items

    def sum_(self, items: Any) -> Any:
        total: Any = 0
        values = need_items(items)
        self._budget.spend(len(values))
        for value in values:
            if value is None:
                raise null("an item", _NUMBER)
            total = self._operators.add(total, need(value, int | float | Decimal, _NUMBER))  # type: ignore[arg-type]
        return total


def _number(value: Any) -> Any:
    return need(value, int | float | Decimal, _NUMBER)  # type: ignore[arg-type]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise Failure(Kind.VALUE, "a float is not a finite number", "look at where it comes from")
    return value


def _no_number(value: Any) -> Failure:
    if value is None:
        return null("an argument", _NUMBER)
    return wrong_type("an argument", value, "a number or a number in text")
