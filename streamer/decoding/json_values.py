"""Which JSON is a value, and which values are none?

Numbers keep their exact digits (decimals, and integers of any size), moments are ISO 8601 with
their zone (a local timestamp has none), UUIDs are text. What has no honest form in JSON is a
problem for the operator to solve: bytes, NaN, infinities, time differences.

`json_problem` judges one value by its type, `encode_json` writes a value whose parts were judged
already, and `encode_any_json` does both for any value.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from streamer.decoding.values import NanoDatetime, Record

# Beyond a double's range: most readers of JSON make infinity or nothing of it.
MAX_EXPONENT = 308
# Of an integer or a decimal: as many as its exponent may say.
MAX_DIGITS = 309
# Of lists and objects in each other; the encoder itself ends at Python's limit of 1,000.
MAX_DEPTH = 200

_INTEGERS = 10**MAX_DIGITS


class NotJson(Exception):
    """The value has no form in JSON; the message says what and where, without the value."""


def encode_json(value: Any) -> bytes:
    """The value as compact JSON in UTF-8.

    The caller has asked `json_problem` about every part of it: NaN would be written as null and
    bytes as base64. Raises NotJson for types that it never saw and text that is not Unicode.
    """
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        raise NotJson("a text holds half of a surrogate pair, which UTF-8 cannot") from None


def encode_any_json(value: Any) -> bytes:
    """The value as compact JSON in UTF-8; raises NotJson if any part of it is none."""
    for path, part in _parts("", value, 0):
        problem = json_problem(part)
        if problem is not None:
            raise NotJson(f"{path.lstrip('.') or 'it'} {problem}")
    return encode_json(value)


def json_problem(value: Any) -> str | None:
    """Why the value, apart from what a list or dict holds, has no form in JSON: a predicate such
    as `is bytes; choose base64(x), hex(x) or text(x)`. None where it has one."""
    judge = _JUDGES.get(type(value), _unknown)
    return None if judge is None else judge(value)


def _parts(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
    yield path, value
    if isinstance(value, dict):
        for key, part in value.items():
            if type(key) is not str:
                raise NotJson(f"{path.lstrip('.') or 'it'} has a key of type {type(key).__name__}")
            yield from _parts(f"{path}.{key}", part, depth + 1)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _parts(f"{path}[{number}]", part, depth + 1)


def _float_problem(value: float) -> str | None:
    return None if isfinite(value) else "is NaN or infinite, which JSON cannot write"


def _int_problem(value: int) -> str | None:
    if -_INTEGERS < value < _INTEGERS:
        return None
    return f"is an integer of more than {MAX_DIGITS} digits"


def _decimal_problem(value: Decimal) -> str | None:
    if not value.is_finite():
        return "is NaN or infinite, which JSON cannot write"
    if abs(value.adjusted()) > MAX_EXPONENT and value:
        return f"is a decimal whose exponent is beyond {MAX_EXPONENT}"
    # Its text has no fewer characters than it has digits, and costs a fifth of their tuple.
    if len(str(value)) > MAX_DIGITS and len(value.as_tuple().digits) > MAX_DIGITS:
        return f"is a decimal of more than {MAX_DIGITS} digits"
    return None


def _bytes_problem(value: bytes) -> str:
    return "is bytes; choose base64(x), hex(x) or text(x)"


def _difference_problem(value: timedelta) -> str:
    return "is a time difference; choose seconds(x)"


def _unknown(value: object) -> str:
    return f"is a {type(value).__name__}, which JSON cannot write"


_JUDGES: dict[type, Callable[[Any], str | None] | None] = {
    **dict.fromkeys((type(None), bool, str, list, tuple, dict, Record)),
    **dict.fromkeys((datetime, NanoDatetime, date, time, UUID)),
    float: _float_problem,
    int: _int_problem,
    Decimal: _decimal_problem,
    bytes: _bytes_problem,
    timedelta: _difference_problem,
}
"""By type: None where every value of it is JSON."""


def _encode_rare(value: Any) -> str:
    """What msgspec asks about types that it does not know."""
    if isinstance(value, NanoDatetime):
        return value.isoformat().replace("+00:00", "Z")
    raise NotJson(f"it {_unknown(value)}")


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode_rare)
