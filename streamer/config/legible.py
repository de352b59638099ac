"""What of a route that is wrong as a whole can be looked at all the same?

Its expressions, each where it is text: so a fault in one key hides none in another.
"""

from collections.abc import Iterator
from typing import Any

from streamer.config.tree import Path, Tree
from streamer.errors import Finding
from streamer.routing.keys import is_guid
from streamer.routing.language.syntax import check
from streamer.routing.specs import Idempotency, OnTombstone, RouteSpec

_GUID_TOO = ("instance", "on_tombstone.instance")
"""Keys that take a GUID as it is."""


def legible_route(tree: Tree, index: int) -> RouteSpec:
    """The route with what can be read of it; the rest as if it were left out. Not to be compiled.

    Findings of its expressions are added to the tree.
    """
    route = _Route(tree, index)
    for place, path, text in route.expressions():
        if place in _GUID_TOO and is_guid(text.strip()):
            continue
        outcome = check(text)
        for problem in outcome if isinstance(outcome, list) else ():
            found = f"the expression at {problem.place}: {problem.found}"
            tree.findings.append(Finding(str(tree.mark(path)), found, problem.do))
    return route.spec()


class _Route:
    def __init__(self, tree: Tree, index: int) -> None:
        self._tree = tree
        self._path: Path = ("routes", index)
        self._value: Any = tree.value["routes"][index]

    def expressions(self) -> Iterator[tuple[str, Path, str]]:
        """Each with its name in findings and its path."""
        for steps in self._expression_steps():
            text = self._text(*steps)
            if text is not None:
                # The long form of `idempotency` is named as the short one.
                name = "idempotency" if steps[0] == "idempotency" else ".".join(map(str, steps))
                yield name, (*self._path, *steps), text

    def _expression_steps(self) -> Iterator[tuple[str, ...]]:
        yield from (("when",), ("instance",), ("entity",), ("idempotency",), ("payload",))
        yield from (("idempotency", "value"), ("on_tombstone", "entity"))
        yield ("on_tombstone", "instance")
        payload = self._value.get("payload") if isinstance(self._value, dict) else None
        if isinstance(payload, dict):
            yield from (("payload", str(key)) for key in payload)

    def _text(self, *steps: str) -> str | None:
        """What stands there, if it is text and nothing is said against it yet."""
        value = self._value
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        path = (*self._path, *steps)
        if any(self._tree.is_faulty(path[:length]) for length in range(3, len(path) + 1)):
            return None
        return value if isinstance(value, str) and value.strip() else None

    def spec(self) -> RouteSpec:
        texts = {name: text for name, _, text in self.expressions()}
        places = {name: str(self._tree.mark(path)) for name, path, _ in self.expressions()}
        payload = {
            name.removeprefix("payload."): text
            for name, text in texts.items()
            if name.startswith("payload.")
        }
        value, entity = texts.get("idempotency"), texts.get("on_tombstone.entity")
        return RouteSpec(
            name=self._text("name") or "",
            topics=self._topics(),
            event=self._text("event"),
            when=texts.get("when"),
            instance=texts.get("instance"),
            entity=texts.get("entity"),
            idempotency=None if value is None else Idempotency(value, False),
            payload=texts.get("payload", payload),
            on_tombstone=None if entity is None else OnTombstone("", entity),
            where=str(self._tree.mark(self._path)),
            places={**places, "event": str(self._tree.mark((*self._path, "event")))},
        )

    def _topics(self) -> tuple[str, ...]:
        one = self._text("topic")
        given = self._value.get("topics") if isinstance(self._value, dict) else None
        several = given if isinstance(given, list) and one is None else []
        faulty = self._tree.is_faulty_below((*self._path, "topics"))
        return (one,) if one else tuple(it for it in several if isinstance(it, str) and not faulty)
