"""How are Avro's variable-length integers read, and what is wrong with one that cannot be?

The generated readers look one-byte integers up in the two tables and call the functions here for
the rest. An integer has one shortest form; a longer one is refused, since no writer makes it and
some readers see another number in it.

Source: Apache Avro 1.12 specification, "Binary Encoding".
"""

from typing import NoReturn

LONGS: tuple[int | None, ...] = tuple(
    (byte >> 1) ^ -(byte & 1) if byte < 128 else None for byte in range(256)
)
"""The integer that a byte is, zig-zag decoded; None where more bytes follow."""

LENGTHS: tuple[int, ...] = tuple(
    byte >> 1 if byte < 128 and not byte & 1 else -1 for byte in range(256)
)
"""The length (or index) that a byte is; -1 where it is negative or more bytes follow."""

_LONG_BITS = 64
_INT_MAX = (1 << 31) - 1


class Malformed(Exception):
    """The bytes are no value of the schema; the text says what is wrong, without the value."""


def long_at(buffer: bytes, position: int) -> tuple[int, int]:
    """The integer whose first byte is the one before `position`, and where the next value is."""
    byte = buffer[position - 1]
    raw = byte & 0x7F
    shift = 7
    while byte > 127:
        byte = buffer[position]
        position += 1
        raw |= (byte & 0x7F) << shift
        shift += 7
        if shift > _LONG_BITS and raw >> _LONG_BITS:
            raise Malformed("an integer has more than 64 bits")
    if byte == 0 and shift > 7:
        raise Malformed("an integer has more bytes than it needs")
    return (raw >> 1) ^ -(raw & 1), position


def int_at(buffer: bytes, position: int) -> tuple[int, int]:
    """As `long_at`, for an integer of 32 bits."""
    value, position = long_at(buffer, position)
    if not -_INT_MAX - 1 <= value <= _INT_MAX:
        raise Malformed("an int has more than 32 bits")
    return value, position


def length_at(buffer: bytes, position: int) -> tuple[int, int]:
    """As `long_at`, for a length or an index, which cannot be negative."""
    value, position = long_at(buffer, position)
    if value < 0:
        raise Malformed("a length or an index is negative")
    return value, position


def sized_block_at(buffer: bytes, position: int, count: int) -> tuple[int, int]:
    """How many items a block with the negative `count` has, and where they start."""
    _, position = length_at(buffer, position + 1)
    return -count, position


def too_short() -> NoReturn:
    raise Malformed("the message ends inside this value")


def no_symbol() -> NoReturn:
    raise Malformed("the enum has no symbol of this index")


def no_branch() -> NoReturn:
    raise Malformed("the union has no branch of this index")


def no_boolean() -> NoReturn:
    raise Malformed("a boolean is neither 0 nor 1")


def too_deep() -> NoReturn:
    raise Malformed("the value is nested deeper than an event may be")


def left_over(count: int) -> NoReturn:
    raise Malformed(f"{count} bytes follow the complete value")
