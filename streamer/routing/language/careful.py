"""What stood where when an expression failed?

An expression is compiled twice: plainly, with Python's own operators wherever they do the right
thing, and carefully, with each step a call from here that knows the step's text. Whatever the
plain code raises, the careful code is run on the same event and decides: it raises the `Failure`
to tell, or (where a `default` saved it) gives the value.
"""

from collections.abc import Callable
from decimal import Decimal, DivisionByZero, Inexact
from typing import Any

from streamer.routing.language.budget import MAX_DIGITS, Budget
from streamer.routing.language.failures import (
    DEFAULTED,
    Failure,
    Kind,
    mixed,
    null,
    too_much,
    type_words,
    wrong_type,
)
from streamer.routing.language.operators import Operators

EXPECTED = (
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)
"""What Python's operators and the functions raise for a value that does not suit them."""

Thunk = Callable[[], Any]


def in_words(error: Exception, text: str, operands: list[tuple[str, Any]]) -> Failure:
    """The failure that a Python error of one step stands for."""
    for operand, value in operands:
        if value is None:
            return null(operand, instead=_stand_in([other for _, other in operands]))
    if isinstance(error, Failure):
        return mixed(text) if error.kind is Kind.MIX else error.within(text)
    if isinstance(error, ZeroDivisionError | DivisionByZero):
        return Failure(
            Kind.VALUE, f"{text} divides by zero", "write what to take then: a if b != 0 else c"
        )
    if isinstance(error, Inexact):
        return too_much(text, f"{MAX_DIGITS:,} digits")
    kinds = " and ".join(f"{operand} is {type_words(value)}" for operand, value in operands)
    if isinstance(error, TypeError | AttributeError):
        return Failure(
            Kind.TYPE,
            f"{text} has no meaning: {kinds}",
            "turn one side into the other's type, for instance with str(x), int(x) or decimal(x)",
        )
    return Failure(Kind.VALUE, f"{text} has no value: {kinds}", "look at the field's values")


def _stand_in(values: list[Any]) -> str:
    """What `default` might give in place of a null that stands beside these values."""
    if any(isinstance(value, Decimal) for value in values):
        return 'decimal("0")'
    return "0" if any(isinstance(value, int | float) for value in values) else '""'


