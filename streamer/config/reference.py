"""How does the table of all keys in `docs/configuration.md` read?

Run as a module with the page's path, it puts the table into the page, between the two markers.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamer.config.quantities import Duration, Quota, Size
from streamer.config.secrets import Secret
from streamer.config.section import leaves
from streamer.config.settings import Settings
from streamer.config.shape import sections

BEGIN = "<!-- reference: made by `python -m streamer.config.reference`, do not edit -->"
END = "<!-- reference: end -->"

_TYPES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    Secret: "secret",
    Duration: "duration",
    Size: "size",
    Quota: "quota",
}
_EXPRESSIONS = frozenset(
    f"routes[].{key}" for key in ("when", "instance", "entity", "idempotency", "payload")
) | {
    "routes[].idempotency.value",
    "routes[].on_tombstone.entity",
    "routes[].on_tombstone.instance",
}


def reference() -> str:
    """A table for each section: key, type, default, meaning and example, as Markdown."""
    lines: list[str] = []
    for title, section in _sections(Settings, ""):
        lines += [f"### `{title}`" if title else "### Top level", ""]
        lines += ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
        for key, field in section.model_fields.items():
            name = f"{title}.{key}" if title else key
            cells = (
                f"`{name}`",
                _type(name, field.annotation),
                _default(field),
                _cell(field.description or ""),
                _example(field),
            )
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def put_into(page: str) -> str:
    """The page with its table made anew; ValueError where it has no markers."""
    before, found_begin, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError(f"the page has no line {BEGIN!r} with a line {END!r} after it")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _sections(section: type[BaseModel], title: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield title, section
    for key, field in section.model_fields.items():
        name = f"{title}.{key}" if title else key
        for leaf in leaves(field.annotation):
            if get_origin(leaf) is list:
                for inner in sections(get_args(leaf)[0]):
                    yield from _sections(inner, f"{name}[]")
        for inner in sections(field.annotation):
            yield from _sections(inner, name)


def _type(name: str, annotation: Any) -> str:
    if name in _EXPRESSIONS:
        return {
            "routes[].payload": "map of expressions, or expression",
            "routes[].idempotency": "expression, or map",
        }.get(name, "expression")
    return ", or ".join(sorted(_leaf(leaf) for leaf in leaves(annotation)))


def _leaf(leaf: Any) -> str:
    origin = get_origin(leaf)
    if origin is Literal:
        return ", ".join(f"`{str(value).lower()}`" for value in get_args(leaf))
    if origin is list:
        inner = get_args(leaf)[0]
        return "list of " + ("maps and file names" if sections(inner) else "text")
    if origin is dict:
        return "map of " + ("maps" if sections(get_args(leaf)[1]) else "text")
    return _TYPES.get(leaf, "map")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None:
        return "empty" if get_origin(field.annotation) is dict else "see below"
    value = field.default
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _example(field: FieldInfo) -> str:
    return ", ".join(f"`{_cell(_yaml(example))}`" for example in field.examples or [])


def _yaml(example: object) -> str:
    if isinstance(example, str):
        return f'"{example}"' if "{" in example else example
    return json.dumps(example)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(put_into(target.read_text(encoding="utf-8")), encoding="utf-8")
