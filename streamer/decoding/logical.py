"""Which of Python's own values is a value of a logical type?

Every function takes the underlying value and gives the logical one, or raises `Malformed`; no
digit is lost on the way. `duration` has no counterpart in Python (a month has no length) and is
a dict of its three numbers.

Source: Apache Avro 1.12 specification, "Logical Types".
"""

import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

from streamer.decoding.primitives import Malformed
from streamer.decoding.schema_text import MAX_SCALE
from streamer.decoding.values import NanoDatetime

# 1,232 digits: far beyond any amount, and converted in microseconds (the time is quadratic).
MAX_DECIMAL_BYTES = 512

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_LOCAL = datetime(1970, 1, 1)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY_MICROS = 24 * 60 * 60 * 1_000_000

_EXACT = Context(prec=MAX_DECIMAL_BYTES * 3 + MAX_SCALE, Emax=999_999, Emin=-999_999)

_HEX = "[0-9a-fA-F]"
_UUID_TEXT = re.compile(
    # Without a group for the repeated part, which would double its time.
    f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
).fullmatch

_UINT32S = struct.Struct("<III")


def decimal_reader(scale: int) -> Callable[[bytes], Decimal]:
    """Reads two's-complement bytes as a decimal with `scale` digits after the point."""

    def decimal_of(unscaled: bytes) -> Decimal:
        if len(unscaled) > MAX_DECIMAL_BYTES:
            raise Malformed(f"a decimal has more than {MAX_DECIMAL_BYTES} bytes")
        whole = Decimal(int.from_bytes(unscaled, "big", signed=True))
        return whole.scaleb(-scale, _EXACT) if scale else whole

    return decimal_of


def date_of(days: int) -> date:
    try:
        return date.fromordinal(days + _EPOCH_DAY)
    except (ValueError, OverflowError):
        raise Malformed("a date lies outside the years 1 to 9999") from None


def time_of_millis(millis: int) -> time:
    return time_of_micros(millis * 1000)


def time_of_micros(micros: int) -> time:
    if not 0 <= micros < _DAY_MICROS:
        raise Malformed("a time of day lies outside the day")
    seconds, micro = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return time(hour, minute, second, micro)


def timestamp_of_millis(millis: int) -> datetime:
    try:
        return _EPOCH + timedelta(0, 0, 0, millis)
    except OverflowError:
        raise _no_moment() from None


def timestamp_of_micros(micros: int) -> datetime:
    try:
        return _EPOCH + timedelta(0, 0, micros)
    except OverflowError:
        raise _no_moment() from None


def timestamp_of_nanos(nanos: int) -> datetime:
    if nanos % 1000 == 0:
        return timestamp_of_micros(nanos // 1000)
    return NanoDatetime.of(nanos)


def local_of_millis(millis: int) -> datetime:
    return local_of_micros(millis * 1000)


def local_of_micros(micros: int) -> datetime:
    try:
        return _EPOCH_LOCAL + timedelta(0, 0, micros)
    except OverflowError:
        raise _no_moment() from None


def local_of_nanos(nanos: int) -> datetime:
    if nanos % 1000 == 0:
        return local_of_micros(nanos // 1000)
    return NanoDatetime.of(nanos, local=True)


def uuid_of(text: str) -> UUID:
    """Its 36 characters only: what else `UUID` takes would be written out as another text."""
    if _UUID_TEXT(text) is None:
        raise Malformed("the text is no UUID of 36 characters")
    return UUID(text)


def uuid_of_bytes(sixteen: bytes) -> UUID:
    return UUID(bytes=sixteen)


def duration_of(twelve: bytes) -> dict[str, int]:
    months, days, millis = _UINT32S.unpack(twelve)
    return {"months": months, "days": days, "milliseconds": millis}


def _no_moment() -> Malformed:
    return Malformed("a timestamp lies outside the years 1 to 9999")


BY_KIND: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("int", "date"): date_of,
    ("int", "time-millis"): time_of_millis,
    ("long", "time-micros"): time_of_micros,
    ("long", "timestamp-millis"): timestamp_of_millis,
    ("long", "timestamp-micros"): timestamp_of_micros,
    ("long", "timestamp-nanos"): timestamp_of_nanos,
    ("long", "local-timestamp-millis"): local_of_millis,
    ("long", "local-timestamp-micros"): local_of_micros,
    ("long", "local-timestamp-nanos"): local_of_nanos,
    ("string", "uuid"): uuid_of,
    ("fixed", "uuid"): uuid_of_bytes,
    ("fixed", "duration"): duration_of,
}
"""By underlying and logical type; decimals have a reader for each scale."""
