"""Which values of an event, and of what a route makes of it, are not for every person's eyes?

`dead_letters.sensitive` names fields: a name is hidden wherever it stands, a path (`card.number`)
where a field's path ends so. Of a payload a value is hidden where its expression names such a
field, or anything on the way to it, since what an expression makes of it (a part of it, a hash)
may tell of it too; and where the field's value stands in it, since an expression may take a whole
record without naming what is in it. Entities and keys are shown where no event was read, so that
one is hidden too whose expression may take a record.
"""

import ast
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from streamer.config.loading import Loaded
from streamer.decoding.json_values import NotJson, encode_any_json
from streamer.routing.language.failures import Failure
from streamer.routing.language.syntax import Checked, check
from streamer.routing.language.texts import written
from streamer.routing.specs import RouteSpec

HIDDEN = "(hidden)"
_HASH = re.compile(r"[0-9a-f]{64}")
"""What keys are made into unless they are sent as they are."""


TOLD_FROM = 3
"""A value of fewer characters stands in many others by chance."""

_OF_SCALARS = (
    ast.Attribute,
    ast.BinOp,
    ast.Add,
    ast.Constant,
    ast.FormattedValue,
    ast.JoinedStr,
    ast.Load,
    ast.Name,
)
"""What fails where it meets a record, a list or a map: paths, their texts, and sums of them."""


class ShownOfRoutes:
    """Implements `shown.ShownValues`, by the expressions of a configuration's routes. What a route
    that is gone may have made of a sensitive field is hidden."""

    def __init__(self, loaded: Loaded) -> None:
        self._specs = {spec.name: spec for spec in loaded.route_specs}
        self._hiding = Hiding(loaded.settings.dead_letters.sensitive)

    def key(self, route: str, key: str) -> str:
        """One that a route sends as it is, is hidden where its expression names such a field."""
        return HIDDEN if key and self._hiding.hides_key(key, self._specs.get(route)) else key

    def entity(self, route: str, entity: str) -> str:
        return HIDDEN if entity and self._hiding.hides_entity(self._specs.get(route)) else entity


class Hiding:
    """The sensitive fields of a configuration."""

    def __init__(self, sensitive: Sequence[str]) -> None:
        self._endings = tuple(tuple(path.split(".")) for path in sensitive)
        names = sorted({name for path in self._endings for name in path})
        self._named = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None

    def hides(self, path: tuple[str, ...]) -> bool:
        return any(path[-len(ending) :] == ending for ending in self._endings)

    def hides_key(self, key: str, spec: RouteSpec | None) -> bool:
        """Whether the idempotency key tells a sensitive value; `spec`: of the route that made it,
        None where it is gone."""
        if self._named is None:
            return False
        if spec is None:
            return _HASH.fullmatch(key) is None
        made = spec.idempotency
        return made is not None and made.as_is is not False and self._may_tell(made.value)

    def hides_entity(self, spec: RouteSpec | None) -> bool:
        """Whether the entity tells a sensitive value; `spec` as above."""
        if self._named is None:
            return False
        if spec is None:
            return True
        made = (spec.entity, spec.on_tombstone.entity if spec.on_tombstone else None)
        return any(self._may_tell(text) for text in made if text)

    def _may_tell(self, expression: str) -> bool:
        """Whether what it makes may hold a sensitive value: it names one, or may take a record."""
        assert self._named is not None
        if self._named.search(expression) is not None:
            return True
        checked = check(expression)
        return not isinstance(checked, Checked) or not all(
            isinstance(node, _OF_SCALARS) for node in ast.walk(checked.tree)
        )

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

    def of_payload(self, payload: bytes, spec: RouteSpec | None, fields: Mapping[str, Any]) -> Any:
        """The payload's values, where the route's expressions name nothing sensitive and none of
        the event's sensitive values stands in them."""
        made = msgspec.json.decode(payload)
        if self._named is None or not isinstance(made, dict):
            return made
        expressions = spec.payload if spec is not None else ""
        told = self.values(fields)
        return {
            name: HIDDEN
            if self._hides_made(name, expressions)
            else without(self.of_event(it, (name,)), told)
            for name, it in made.items()
        }

    def values(self, value: Any, path: tuple[str, ...] = (), hidden: bool = False) -> set[str]:
        """The event's sensitive values in each text that an expression or JSON may write them in,
        those that are long enough to be told."""
        hidden = hidden or (bool(path) and self.hides(path))
        if isinstance(value, Mapping):
            parts = [self.values(it, (*path, str(name)), hidden) for name, it in value.items()]
            return set().union(*parts)
        if isinstance(value, list | tuple):
            return set().union(*(self.values(it, path, hidden) for it in value))
        if not hidden or value is None or isinstance(value, bool):
            return set()
        return {text for text in _texts(value) if len(text) >= TOLD_FROM}

    def _hides_made(self, name: str, expressions: Mapping[str, str] | str) -> bool:
        assert self._named is not None
        text = expressions if isinstance(expressions, str) else expressions.get(name, "")
        return self.hides((name,)) or self._named.search(text) is not None


def _texts(value: Any) -> Iterator[str]:
    """A scalar as Python, an expression and JSON write it, and as a payload is read again."""
    if isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
        yield value.hex()
        yield b64encode(value).decode()
        return
    yield str(value)
    with suppress(Failure):
        yield written(value)
    with suppress(NotJson):
        made = encode_any_json(value).decode()
        read = msgspec.json.decode(made)
        if isinstance(read, str):
            yield made[1:-1]
        else:
            yield from (made, str(read))


def without(value: Any, told: set[str]) -> Any:
    """The value, with texts and numbers hidden in which one of these stands."""
    if isinstance(value, Mapping):
        return {without(name, told): without(it, told) for name, it in value.items()}
    if isinstance(value, list):
        return [without(it, told) for it in value]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    return HIDDEN if any(it in text for it in told) else value
