"""Which types make up an Avro schema?

Source: Apache Avro 1.12 specification, "Schema Declaration".
"""

from collections.abc import Mapping
from dataclasses import dataclass


class SchemaRejected(Exception):
    """It is no Avro schema whose values can be read; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """One of the eight primitive types, with its logical type where it has a valid one."""

    kind: str
    logical: str | None = None
    scale: int = 0
    """Digits after the point, of a decimal."""


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    size: int
    """Bytes."""
    logical: str | None = None
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Enum:
    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Array:
    items: "Type"


@dataclass(frozen=True, slots=True)
class Map:
    values: "Type"


@dataclass(frozen=True, slots=True)
class Union:
    branches: tuple["Type", ...]


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: "Type"


@dataclass(frozen=True, slots=True)
class RecordType:
    name: str
    """The full name."""
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A reference by full name to a type that `Schema.named` holds."""

    name: str


NamedType = Fixed | Enum | RecordType
Type = Primitive | Fixed | Enum | Array | Map | Union | RecordType | Named


@dataclass(frozen=True, slots=True)
class Schema:
    """A complete schema: every `Named` in it is a key of `named`."""

    root: Type
    named: Mapping[str, NamedType]

    @property
    def name(self) -> str | None:
        """Full name of the root; None where the root is a union or has no name."""
        root = self.resolve(self.root)
        return root.name if isinstance(root, Fixed | Enum | RecordType) else None

    def resolve(self, declared: Type) -> Type:
        """The type itself, where `declared` only names one."""
        return self.named[declared.name] if isinstance(declared, Named) else declared
