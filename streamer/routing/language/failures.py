"""How does an expression fail, and in which words is it told?

Only paths, names and types appear in the words, never a value: they end in logs and dead letters.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any
from uuid import UUID


class Kind(Enum):
    """What went wrong; `default(a, b)` gives `b` for the first three."""

    MISSING = auto()
    """A field, or a key of a map, that is not there."""
    RANGE = auto()
    """An index past the end of a list or a text."""
    NULL = auto()
    """A null where a value is needed."""
    MIX = auto()
    """A decimal together with a float."""
    TYPE = auto()
    """A value of a type that does not go here."""
    VALUE = auto()
    """The right type, but nothing that can be worked with: zero to divide by, text to parse."""
    LIMIT = auto()
    """A bound of the language: steps, sizes, digits."""


DEFAULTED = frozenset({Kind.MISSING, Kind.RANGE, Kind.NULL})
"""What `default` stands in for."""


class Failure(Exception):
    """An expression that has no value for this event. The language raises nothing else."""

    def __init__(self, kind: Kind, found: str, do: str, *, by_field: bool = False) -> None:
        super().__init__(found, do)
        self.kind = kind
        self.found = found
        """What was found and where, a sentence without its full stop."""
        self.do = do
        """What to write instead, or what to look at."""
        self.by_field = by_field
        """A field of a record is missing, as opposed to a key of a map."""

    def within(self, call: str) -> "Failure":
        """The same, said of the call that met it."""
        return Failure(self.kind, f"in {call}: {self.found}", self.do)


_WORDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    Decimal: "a decimal",
    str: "text",
    bytes: "bytes",
    list: "a list",
    tuple: "a list",
    dict: "a record or map",
    datetime: "a timestamp",
    date: "a date",
    time: "a time of day",
    timedelta: "a duration",
    UUID: "a UUID",
}


def type_words(value: Any) -> str:
    """The type of a value as an operator calls it."""
    for kind in type(value).__mro__:
        if kind in _WORDS:
            return _WORDS[kind]
    return "a value of another kind"


_CLIPPED_AT = 120
"""Characters of an expression that a sentence still reads well with."""


def clipped(text: str, limit: int = _CLIPPED_AT) -> str:
    """An expression's text on one line, short enough to stand in a sentence."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def null(text: str, wanted: str = "a value", instead: str = '""') -> Failure:
    return Failure(
        Kind.NULL,
        f"{text} is null where {wanted} is needed",
        f"write default({text}, {instead}) with the value to take then",
    )


def mixed(what: str = "this") -> Failure:
    """A decimal with a float: binary fractions would change an amount's digits unseen."""
    return Failure(
        Kind.MIX,
        f"{what} mixes a decimal and a float",
        'write the number as decimal("1.1"), or turn the field into one: decimal(field)',
    )


def wrong_type(text: str, value: Any, wanted: str, do: str = "") -> Failure:
    return Failure(
        Kind.TYPE,
        f"{text} is {type_words(value)} where {wanted} is needed",
        do or "change the expression to suit the field's type",
    )


def too_much(what: str, bound: str) -> Failure:
    return Failure(Kind.LIMIT, f"{what} passes the bound of {bound}", "make the expression smaller")
