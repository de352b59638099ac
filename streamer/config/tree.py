"""Which values stand in a YAML file, and on which line is each?

A key that stands twice is a fault, references to the environment are replaced, and what aliases
expand to is bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamer.config.nodes import (
    MAX_DEPTH,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    Unreadable,
    read_nodes,
)
from streamer.config.scalars import Loose, interpolate, plain, refers
from streamer.errors import Finding

Path = tuple[str | int, ...]

MAX_EXPANDED = 100_000  # values that aliases may add: what a "billion laughs" file would pass
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands."""

    file: str
    line: int | None
    field: str

    def __str__(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        return f"{self.file}{line}: {self.field}" if self.field else f"{self.file}{line}"

    def child(self, step: str | int) -> "Mark":
        """The same place, one step further down."""
        return Mark(self.file, self.line, join(self.field, step))

    def under(self, name: str) -> "Mark":
        """The same place, its field named as a part of `name`."""
        separator = "." if self.field and not self.field.startswith("[") else ""
        return Mark(self.file, self.line, f"{name}{separator}{self.field}")


@dataclass(slots=True)
class Tree:
    """Plain values (dict, list, str, int, float, bool, None) with a mark for each path."""

    value: Any
    marks: dict[Path, Mark]
    findings: list[Finding] = field(default_factory=list)
    faulty: set[Path] = field(default_factory=set)
    """Paths that a finding names already, so that no second one follows from the first."""

    grafts: dict[Path, tuple["Tree", Path]] = field(default_factory=dict)
    """Paths whose values were taken from another tree, at another path: routes of route files."""

    def mark(self, path: Path) -> Mark:
        """The place of the path, or of its nearest parent with the rest of the path added."""
        graft = self._graft(path)
        if graft is not None:
            return graft[0].mark(graft[1])
        for length in range(len(path), -1, -1):
            mark = self.marks.get(path[:length])
            if mark is not None:
                for step in path[length:]:
                    mark = mark.child(step)
                return mark
        return Mark("", None, "")

    def fault(self, path: Path, found: str, do: str) -> None:
        """Notes a fault of the value at the path, unless one is noted there already."""
        if not self.is_faulty(path):
            self.faulty.add(path)
            self.findings.append(Finding(str(self.mark(path)), found, do))

    def is_faulty(self, path: Path) -> bool:
        """Whether a finding names the path itself."""
        graft = self._graft(path)
        return path in self.faulty or (graft is not None and graft[0].is_faulty(graft[1]))

    def is_faulty_below(self, path: Path) -> bool:
        """Whether a finding names the path or anything below it."""
        graft = self._graft(path)
        return any(fault[: len(path)] == path for fault in self.faulty) or (
            graft is not None and graft[0].is_faulty_below(graft[1])
        )

    def _graft(self, path: Path) -> tuple["Tree", Path] | None:
        for length in range(1, len(path) + 1) if self.grafts else ():
            found = self.grafts.get(path[:length])
            if found is not None:
                return found[0], (*found[1], *path[length:])
        return None


def join(name: str, step: str | int) -> str:
    """A field's name one step further down: `routes[3]`, `kafka.group_id`."""
    if isinstance(step, int):
        return f"{name}[{step}]"
    return f"{name}.{step}" if name else step


def read_yaml(
    text: str, file: str, env: Mapping[str, str], top: str = "", *, loose: bool = False
) -> Tree:
    """The values of a YAML text, its references to the environment replaced.

    `top` names the field that the text as a whole is; `loose`: the text itself comes from the
    environment, so that its scalars are typed by their fields and never shown. Faults are in the
    tree's findings; a text that cannot be parsed gives a tree with the value None and the finding
    that says where.
    """
    tree = Tree(None, {(): Mark(file, 1, top)})
    try:
        root = read_nodes(text, file)
        _Builder(tree, env, file, loose).build(root, (), tree.marks[()])
    except Unreadable as fault:
        tree.findings.append(fault.finding)
        tree.value = None
    return tree


class _Builder:
    """Makes values of nodes and marks each path."""

    def __init__(self, tree: Tree, env: Mapping[str, str], file: str, loose: bool) -> None:
        self._tree = tree
        self._env = env
        self._file = file
        self._loose = loose
        self._seen: set[int] = set()
        self._expanded = 0
        self._merging = 0

    def build(self, node: Node, path: Path, mark: Mark) -> None:
        self._tree.value = self._value(node, path, mark)

    def _value(self, node: Node, path: Path, mark: Mark) -> Any:
        self._tree.marks[path] = mark
        self._count(node, path, mark)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, ListNode):
            return [
                self._value(
                    item, (*path, index), Mark(self._file, item.line, join(mark.field, index))
                )
                for index, item in enumerate(node.items)
            ]
        return self._mapping(node, path, mark)

    def _count(self, node: Node, path: Path, mark: Mark) -> None:
        if id(node) in self._seen:
            self._expanded += 1
        self._seen.add(id(node))
        if self._expanded > MAX_EXPANDED or len(path) + self._merging > MAX_DEPTH:
            raise Unreadable(
                f"{self._file}:{mark.line}",
                f"aliases expand to more than {MAX_EXPANDED} values or {MAX_DEPTH} levels",
                "write the values out, or name fewer of them by alias",
            )

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        if node.tag is not None and node.tag not in _TEXT_TAGS:
            self._tree.fault(path, f"the tag {node.tag} has no meaning here", "take the tag out")
            return None
        if self._loose:
            return Loose(node.text)
        text: Any = node.text
        if refers(node.text):
            text = interpolate(node.text, self._env)
            if isinstance(text, list):
                for fault in text:
                    self._tree.findings.append(
                        Finding(str(self._tree.mark(path)), fault.found, fault.do)
                    )
                self._tree.faulty.add(path)
                return Loose("")
            return text
        return plain(node.text) if node.is_plain else node.text

    def _mapping(self, node: MapNode, path: Path, mark: Mark) -> dict[str, Any]:
        result = self._merged(node, path, mark)
        own: dict[str, int] = {}
        for key, value in node.entries:
            if not isinstance(key, ScalarNode):
                self._tree.fault(path, "a key is a list or a map", "write keys as text")
            elif key.text in own:
                self._tree.findings.append(
                    Finding(
                        str(Mark(self._file, key.line, join(mark.field, key.text))),
                        f"the key `{key.text}` stands here a second time (the first is in line"
                        f" {own[key.text]})",
                        "keep one of the two",
                    )
                )
            elif not _is_merge(key):
                own[key.text] = key.line
                place = Mark(self._file, key.line, join(mark.field, key.text))
                result[key.text] = self._value(value, (*path, key.text), place)
        return result

    def _merged(self, node: MapNode, path: Path, mark: Mark) -> dict[str, Any]:
        """What `<<` brings in; of several maps the first that has a key wins."""
        result: dict[str, Any] = {}
        for key, value in node.entries:
            if not _is_merge(key):
                continue
            for item in value.items if isinstance(value, ListNode) else [value]:
                if not isinstance(item, MapNode):
                    self._tree.fault(
                        (*path, "<<"), "`<<` merges what is no map", "name a map by its alias"
                    )
                    continue
                self._merging += 1
                self._count(item, path, mark)
                for name, merged in self._mapping(item, path, mark).items():
                    result.setdefault(name, merged)
                self._merging -= 1
        return result


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.is_plain and key.text == "<<"
