"""Which schema does a text declare?

The text is a stranger's: every shape of it ends in a `Schema` or in `SchemaRejected`, within
bounded time, depth and size. Defaults, aliases, docs and orders are not looked at, since a
writer's schema is read for the layout of bytes alone; what a specification would forbid but
leaves the layout clear (a default of the wrong type, a field name with a dot) is accepted.

Source: Apache Avro 1.12 specification, "Schema Declaration" and "Logical Types".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar

from streamer.decoding.schema import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    NamedType,
    Primitive,
    RecordType,
    Schema,
    SchemaRejected,
    Type,
    Union,
)

# Larger than any schema seen in public collections (the largest are some hundred kilobytes); the
# bounds keep the time for one hostile schema near a second.
MAX_TEXT = 1 << 20
MAX_TYPES = 10_000
MAX_NESTING = 64
MAX_NAME = 512
MAX_FIXED = (1 << 31) - 1  # what Avro's own implementation in Java can hold
# Digits after the point beyond which no number of a domain goes (a decimal128 has 6,144).
MAX_SCALE = 6_144

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

_LOGICAL_OF = {
    "int": {"date", "time-millis"},
    "long": {
        "time-micros",
        "timestamp-millis",
        "timestamp-micros",
        "timestamp-nanos",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "local-timestamp-nanos",
    },
    "string": {"uuid"},
    "bytes": {"decimal"},
    "fixed": {"decimal", "uuid", "duration"},
}
_FIXED_SIZE_OF = {"uuid": 16, "duration": 12}

_N = TypeVar("_N", Fixed, Enum, RecordType)


class UnknownName(SchemaRejected):
    """The schema uses a type that is declared neither in it nor in its references."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(f"{path}: the type {_shown(name)} is declared nowhere")
        self.path = path
        self.name = name


def parse_schema(text: str, references: Sequence[str] = ()) -> Schema:
    """The schema that `text` declares; `references` are the texts that it builds on, in an order
    in which each comes after those that it builds on itself. Raises `SchemaRejected`."""
    parser = _Parser()
    for reference in references:
        parser.parse(load_json(reference), "", "reference", 0)
    root = parser.parse(load_json(text), "", "schema", 0)
    return Schema(root, parser.named)


def load_json(text: str) -> Any:
    """The JSON value of a schema's text. Raises `SchemaRejected`."""
    if len(text) > MAX_TEXT:
        raise SchemaRejected(f"the schema has {len(text)} characters, more than {MAX_TEXT}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaRejected(
            f"line {error.lineno}, column {error.colno}: it is not JSON ({error.msg})"
        ) from None
    except RecursionError:
        raise SchemaRejected(f"it is nested deeper than {MAX_NESTING} levels") from None
    except ValueError:
        # An integer with more digits than Python reads.
        raise SchemaRejected("it is not JSON that can be read (a number is too long)") from None


def declared_names(node: Any) -> list[str]:
    """Full name of the type that the JSON of a schema declares at its top, of each one for a
    list; empty where there is none."""
    tops = node if isinstance(node, list) else [node]
    names = []
    for top in tops:
        if isinstance(top, dict) and _is_name(top.get("name")):
            names.append(_full_name(top["name"], top.get("namespace"), "")[1])
    return names


