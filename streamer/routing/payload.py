"""Is this value a payload that the endpoint takes, and which bytes is it?

The endpoint's rules: an object of strings, numbers, integers, booleans and arrays, whose items are
objects of strings, numbers, integers and booleans. It knows no null: a null is left out, at the
top, in an array's items, and as an item.
"""

import re
from math import isfinite
from typing import Any

from msgspec import Struct

from streamer.decoding.json_values import NotJson, encode_json, json_problem
from streamer.routing.language.failures import clipped, type_words

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
"""What the endpoint takes as the name of a payload's key."""

MAX_CHARACTERS = 10_000_000
"""Characters and values of a payload. One text may stand in it many times, so that a small event
could otherwise fill the memory here."""


_USUAL = 1 << 63
_ARRAYS = (list, tuple)
_NESTED = (dict, *_ARRAYS)


class Invalid(Struct, frozen=True):
    """Why a value is no payload."""

    found: str
    do: str


class _Broken(Exception):
    def __init__(self, path: str, found: str, do: str) -> None:
        super().__init__(found)
        self.invalid = Invalid(f"{path} {found}", do)


def encode_payload(value: Any, *, keys_checked: bool = False) -> bytes | Invalid:
    """The payload as a JSON object in UTF-8, its nulls left out; or why it is none.

    Decimals keep their exact digits, moments are ISO 8601 with their zone. `keys_checked`: the
    keys were judged by `key_problem` before, as those that stand in the configuration are.
    """
    try:
        return encode_json(_Builder().payload(value, keys_checked))
    except _Broken as broken:
        return broken.invalid
    except NotJson as error:
        return Invalid(f"payload: {error}", "leave it out, or turn it into text")


def key_problem(key: str) -> str | None:
    """What is wrong with a name that the payload's map gives a key."""
    if KEY.fullmatch(key):
        return None
    if key.startswith("_"):
        return "begins with an underscore"
    return "is empty" if not key else "has other signs than letters, digits and underscores"


def _plain_characters(value: dict[str, Any]) -> int | None:
    """How many characters and values it holds, where each is a text, a usual number or a boolean:
    most payloads can be encoded as they are. None where one must be looked at more closely."""
    characters = len(value)
    for item in value.values():
        kind = type(item)
        if kind is str:
            characters += len(item)
        elif kind is int:
            if not -_USUAL <= item <= _USUAL:
                return None
        elif kind is float:
            if not isfinite(item):
                return None
        elif kind is not bool:
            return None
    return characters


class _Builder:
    """Builds one payload, and counts what goes into it. Paths are made where something is wrong."""

    __slots__ = ("_counted",)

    def __init__(self) -> None:
        self._counted = 0

    def payload(self, value: Any, keys_checked: bool) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Broken("payload", f"is {type_words(value)}", "write a map: {key: value}")
        if keys_checked and (plain := _plain_characters(value)) is not None:
            self._check_size(plain)
            return value
        made: dict[str, Any] = {}
        characters = len(value)
        for key, item in value.items():
            if item is None:
                continue
            if not keys_checked and (type(key) is not str or not KEY.fullmatch(key)):
                # The key is not shown: it may be a value of the event.
                raise _Broken(
                    "payload",
                    "has a key that the endpoint does not take",
                    "use letters, digits and underscores, and no underscore first",
                )
            kind = type(item)
            if kind is str:
                characters += len(item)
            elif kind is not bool:
                item = self._value(key, item)
            made[key] = item
        self._check_size(characters)
        return made

    def _value(self, key: str, item: Any) -> Any:
        if isinstance(item, _ARRAYS):
            return self._array(key, item)
        if isinstance(item, dict):
            raise _Broken(
                f"payload.{clipped(key)}",
                "is an object, which the endpoint takes inside an array only",
                "give its fields keys of their own, or write json(x)",
            )
        problem = json_problem(item)
        if problem is not None:
            raise _unwritable(f"payload.{clipped(key)}", problem)
        return item

    def _array(self, key: str, items: list[Any] | tuple[Any, ...]) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        characters = len(items)
        for position, entry in enumerate(items):
            if isinstance(entry, dict):
                kept, held = _object(key, position, entry)
                made.append(kept)
                characters += held
            elif entry is not None:
                raise _Broken(
                    f"payload.{clipped(key)}[{position}]",
                    f"is {type_words(entry)}, and the endpoint takes arrays of objects only",
                    'write [{"value": x} for x in ...], or join(x, ", ") for a list of texts',
                )
        self._counted += characters
        return made

    def _check_size(self, characters: int) -> None:
        # Checked before anything is encoded: up to here the texts are only referred to.
        if self._counted + characters > MAX_CHARACTERS:
            raise _Broken(
                "payload",
                f"is longer than {MAX_CHARACTERS:,} characters",
                "leave out what the automation does not need",
            )


def _object(key: str, position: int, entry: dict[Any, Any]) -> tuple[dict[str, Any], int]:
    """An array's item without its nulls, and how many characters and values it holds."""
    made: dict[str, Any] = {}
    characters = len(entry)
    for name, value in entry.items():
        kind = type(value)
        if kind is str:
            characters += len(value)
        elif value is None:
            continue
        elif kind is not bool:
            _check_property(key, position, name, value)
        if type(name) is not str:
            path = f"payload.{clipped(key)}[{position}]"
            raise _Broken(path, "has a key that is no text", "write str(x) for the key")
        made[name] = value
    return made, characters


def _check_property(key: str, position: int, name: Any, value: Any) -> None:
    """A property of an array's item: `_Broken` where it is no plain value."""
    nested = isinstance(value, _NESTED)
    problem = None if nested else json_problem(value)
    if not nested and problem is None:
        return
    # A name that the endpoint's keys could not have may be a map's key: a value of the event.
    shown = clipped(name, 64) if type(name) is str and KEY.fullmatch(name) else "(a map's key)"
    path = f"payload.{clipped(key)}[{position}].{shown}"
    if problem is not None:
        raise _unwritable(path, problem)
    what = "an object" if isinstance(value, dict) else "an array"
    raise _Broken(
        path,
        f"is {what}, and the objects of an array have plain values only",
        "give its fields keys of their own, or write json(x)",
    )


def _unwritable(path: str, problem: str) -> _Broken:
    found, _, do = problem.partition("; ")
    return _Broken(path, found, do or "leave it out, or turn it into text")
