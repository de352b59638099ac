"""Which nodes does a YAML text have, and on which line is each?

Built from the parser's events rather than by a YAML library's constructor: every node keeps its
line, nothing is ever executed, and an alias is the node that it names, not a copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from streamer.errors import Finding

MAX_DEPTH = 40  # the deepest real key is six levels down
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it is built


class Unreadable(Exception):
    """The text cannot be taken in any further."""

    def __init__(self, where: str, found: str, do: str) -> None:
        super().__init__(found)
        self.finding = Finding(where, found, do)


@dataclass(frozen=True, slots=True)
class ScalarNode:
    line: int
    text: str
    is_plain: bool
    tag: str | None


@dataclass(slots=True)
class ListNode:
    line: int
    items: list["Node"]


@dataclass(slots=True)
class MapNode:
    line: int
    entries: list[tuple["Node", "Node"]]


Node = ScalarNode | ListNode | MapNode


class _Composer:
    """Makes nodes of events; an alias is the node it names, not a copy."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node:
        """The one document of the text; an empty text is an empty scalar."""
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return ScalarNode(1, "", True, None)
        root = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._unreadable(event, "a second document begins here", "keep one document")
        return root

    def _unreadable(self, event: Any, found: str, do: str) -> Unreadable:
        return Unreadable(f"{self._file}:{event.start_mark.line + 1}", found, do)

    def _node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._unreadable(
                event, f"values are nested deeper than {MAX_DEPTH} levels", "take levels out"
            )
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        line = event.start_mark.line + 1
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = ScalarNode(line, event.value, event.implicit[0], event.tag)
        else:
            if event.tag is not None and event.tag != "!":
                raise self._unreadable(
                    event, f"the tag {event.tag} has no meaning here", "take the tag out"
                )
            node = self._collection(event, line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _collection(self, event: Any, line: int, depth: int) -> Node:
        items = []
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        end = yaml.MappingEndEvent if is_mapping else yaml.SequenceEndEvent
        while not isinstance(event := next(self._events), end):
            items.append(self._node(event, depth + 1))
        if not is_mapping:
            return ListNode(line, items)
        return MapNode(line, list(zip(items[::2], items[1::2], strict=True)))

    def _aliased(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._unreadable(
                event,
                f"the alias *{event.anchor} names no anchor that ended before it",
                f"write `&{event.anchor}` at the value that is meant",
            )
        return node


def read_nodes(text: str, file: str) -> Node:
    """The one document of the text. Raises Unreadable, with the finding that says where."""
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER), file).document()
    except yaml.YAMLError as error:
        raise _syntax(error, file) from None


def _syntax(error: yaml.YAMLError, file: str) -> Unreadable:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = file if mark is None else f"{file}:{mark.line + 1}:{mark.column + 1}"
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it ends early"
    return Unreadable(
        where,
        f"this is not YAML: {problem}",
        "mend the line (or the one before it): indentation by spaces, `key: value`, and quotes"
        " around text that begins with a special character or holds `: ` or ` #`",
    )
