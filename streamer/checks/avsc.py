"""How does a schema that was read look as JSON, with all that it builds on written into it?"""

from typing import Any

from streamer.decoding.schema import (
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Primitive,
    RecordType,
    Schema,
    Type,
    Union,
)


def as_json(schema: Schema) -> Any:
    """An Avro schema in which each named type is declared where it is first met.

    Logical types are left out: it is made to look field names up in.
    """
    return _Writer(schema).written(schema.root)


class _Writer:
    def __init__(self, schema: Schema) -> None:
        self._named = schema.named
        self._declared: set[str] = set()

    def written(self, declared: Type) -> Any:
        match declared:
            case Primitive(kind=kind):
                return kind
            case Array(items=items):
                return {"type": "array", "items": self.written(items)}
            case Map(values=values):
                return {"type": "map", "values": self.written(values)}
            case Union(branches=branches):
                return [self.written(branch) for branch in branches]
            case Named(name=name):
                return self._once(self._named[name])
            case Fixed() | Enum() | RecordType():
                return self._once(declared)

    def _once(self, declared: Fixed | Enum | RecordType) -> Any:
        if declared.name in self._declared:
            return declared.name
        self._declared.add(declared.name)
        match declared:
            case Fixed(name=name, size=size):
                return {"type": "fixed", "name": name, "size": size}
            case Enum(name=name, symbols=symbols):
                return {"type": "enum", "name": name, "symbols": list(symbols)}
            case RecordType(name=name, fields=fields):
                return {
                    "type": "record",
                    "name": name,
                    "fields": [self._field(field) for field in fields],
                }

    def _field(self, field: Field) -> dict[str, Any]:
        return {"name": field.name, "type": self.written(field.type)}
