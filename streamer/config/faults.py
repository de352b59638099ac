"""How does a fault that pydantic found read for an operator?"""

from typing import Any

from pydantic_core import ErrorDetails

from streamer.config.quantities import describe
from streamer.config.routes import MAP_FORM, TEXT_FORM
from streamer.config.scalars import Loose
from streamer.config.shape import field_at, known_keys, nearest
from streamer.config.tree import Path, Tree

_WANTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "`true` or `false`",
    "dict_type": "a map of keys",
    "model_type": "a map of keys",
    "model_attributes_type": "a map of keys",
    "list_type": "a list",
}
_TOO_SMALL = ("greater_than_equal", "greater_than")
_TOO_BIG = ("less_than_equal", "less_than")
_FORMS = (TEXT_FORM, MAP_FORM, "[key]")  # the last: the name of a map's entry, not its value
_ABSENT = object()


def note(tree: Tree, errors: list[ErrorDetails], prefix: Path = ()) -> None:
    """Adds a finding for each error to the tree; `prefix` is where the errors' paths start."""
    # Unknown keys first: the known key that one was meant to be is not reported as missing too.
    for error in sorted(errors, key=lambda error: error["type"] != "extra_forbidden"):
        path = _path(tree, prefix, error["loc"])
        if any(tree.is_faulty(path[:length]) for length in range(1, len(path) + 1)):
            continue
        found, do = _told(tree, path, error)
        tree.fault(path, found, do)
        if error["type"] == "extra_forbidden":
            meant = nearest(str(path[-1]), known_keys(path[:-1]))
            # One that stands there too has faults of its own.
            if meant is not None and _value_at(tree, (*path[:-1], meant)) is _ABSENT:
                tree.faulty.add((*path[:-1], meant))


def _path(tree: Tree, prefix: Path, steps: Path) -> Path:
    """The path without the names of forms, unless the file really has such a key."""
    path = prefix
    for step in steps:
        if step not in _FORMS or _value_at(tree, (*path, step)) is not _ABSENT:
            path = (*path, step)
    return path


def _told(tree: Tree, path: Path, error: ErrorDetails) -> tuple[str, str]:
    kind = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "streamer":
        return str(context["found"]), str(context["do"])
    if kind == "missing":
        return "is missing", _example(path)
    if kind == "extra_forbidden":
        return _unknown(path)
    value = _value_at(tree, path)
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("True", "'true'").replace("False", "'false'")
        found = f"{_shown(value)} is none of the values it may have"
        keys = " and ".join(f"`{key}`" for key in known_keys(path))
        return found, "write " + allowed.replace("'", "`") + (keys and f", or a map with {keys}")
    if kind in _TOO_SMALL or kind in _TOO_BIG:
        small = kind in _TOO_SMALL
        bound = context.get("ge", context.get("le"))
        return (
            f"{_shown(value)} is too {'small' if small else 'big'}",
            f"write {bound} or {'more' if small else 'less'}",
        )
    if kind in ("string_too_short", "too_short"):
        return "is empty", _example(path)
    if kind == "string_too_long":
        return "is too long", f"write at most {context['max_length']} characters"
    wanted = _WANTED.get(kind, "another kind of value")
    given = describe(value)
    hint = ", without quotes" if kind in ("int_type", "bool_type") and given == "text" else ""
    return f"is {given}, not {wanted}", _example(path, wanted + hint)


def _unknown(path: Path) -> tuple[str, str]:
    key = str(path[-1])
    key = key if len(key) <= 64 and key.isprintable() else "the key"
    known = known_keys(path[:-1])
    meant = nearest(key, known)
    if meant is not None:
        return f"`{key}` is no known key", f"did you mean `{meant}`?"
    return f"`{key}` is no known key", "take it out; known here: " + ", ".join(known)


def _example(path: Path, wanted: str = "") -> str:
    """What to write, by the field's example."""
    field = field_at(path)
    name = str(path[-1]) if path else ""
    text = f"write {wanted}" if wanted else f"write `{name}`"
    if field is None or not field.examples:
        known = known_keys(path)
        return f"{text} with " + ", ".join(known) if known else text
    example = field.examples[0]
    if isinstance(example, dict | list):
        return text
    shown = str(example).lower() if isinstance(example, bool) else str(example)
    if "${" in shown or shown.startswith("{"):
        shown = f'"{shown}"'
    return f"{text}, such as `{name}: {shown}`"


def _value_at(tree: Tree, path: Path) -> Any:
    value = tree.value
    for step in path:
        if not isinstance(value, dict | list):
            return _ABSENT
        try:
            value = value[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return value


def _shown(value: object) -> str:
    """The value itself, for keys that hold no secret: only a short one that stands in a file."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | int | float) and not isinstance(value, Loose):
        text = str(value)
        if len(text) <= 40 and text.isprintable():
            return f"`{text}`"
    return "the value" if isinstance(value, Loose) else describe(value)
