"""How do integers, floats and decimals reckon together, without a digit lost in silence?

Decimals are exact in sums, differences and products; a quotient has 34 digits, as IEEE 754's
decimal128 has. A decimal and a float do not mix.
"""

from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Any

from streamer.routing.language.budget import MAX_BITS, MAX_DIGITS, MAX_EXPONENT, bounded_int
from streamer.routing.language.failures import Failure, Kind, mixed, too_much, wrong_type

_ERRORS: list[Any] = [InvalidOperation, DivisionByZero, Overflow]

EXACT = Context(prec=MAX_DIGITS, rounding=ROUND_HALF_EVEN, traps=[*_ERRORS, Inexact])
"""For what must not round: it refuses (`decimal.Inexact`) where the digits do not suffice."""

ROUNDING = Context(prec=MAX_DIGITS, rounding=ROUND_HALF_EVEN, traps=_ERRORS)
"""For rounding that was asked for."""

QUOTIENT = Context(prec=34, rounding=ROUND_HALF_EVEN, traps=_ERRORS)
"""For quotients and negative powers, which seldom end."""

Number = int | float | Decimal


def written_out(value: Decimal) -> str:
    """All digits of a decimal, without an exponent: a decimal of scale 2 keeps its two zeros."""
    check_digits(value)
    return f"{value:f}"


def check_digits(value: Decimal) -> None:
    """Failure where the decimal is not finite, or would take too many digits to write out."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise Failure(Kind.VALUE, "a decimal is not a finite number", "look at where it comes from")
    if exponent > MAX_DIGITS or exponent < -MAX_DIGITS or value.adjusted() > MAX_DIGITS:
        raise too_much("a decimal, written out,", f"{MAX_DIGITS:,} digits")


def whole(value: Decimal, rounding: str) -> int:
    """The decimal rounded to an integer."""
    check_digits(value)
    return int(value.to_integral_value(rounding=rounding))


def floor(value: Decimal) -> int:
    return whole(value, ROUND_FLOOR)


def ceil(value: Decimal) -> int:
    return whole(value, ROUND_CEILING)


def round_decimal(value: Decimal, digits: int) -> Decimal:
    """To so many digits after the point, half to even."""
    check_digits(value)
    return ROUNDING.quantize(value, Decimal((0, (1,), -digits)))


Operation = Callable[[Any, Any], Any]


_EXACT_KINDS = frozenset({Decimal, int, bool})


def reckon(left: Any, right: Any, operation: Operation) -> Any:
    """A decimal and a decimal or an integer by one operation; nothing else has one here."""
    kind, other = type(left), type(right)
    if kind in _EXACT_KINDS and other in _EXACT_KINDS:
        return operation(left, right)
    if float in (kind, other) and Decimal in (kind, other):
        raise mixed()
    # The words are made where it is known what stands on which side.
    raise TypeError


def multiply_ints(left: int, right: int) -> int:
    """Bounded before it is made."""
    if left.bit_length() + right.bit_length() > MAX_BITS + 1:
        raise too_much("a product", f"{MAX_BITS:,} bits")
    return left * right


def power(base: Any, exponent: Any) -> Any:
    """A power with a bounded exponent and a bounded result; never a complex number."""
    if not isinstance(exponent, int) or not isinstance(base, int | float | Decimal):
        raise wrong_type("the exponent of a power", exponent, "an integer")
    if abs(exponent) > MAX_EXPONENT:
        raise too_much("the exponent of a power", str(MAX_EXPONENT))
    if isinstance(base, Decimal):
        context = EXACT if exponent >= 0 else QUOTIENT
        return context.power(base, exponent)
    if isinstance(base, int) and exponent >= 0:
        if base.bit_length() * exponent > MAX_BITS:
            raise too_much("a power", f"{MAX_BITS:,} bits")
        return bounded_int(base**exponent)
    return base**exponent


def shift_left(value: Any, by: Any) -> int:
    if not isinstance(value, int) or not isinstance(by, int):
        raise wrong_type("a side of a shift", by if isinstance(value, int) else value, "an integer")
    if by > MAX_BITS or value.bit_length() + by > MAX_BITS:
        raise too_much("a shift", f"{MAX_BITS:,} bits")
    return value << by


def shift_right(value: Any, by: Any) -> int:
    if not isinstance(value, int) or not isinstance(by, int):
        raise wrong_type("a side of a shift", by if isinstance(value, int) else value, "an integer")
    return value >> by
