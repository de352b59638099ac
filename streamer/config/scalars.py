"""What does a scalar's text in the configuration mean?

YAML 1.2's core schema, so that `no`, `on` and `12:30` stay text, and the references to environment
variables inside it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Plain = str | int | float | bool | None

_WORDS: dict[str, Plain] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?\Z")
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<inside>[^}]*)(?P<end>\}?)")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?\Z", re.DOTALL)


MAKE_IT_UTF8 = "set it to text in UTF-8 (of a secret: `file:PATH`, the file in UTF-8)"
"""What to do about a variable with other bytes."""


class Loose(str):
    """Text that came from the environment: typed by the field that it goes into.

    A password `0123` stays text and a port `9464` becomes a number. Its value is never shown in a
    finding, since anything in the environment may be a secret.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class BadReference:
    """A `${...}` that gives no value."""

    found: str
    do: str


def plain(text: str) -> Plain:
    """What an unquoted scalar means: null, true, false, a number, otherwise the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def is_unicode(text: str) -> bool:
    """False where bytes that are not UTF-8 stand in for characters, as Python reads them from the
    environment: such text can be sent to nobody, and not even be shown."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refers(text: str) -> bool:
    """Whether there is anything to replace in the text."""
    return "${" in text


def interpolate(text: str, env: Mapping[str, str]) -> str | list[BadReference]:
    """The text with each `${NAME}` and `${NAME:-default}` replaced and `$${` made `${`.

    A `Loose` where a variable was replaced. As in a shell, the default of `:-` also stands in for
    an empty variable. A replacement is not looked at again.
    """
    faults: list[BadReference] = []
    replaced = False

    def put(match: re.Match[str]) -> str:
        nonlocal replaced
        if match.group() == "$${":
            return "${"
        value = _value(match, env)
        if isinstance(value, BadReference):
            faults.append(value)
            return ""
        replaced = True
        return value

    result = _REFERENCE.sub(put, text)
    if faults:
        return faults
    return Loose(result) if replaced else result


def _value(match: re.Match[str], env: Mapping[str, str]) -> str | BadReference:
    inside = _INSIDE.match(match["inside"])
    if inside is None or not match["end"]:
        return BadReference(
            "a `${` that does not begin a reference to an environment variable",
            "write `${NAME}` or `${NAME:-default}`, or `$${` for the two characters themselves",
        )
    name, default = inside["name"], inside["default"]
    value = env.get(name)
    if value is None and default is None:
        return BadReference(
            f"the environment variable {name} is not set",
            f"set it, or write `${{{name}:-default}}` (`$${{` for the two characters themselves)",
        )
    if value is not None and not is_unicode(value):
        return BadReference(f"the environment variable {name} is not UTF-8", MAKE_IT_UTF8)
    return default if default is not None and not value else value or ""
