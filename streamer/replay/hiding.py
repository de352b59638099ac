"""Which values of an event, and of what a route makes of it, are not for every person's eyes?

`dead_letters.sensitive` names fields: a name is hidden wherever it stands, a path (`card.number`)
where a field's path ends so. Of a payload a value is hidden where its expression names such a
field, or anything on the way to it; that what an expression makes of it (a part of it, a hash)
may tell of it too is the reason.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streamer.routing.specs import RouteSpec

HIDDEN = "(hidden)"


class Hiding:
    """The sensitive fields of a configuration."""

    def __init__(self, sensitive: Sequence[str]) -> None:
        self._endings = tuple(tuple(path.split(".")) for path in sensitive)
        names = sorted({name for path in self._endings for name in path})
        self._named = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None

    def hides(self, path: tuple[str, ...]) -> bool:
        return any(path[-len(ending) :] == ending for ending in self._endings)

    def of_event(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """The value with what is sensitive replaced; for people, so not exact in types."""
        if path and self.hides(path):
            return HIDDEN
        if isinstance(value, Mapping):
            return {str(name): self.of_event(it, (*path, str(name))) for name, it in value.items()}
        if isinstance(value, list | tuple):
            return [self.of_event(it, path) for it in value]
        if isinstance(value, bytes):
            return f"({len(value)} bytes)"
        if value is None or isinstance(value, bool | int | float | str):
            return value
        return str(value)

    def of_payload(self, payload: bytes, spec: RouteSpec | None) -> Any:
        """The payload's values, where the route's expressions name nothing sensitive."""
        made = msgspec.json.decode(payload)
        if self._named is None or not isinstance(made, dict):
            return made
        expressions = spec.payload if spec is not None else ""
        return {
            name: HIDDEN if self._hides_made(name, expressions) else self.of_event(it, (name,))
            for name, it in made.items()
        }

    def _hides_made(self, name: str, expressions: Mapping[str, str] | str) -> bool:
        assert self._named is not None
        text = expressions if isinstance(expressions, str) else expressions.get(name, "")
        return self.hides((name,)) or self._named.search(text) is not None
