"""What do the operators of an expression do with an event's values, and within which bounds?

Every operation is pure and refuses (`Failure`) what would mix decimals and floats, or make
something larger than the budget. A Python error that comes out instead (TypeError, ...) is put
into words by `careful.py`, which knows what stands where in the expression.
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from streamer.routing.language import numbers
from streamer.routing.language.budget import Budget
from streamer.routing.language.failures import Failure, Kind, mixed, wrong_type

_PLAIN = frozenset({int, float, bool})
_JOINED = (str, bytes, list)
_CONTAINERS = (list, tuple, dict)

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


class Operators:
    """The operators by their sign, all on one budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.binary: dict[str, Callable[[Any, Any], Any]] = {
            "+": self.add,
            "-": self.subtract,
            "*": self.multiply,
            "/": self.divide,
            "//": self.floor_divide,
            "%": self.modulo,
            "**": numbers.power,
            "<<": numbers.shift_left,
            ">>": numbers.shift_right,
            "|": self.either,
            "&": self.both,
            "^": self.differing,
        }
        self.unary: dict[str, Callable[[Any], Any]] = {
            "-": self.negative,
            "+": self.positive,
            "~": self.inverted,
        }
        self.compared: dict[str, Callable[[Any, Any], Any]] = {
            "==": self.equal,
            "!=": self.unequal,
            "<": self.less,
            "<=": self.less_or_equal,
            ">": self.greater,
            ">=": self.greater_or_equal,
            "in": self.contained,
            "not in": self.not_contained,
        }

    # --- arithmetic -----------------------------------------------------------------------

    def add(self, left: Any, right: Any) -> Any:
        kind = type(left)
        if kind in _PLAIN and type(right) in _PLAIN:
            return left + right
        if kind is Decimal:
            return numbers.reckon(left, right, numbers.EXACT.add)
        if isinstance(left, _JOINED) and type(right) is kind:
            joined = len(left) + len(right)
            if kind is list:
                self._budget.spend(joined)
            else:
                self._budget.spend_text(joined)
            return left + right
        if isinstance(left, date | timedelta):
            return left + right
        return numbers.reckon(left, right, numbers.EXACT.add)

    def subtract(self, left: Any, right: Any) -> Any:
        if type(left) in _PLAIN and type(right) in _PLAIN:
            return left - right
        if isinstance(left, date | timedelta):
            return left - right
        return numbers.reckon(left, right, numbers.EXACT.subtract)

    def multiply(self, left: Any, right: Any) -> Any:
        if isinstance(left, int) and isinstance(right, int):
            return numbers.multiply_ints(left, right)
        if type(left) in _PLAIN and type(right) in _PLAIN:
            return left * right
        if type(left) is Decimal or type(right) is Decimal:
            return numbers.reckon(left, right, numbers.EXACT.multiply)
        for value, count in ((left, right), (right, left)):
            if isinstance(value, _JOINED) and isinstance(count, int):
                return self._repeat(value, count)
        raise TypeError

    def _repeat(self, value: Any, count: int) -> Any:
        made = len(value) * max(count, 0)
        if isinstance(value, list):
            self._budget.spend(made)
        else:
            self._budget.spend_text(made)
        return value * count

    def divide(self, left: Any, right: Any) -> Any:
        if type(left) in _PLAIN and type(right) in _PLAIN:
            return left / right
        return numbers.reckon(left, right, numbers.QUOTIENT.divide)

    def floor_divide(self, left: Any, right: Any) -> Any:
        if type(left) in _PLAIN and type(right) in _PLAIN:
            return left // right
        return numbers.reckon(left, right, numbers.EXACT.divide_int)

    def modulo(self, left: Any, right: Any) -> Any:
        if type(left) in _PLAIN and type(right) in _PLAIN:
            return left % right
        if isinstance(left, str | bytes):
            raise Failure(
                Kind.TYPE,
                "% formats no text here",
                'write an f-string, such as f"{event.name}: {event.total:.2f}"',
            )
        return numbers.reckon(left, right, numbers.EXACT.remainder)

    def either(self, left: Any, right: Any) -> Any:
        if isinstance(left, dict) and isinstance(right, dict):
            self._budget.spend(len(left) + len(right))
            return {**left, **right}
        return _ints(left, right)[0] | right

    def both(self, left: Any, right: Any) -> Any:
        return _ints(left, right)[0] & right

    def differing(self, left: Any, right: Any) -> Any:
        return _ints(left, right)[0] ^ right

    def negative(self, value: Any) -> Any:
        # `-decimal` rounds to the context's 28 digits; copying does not.
        if isinstance(value, Decimal):
            return value.copy_negate() if value else value.copy_abs()
        if type(value) in _PLAIN or isinstance(value, timedelta):
            return -value
        raise wrong_type("what stands after -", value, "a number")

    def positive(self, value: Any) -> Any:
        if isinstance(value, Decimal) or type(value) in _PLAIN:
            return value
        raise wrong_type("what stands after +", value, "a number")

    def inverted(self, value: Any) -> Any:
        if type(value) is int:
            return ~value
        raise wrong_type("what stands after ~", value, "an integer")

    # --- comparisons ----------------------------------------------------------------------

    def equal(self, left: Any, right: Any) -> Any:
        self.comparable(left, right)
        return left == right

    def unequal(self, left: Any, right: Any) -> Any:
        self.comparable(left, right)
        return left != right

    def less(self, left: Any, right: Any) -> Any:
        self.comparable(left, right)
        return left < right

    def less_or_equal(self, left: Any, right: Any) -> Any:
        self.comparable(left, right)
        return left <= right

    def greater(self, left: Any, right: Any) -> Any:
        self.comparable(left, right)
        return left > right

    def greater_or_equal(self, left: Any, right: Any) -> Any:
        self.comparable(left, right)
        return left >= right

    def comparable(self, left: Any, right: Any) -> None:
        """Failure where a decimal would meet a float; takes the steps that comparing costs."""
        kind, other = type(left), type(right)
        if kind in _PLAIN and other in _PLAIN:
            return
        if (kind is str and other is str) or (kind is bytes and other is bytes):
            self._budget.spend_text(min(len(left), len(right)))
        elif (kind is Decimal and other is float) or (kind is float and other is Decimal):
            raise mixed()
        elif isinstance(left, _CONTAINERS) and isinstance(right, _CONTAINERS):
            self.unmixed([left, right])

    def unmixed(self, values: Any) -> None:
        """Failure where decimals and floats stand in one place; takes the steps for it all."""
        self._budget.spend_value(values)
        kinds: set[type] = set()
        _collect_kinds(values, kinds)
        if Decimal in kinds and float in kinds:
            raise mixed()

    def contained(self, item: Any, container: Any) -> bool:
        if isinstance(container, str):
            self._budget.spend_text(len(container))
        elif isinstance(container, dict):
            if isinstance(item, float | Decimal):
                raise wrong_type("what is looked up in a map", item, "text")
        else:
            self.unmixed([item, container])
        return item in container

    def not_contained(self, item: Any, container: Any) -> bool:
        return not self.contained(item, container)


def _collect_kinds(value: Any, kinds: set[type]) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        else:
            kinds.add(type(item))


def _ints(left: Any, right: Any) -> tuple[Any, Any]:
    for side in (left, right):
        if not isinstance(side, int):
            raise wrong_type("a side of |, & or ^", side, "an integer")
    return left, right
