"""Which characters of a text reach a terminal?

A header, a field of an event or an answer of the endpoint may hold anything: line ends that would
make rows of their own, sequences that move a terminal's cursor, halves of surrogate pairs that no
output takes. They are shown as Python writes them.
"""

import json
import re
from typing import Any


def printable(text: str) -> str:
    """One line, in which each character that does not print is spelled out: `\\x1b`, `\\n`."""
    if text.isprintable():
        return text
    return "".join(it if it.isprintable() else _spelled(it) for it in text)


def json_text(value: Any, indent: int | None = None) -> str:
    """The value as JSON whose texts are printable; with `indent` on several lines."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Outside of texts JSON has no character but line ends that would not print.
    return text if text.isprintable() else re.sub(r"[^\n]", _json_escape, text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _json_escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]
