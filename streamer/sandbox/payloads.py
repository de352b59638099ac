"""Does a payload keep the endpoint's rules for any payload, whatever its trigger?

An object whose key names have letters, digits and underscores and do not begin with an underscore;
values are strings, numbers, booleans or arrays; an array's items are objects of scalars.
"""

import re
from decimal import Decimal
from functools import lru_cache

import msgspec

from streamer.sandbox.answers import Violation

# Decimals, so that a number beyond a float's range is a number and not an error.
_decoder = msgspec.json.Decoder(float_hook=Decimal)

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_SCALARS = frozenset({str, int, bool, Decimal})
VIOLATIONS_MAX = 100
"""An answer names at most so many: a hostile payload must not make a hostile answer."""

Payload = dict[str, object]


def read_payload(raw: bytes) -> Payload | tuple[Violation, ...]:
    """The payload with exact numbers, or what is wrong with it."""
    try:
        payload = _decoder.decode(raw)
    # Without a type the only thing that does not fit is a number: an integer of too many digits, or
    # one whose exponent no decimal can have.
    except (msgspec.ValidationError, ArithmeticError):
        return (_violation("payload", "has a number that is too large"),)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return (_violation("payload", "is not valid JSON"),)
    if not isinstance(payload, dict):
        return (_violation("payload", "must be an object"),)
    found: list[Violation] = []
    for name, value in payload.items():
        if not _is_name(name):
            found.append(_wrong_name(f"payload.{name}"))
        if type(value) is list:
            _check_items(value, f"payload.{name}", found)
        elif type(value) not in _SCALARS:
            found.append(_violation(f"payload.{name}", _why_not(value)))
        if len(found) >= VIOLATIONS_MAX:
            break
    return tuple(found[:VIOLATIONS_MAX]) if found else payload


@lru_cache(maxsize=4096)  # a trigger's payloads have the same few names every time
def _is_name(name: str) -> bool:
    return _KEY.fullmatch(name) is not None


def _wrong_name(path: str) -> Violation:
    return _violation(
        path,
        "has a key name with other characters than letters, digits and underscores, "
        "or one that begins with an underscore",
    )


def _check_items(items: list[object], where: str, found: list[Violation]) -> None:
    for index, item in enumerate(items):
        if len(found) >= VIOLATIONS_MAX:
            return
        if not isinstance(item, dict):
            found.append(_violation(f"{where}[{index}]", "must be an object: an array's items are"))
            continue
        for name, value in item.items():
            if not _is_name(name):
                found.append(_wrong_name(f"{where}[{index}].{name}"))
            if type(value) not in _SCALARS:
                found.append(_violation(f"{where}[{index}].{name}", _why_not(value)))


def _why_not(value: object) -> str:
    if value is None:
        return "is null: leave the property out"
    if isinstance(value, dict):
        return "is an object: objects stand in arrays only"
    return "is an array: an array's items hold strings, numbers and booleans only"


def _violation(field: str, description: str) -> Violation:
    return Violation(field, description, "OTHER", name="PAYLOAD_FORMAT")
