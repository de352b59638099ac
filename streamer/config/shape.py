"""Which keys are known at a path of the configuration?"""

import difflib
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamer.config.section import leaves
from streamer.config.settings import Settings
from streamer.config.tree import Path


def annotation_at(path: Iterable[str | int]) -> Any | None:
    """The type that a value at the path must have; None where no such key is known."""
    annotation: Any = Settings
    for step in path:
        annotation = _below(annotation, step)
        if annotation is None:
            return None
    return annotation


def field_at(path: Path) -> FieldInfo | None:
    """The field that the path names; None where it is none (a list's item, a map's value)."""
    if not path:
        return None
    for section in sections(annotation_at(path[:-1])):
        if path[-1] in section.model_fields:
            return section.model_fields[str(path[-1])]
    return None


def known_keys(path: Path) -> list[str]:
    """The keys that the map at the path may have, in the order of the documentation."""
    return [key for section in sections(annotation_at(path)) for key in section.model_fields]


def nearest(key: str, known: list[str]) -> str | None:
    """The known key that was probably meant."""
    plain = key.lower().replace("-", "_")
    if plain in known:
        return plain
    matches = difflib.get_close_matches(plain[:64], known, n=1, cutoff=0.6)
    return matches[0] if matches else None


def sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections among an annotation's types."""
    return [
        leaf
        for leaf in leaves(annotation)
        if isinstance(leaf, type) and issubclass(leaf, BaseModel)
    ]


def _below(annotation: Any, step: str | int) -> Any | None:
    for leaf in leaves(annotation):
        origin = get_origin(leaf)
        if origin in (list, tuple) and isinstance(step, int):
            return get_args(leaf)[0]
        if origin is dict and isinstance(step, str):
            return get_args(leaf)[1]
    for section in sections(annotation):
        if step in section.model_fields:
            field = section.model_fields[str(step)]
            return field.annotation
    return None