class Careful:
    """The steps of an expression, each with its text."""

    def __init__(self, budget: Budget, operators: Operators) -> None:
        self._budget = budget
        self._operators = operators

    def guards(self) -> dict[str, Callable[..., Any]]:
        """By the names that the careful code calls them."""
        return {
            "_field_": self.field,
            "_item_": self.item,
            "_slice_": self.slice,
            "_binary_": self.binary,
            "_unary_": self.unary,
            "_compare_": self.compare,
            "_iter_": self.iterate,
            "_iter_n_": self.iterate_unpacked,
            "_key_": self.key,
            "_call_": self.call,
            "_default_": self.default,
        }

    def field(self, value: Any, name: str, text: str) -> Any:
        if isinstance(value, dict):
            if name in value:
                return value[name]
            raise Failure(
                Kind.MISSING,
                f"{text} has no field {name}",
                f'correct the name, or write default({text}.{name}, "") if only some have it',
                by_field=True,
            )
        if value is None:
            raise Failure(
                Kind.NULL,
                f"{text} is null where a record is needed",
                f'write default({text}.{name}, "") with the value to take then',
            )
        raise wrong_type(
            text, value, "a record", f"leave out .{name}: only records have fields, see functions"
        )

    def item(
        self, value: Any, index: Any, text: str, index_text: str, by_field: bool = False
    ) -> Any:
        if value is None:
            raise null(text, "a list or map", "[]")
        if index is None:
            raise null(index_text)
        if isinstance(value, dict):
            return self._entry(value, index, text, index_text, by_field)
        if not isinstance(value, list | tuple | str | bytes):
            raise wrong_type(text, value, "a list, map or text")
        if not isinstance(index, int):
            raise wrong_type(index_text, index, "an integer")
        if not -len(value) <= index < len(value):
            raise Failure(
                Kind.RANGE,
                f"{text} has no item [{index_text}]",
                f'write default({text}[{index_text}], "") with the value to take then',
            )
        return value[index]

    def _entry(
        self, value: dict[Any, Any], index: Any, text: str, index_text: str, by_field: bool
    ) -> Any:
        if not isinstance(index, str | int):
            raise wrong_type(index_text, index, "text")
        if index in value:
            return value[index]
        raise Failure(
            Kind.MISSING,
            f"{text} has no key [{index_text}]",
            f'write default({text}[{index_text}], "") with the value to take then',
            by_field=by_field,
        )

    def slice(self, value: Any, low: Any, high: Any, step: Any, text: str) -> Any:
        try:
            return sliced(self._budget, value, low, high, step)
        except (Failure, *EXPECTED) as error:
            raise in_words(error, f"a slice of {text}", [(text, value)]) from None

    def binary(self, sign: str, left: Any, right: Any, left_text: str, right_text: str) -> Any:
        try:
            return self._operators.binary[sign](left, right)
        except (Failure, *EXPECTED) as error:
            operands = [(left_text, left), (right_text, right)]
            raise in_words(error, f"{left_text} {sign} {right_text}", operands) from None

    def unary(self, sign: str, value: Any, text: str) -> Any:
        try:
            return self._operators.unary[sign](value)
        except (Failure, *EXPECTED) as error:
            raise in_words(error, f"{sign}{text}", [(text, value)]) from None

    def compare(self, sign: str, left: Any, right: Any, left_text: str, right_text: str) -> Any:
        try:
            return self._operators.compared[sign](left, right)
        except (Failure, *EXPECTED) as error:
            operands = [(left_text, left), (right_text, right)]
            # A null may be looked for, and compared with == : what does not work is the container.
            if sign in ("in", "not in"):
                operands = operands[1:]
            raise in_words(error, f"{left_text} {sign} {right_text}", operands) from None

    def iterate(self, value: Any, text: str) -> Any:
        try:
            return items(self._budget, value)
        except TypeError:
            if value is None:
                raise null(text, "a list", "[]") from None
            raise wrong_type(text, value, "a list") from None

    def iterate_unpacked(self, value: Any, count: int, text: str) -> Any:
        self.iterate(value, text)
        try:
            return unpackable(self._budget, value, count)
        except TypeError:
            raise Failure(
                Kind.TYPE,
                f"the items of {text} are no lists of {count}",
                f"take one name for an item, or loop over items({text}) for a map",
            ) from None

    def key(self, key: Any, text: str) -> Any:
        if isinstance(key, str | int):
            return key
        if key is None:
            raise null(text, "a key")
        raise wrong_type(text, key, "text for a key", f"write str({text})")

    def call(
        self, name: str, function: Callable[..., Any], arguments: list[Any], texts: list[str]
    ) -> Any:
        text = f"{name}({', '.join(texts)})"
        try:
            return function(*arguments)
        except Failure as failure:
            nulls = [own for own, value in zip(texts, arguments, strict=True) if value is None]
            if failure.kind is Kind.NULL and nulls:
                raise null(nulls[0]) from None
            if failure.kind is Kind.MIX:
                raise mixed(text) from None
            raise failure.within(text) from None
        except EXPECTED as error:
            raise in_words(error, text, list(zip(texts, arguments, strict=True))) from None

    def default(self, first: Thunk, second: Thunk) -> Any:
        try:
            value = first()
        except Failure as failure:
            if failure.kind not in DEFAULTED:
                raise
            return second()
        return second() if value is None else value


def items(budget: Budget, value: Any) -> Any:
    """What a loop runs over: a list, or a map's keys; takes a step for each."""
    if not isinstance(value, list | tuple | dict):
        raise TypeError
    budget.spend(len(value) + 1)
    return value


def unpackable(budget: Budget, value: Any, count: int) -> Any:
    """What a loop with several names runs over: a list of lists of so many items."""
    for item in items(budget, value):
        if not isinstance(item, list | tuple) or len(item) != count:
            raise TypeError
    return value


def sliced(budget: Budget, value: Any, low: Any, high: Any, step: Any) -> Any:
    """A part of a list or text; takes the steps for what is copied."""
    if not isinstance(value, list | str | bytes):
        raise TypeError
    part = value[low:high:step]
    if isinstance(part, list):
        budget.spend(len(part))
    else:
        budget.spend_text(len(part))
    return part
