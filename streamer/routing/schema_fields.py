"""Which fields has an Avro schema, and what stands behind a name in it?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Schema = Any
"""An Avro schema as JSON has it, or as `fastavro` parses it: a name, a list, or a map."""


class Node(NamedTuple):
    """A schema and the namespace that its names are read in."""

    schema: Schema
    namespace: str


class Schemas:
    """One writer schema with all the named types inside it."""

    def __init__(self, schema: Schema) -> None:
        self._named: dict[str, Node] = {}
        self._collect(schema, "")
        self.root = Node(schema, "")

    @property
    def full_name(self) -> str:
        """The record's full name; empty where the schema is no named type."""
        schema = self.root.schema
        return _full_name(schema, "") if isinstance(schema, Mapping) and "name" in schema else ""

    def _collect(self, schema: Schema, namespace: str) -> None:
        waiting = [(schema, namespace)]
        while waiting:
            inner, space = waiting.pop()
            if isinstance(inner, Mapping):
                if "name" in inner and inner.get("type") in ("record", "error", "enum", "fixed"):
                    name = _full_name(inner, space)
                    space = name.rpartition(".")[0]
                    self._named.setdefault(name, Node(inner, space))
                waiting += [(part, space) for part in _parts(inner)]
            elif isinstance(inner, list):
                waiting += [(branch, space) for branch in inner]

    def alternatives(self, node: Node) -> Iterator[Node]:
        """What a value may be: a union's branches but null, with names looked up."""
        waiting, seen = [node], 0
        while waiting and seen < _MOST_ALTERNATIVES:
            seen += 1
            schema, space = waiting.pop()
            if isinstance(schema, list):
                waiting += [Node(branch, space) for branch in reversed(schema)]
            elif isinstance(schema, Mapping):
                inner = schema.get("type")
                if isinstance(inner, Mapping | list):
                    waiting.append(Node(inner, space))
                else:
                    yield self._inside(schema, space)
            elif schema != "null":
                yield self._named_node(str(schema), space)

    def _inside(self, schema: Mapping[str, Any], space: str) -> Node:
        """A named type's own names are read in its namespace."""
        if "name" in schema:
            return Node(schema, _full_name(schema, space).rpartition(".")[0])
        inner = schema.get("type")
        if isinstance(inner, str) and inner not in _BUILT_IN:
            return self._named_node(inner, space)
        return Node(schema, space)

    def _named_node(self, name: str, space: str) -> Node:
        full = name if "." in name or not space else f"{space}.{name}"
        return self._named.get(full) or self._named.get(name) or Node(name, space)


_MOST_ALTERNATIVES = 1000
"""Steps through a union's branches and the types behind them: no schema goes on for ever."""

_BUILT_IN = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"} | {
    "record", "error", "enum", "array", "map", "fixed"
}  # fmt: skip


def fields_of(node: Node) -> dict[str, Node] | None:
    """A record's fields by name; None for what is no record."""
    schema = node.schema
    if not isinstance(schema, Mapping) or schema.get("type") not in ("record", "error"):
        return None
    return {field["name"]: Node(field["type"], node.namespace) for field in schema["fields"]}


def items_of(node: Node) -> Node | None:
    """What an array holds."""
    return _held(node, "array", "items")


def values_of(node: Node) -> Node | None:
    """What a map holds."""
    return _held(node, "map", "values")


def kind_of(node: Node) -> str:
    """What a reader of the schema calls it: its logical type, or its type."""
    schema = node.schema
    if not isinstance(schema, Mapping):
        return str(schema)
    return str(schema.get("logicalType") or schema.get("type"))


def is_text(node: Node) -> bool:
    """Whether its values are texts or UUIDs; so is what is not known to be something else."""
    schema = node.schema
    kind = schema.get("type") if isinstance(schema, Mapping) else schema
    return kind in ("string", "enum") or kind not in _BUILT_IN or kind_of(node) == "uuid"


def _held(node: Node, kind: str, part: str) -> Node | None:
    schema = node.schema
    if isinstance(schema, Mapping) and schema.get("type") == kind and part in schema:
        return Node(schema[part], node.namespace)
    return None


def _parts(schema: Mapping[str, Any]) -> Sequence[Schema]:
    parts = [schema[part] for part in ("items", "values") if part in schema]
    if isinstance(schema.get("type"), Mapping | list):
        parts.append(schema["type"])
    fields = schema.get("fields")
    if isinstance(fields, list):
        parts += [field["type"] for field in fields if isinstance(field, Mapping)]
    return parts


def _full_name(schema: Mapping[str, Any], space: str) -> str:
    name = str(schema["name"])
    if "." in name:
        return name
    own = schema.get("namespace", space)
    return f"{own}.{name}" if own else name