@dataclass(slots=True)
class _Parser:
    """Collects the named types of one schema and its references."""

    named: dict[str, NamedType] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    """Records whose fields are being read: a field may refer to them."""
    types: int = 0

    def parse(self, node: Any, namespace: str, path: str, depth: int) -> Type:
        self.types += 1
        if self.types > MAX_TYPES:
            raise SchemaRejected(f"it declares more than {MAX_TYPES} types")
        if depth > MAX_NESTING:
            raise SchemaRejected(f"it is nested deeper than {MAX_NESTING} levels")
        if isinstance(node, str):
            return self._by_name(node, namespace, path)
        if isinstance(node, list):
            return self._union(node, namespace, path, depth)
        if isinstance(node, dict):
            return self._declared(node, namespace, path, depth)
        raise SchemaRejected(f"{path}: a type is text, a list or an object, not {_kind(node)}")

    def _by_name(self, name: str, namespace: str, path: str) -> Type:
        if name in PRIMITIVES:
            return Primitive(name)
        candidates = [f"{namespace}.{name}"] if namespace and "." not in name else []
        for full_name in [*candidates, name]:
            if full_name in self.named or full_name in self.open:
                return Named(full_name)
        raise UnknownName(path, candidates[0] if candidates else name)

    def _union(self, nodes: list[Any], namespace: str, path: str, depth: int) -> Union:
        branches = []
        for number, node in enumerate(nodes):
            branch = self.parse(node, namespace, f"{path}[{number}]", depth + 1)
            if isinstance(branch, Union):
                raise SchemaRejected(f"{path}[{number}]: a union stands directly in a union")
            branches.append(branch)
        return Union(tuple(branches))

    def _declared(self, node: dict[str, Any], namespace: str, path: str, depth: int) -> Type:
        kind = node.get("type")
        match kind:
            case "record" | "error":
                return self._record(node, namespace, path, depth)
            case "enum":
                return self._enum(node, namespace, path)
            case "fixed":
                return self._fixed(node, namespace, path)
            case "array":
                items = self._member(node, "items", path)
                return Array(self.parse(items, namespace, f"{path}.items", depth + 1))
            case "map":
                values = self._member(node, "values", path)
                return Map(self.parse(values, namespace, f"{path}.values", depth + 1))
            case str() if kind in PRIMITIVES:
                return Primitive(kind, *_logical(node, kind, None))
            case None:
                raise SchemaRejected(f"{path}: the object has no `type`")
            case _:
                return self.parse(kind, namespace, f"{path}.type", depth + 1)

    def _record(
        self, node: dict[str, Any], namespace: str, path: str, depth: int
    ) -> RecordType | Named:
        inner, name = self._declare(node, namespace, path)
        fields = self._member(node, "fields", path)
        if not isinstance(fields, list):
            raise SchemaRejected(f"{path}.fields: it is {_kind(fields)}, not a list")
        self.open.add(name)
        read: dict[str, Field] = {}
        for number, each in enumerate(fields):
            where = f"{path}.fields[{number}]"
            if not isinstance(each, dict) or not _is_name(each.get("name")):
                raise SchemaRejected(f"{where}: a field is an object with a name")
            if each["name"] in read:
                raise SchemaRejected(f"{where}: the record has two fields of this name")
            declared = self._member(each, "type", where)
            kind = self.parse(declared, inner, f"{where}.type", depth + 1)
            read[each["name"]] = Field(each["name"], kind)
        self.open.discard(name)
        return self._keep(RecordType(name, tuple(read.values())), path)

    def _enum(self, node: dict[str, Any], namespace: str, path: str) -> Enum | Named:
        _, name = self._declare(node, namespace, path)
        symbols = self._member(node, "symbols", path)
        if not isinstance(symbols, list) or not all(map(_is_name, symbols)):
            raise SchemaRejected(f"{path}.symbols: it is no list of names")
        return self._keep(Enum(name, tuple(symbols)), path)

    def _fixed(self, node: dict[str, Any], namespace: str, path: str) -> Fixed | Named:
        _, name = self._declare(node, namespace, path)
        size = self._member(node, "size", path)
        if type(size) is not int or not 0 <= size <= MAX_FIXED:
            raise SchemaRejected(f"{path}.size: it is no whole number from 0 to {MAX_FIXED}")
        return self._keep(Fixed(name, size, *_logical(node, "fixed", size)), path)

    def _declare(self, node: dict[str, Any], namespace: str, path: str) -> tuple[str, str]:
        """Namespace for the types inside, and the full name."""
        name = self._member(node, "name", path)
        if not _is_name(name):
            raise SchemaRejected(f"{path}.name: it is no name")
        inner, full_name = _full_name(name, node.get("namespace"), namespace)
        if full_name in self.open:
            raise SchemaRejected(f"{path}: the type {_shown(full_name)} is declared inside itself")
        return inner, full_name

    def _keep(self, declared: _N, path: str) -> _N | Named:
        known = self.named.get(declared.name)
        if known is None:
            self.named[declared.name] = declared
            return declared
        # Two references may both carry a type that they share.
        if known == declared:
            return Named(declared.name)
        raise SchemaRejected(f"{path}: the type {_shown(declared.name)} is declared twice")

    @staticmethod
    def _member(node: dict[str, Any], key: str, path: str) -> Any:
        if key not in node:
            raise SchemaRejected(f"{path}: the object has no `{key}`")
        return node[key]


def _is_name(name: object) -> TypeGuard[str]:
    """More than the specification allows, and little enough to stand in texts for people."""
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= MAX_NAME


def _full_name(name: str, declared: Any, enclosing: str) -> tuple[str, str]:
    """(namespace, full name) of a type that is declared with `name` inside `enclosing`."""
    if "." in name:
        return name.rpartition(".")[0], name
    namespace = declared if _is_name(declared) or declared == "" else enclosing
    return namespace, f"{namespace}.{name}" if namespace else name


def _logical(node: dict[str, Any], kind: str, size: int | None) -> tuple[str | None, int]:
    """The logical type with its scale; an unknown or invalid one is none, as the specification
    has it, and the value then arrives as its underlying type."""
    logical = node.get("logicalType")
    if not isinstance(logical, str) or logical not in _LOGICAL_OF.get(kind, ()):
        return None, 0
    if logical != "decimal":
        fits = size is None or size == _FIXED_SIZE_OF.get(logical)
        return (logical, 0) if fits else (None, 0)
    precision, scale = node.get("precision"), node.get("scale", 0)
    if type(precision) is not int or type(scale) is not int:
        return None, 0
    return (
        ("decimal", scale) if 0 <= scale <= min(precision, MAX_SCALE) and precision else (None, 0)
    )


def _kind(node: object) -> str:
    match node:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def _shown(name: str) -> str:
    """A name from a stranger's schema, short and on one line."""
    return ascii(name if len(name) <= MAX_NAME else name[:MAX_NAME] + "...")
