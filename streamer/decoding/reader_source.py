"""Which Python function reads the values of one schema?

A schema is turned once into the source of a function that reads its bytes straight through, as
one would write it by hand for that schema: no look-up of types, no call but for what is rare.
That is faster than a general reader in C whose every byte is a call of `read` (measured: 2.8 µs
against 4.6 µs for nine plain fields), and it checks what such a reader does not.

Nothing of the schema gets into the source but numbers and `ascii()` literals.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.decoding import logical, primitives
from streamer.decoding.extent import VALUES_PER_BYTE, Extents
from streamer.decoding.schema import (
    Array,
    Enum,
    Fixed,
    Map,
    Named,
    Primitive,
    RecordType,
    Schema,
    Type,
    Union,
)
from streamer.decoding.values import Record

# Of one value: far above any event's, and with one Python frame a level far under the
# interpreter's own limit of 1,000.
MAX_VALUE_DEPTH = 200

# Types written into each other in one function; the compiler allows 20 nested loops.
_MAX_INLINE = 8

# Branches of a union that are tried one after the other: the first are the usual ones, and are
# found soonest so.
_MAX_CHAIN = 8

_READ_LONG = ["n = LONGS[b[p]]", "p += 1", "if n is None:", "    n, p = long_at(b, p)"]
_READ_INT = ["n = LONGS[b[p]]", "p += 1", "if n is None:", "    n, p = int_at(b, p)"]
_READ_LENGTH = ["n = LENGTHS[b[p]]", "p += 1", "if n < 0:", "    n, p = length_at(b, p)"]
_TO_END = ["q = p + n", "if q > end:", "    too_short()"]


@dataclass(frozen=True, slots=True)
class ReaderSource:
    """The source of a module with a function `read(b)`, and what it needs to run."""

    text: str
    paths: tuple[str, ...]
    """By line: the path of what it reads, from the record or value of its own function."""
    names: dict[str, Any]
    """The module's globals, but for `charge(count)`."""


def reader_source(schema: Schema) -> ReaderSource:
    """`read(b, p)` gives the value whose bytes are `b` from `p` to the end. It raises
    `Malformed`, IndexError or `struct.error` (the bytes end too early), UnicodeDecodeError.
    Raises `HoldsItself` for a schema that no value fits."""
    writer = _Writer(schema, Extents(schema), _used_more_than_once(schema))
    writer.write_module()
    return ReaderSource("\n".join(writer.lines), tuple(writer.paths), writer.names)


def _used_more_than_once(schema: Schema) -> frozenset[str]:
    """Records that stand in the schema more than once: each gets a function of its own, which
    keeps the source as short as the schema, and recursion possible."""
    seen: set[str] = set()
    repeated: set[str] = set()
    ahead: list[Type] = [schema.root]
    while ahead:
        declared = schema.resolve(ahead.pop())
        match declared:
            case RecordType():
                if declared.name in seen:
                    repeated.add(declared.name)
                    continue
                seen.add(declared.name)
                ahead.extend(each.type for each in declared.fields)
            case Array():
                ahead.append(declared.items)
            case Map():
                ahead.append(declared.values)
            case Union():
                ahead.extend(declared.branches)
            case Primitive() | Fixed() | Enum() | Named():
                pass
    return frozenset(repeated)


def _shared_names() -> dict[str, Any]:
    return {
        "LONGS": primitives.LONGS,
        "LENGTHS": primitives.LENGTHS,
        "Record": Record,
        "double_at": struct.Struct("<d").unpack_from,
        "float_at": struct.Struct("<f").unpack_from,
        "int_at": primitives.int_at,
        "left_over": primitives.left_over,
        "length_at": primitives.length_at,
        "long_at": primitives.long_at,
        "no_boolean": primitives.no_boolean,
        "no_branch": primitives.no_branch,
        "no_symbol": primitives.no_symbol,
        "sized_block_at": primitives.sized_block_at,
        "too_deep": primitives.too_deep,
        "too_short": primitives.too_short,
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the source, and for which part of the value, code is being written."""

    indent: int
    path: str
    depth: int
    """Types that this one is written into."""

    def at(self, path: str, indent: int = 0) -> "_Place":
        return _Place(self.indent + indent, self.path + path, self.depth + 1)


@dataclass(slots=True)
class _Writer:
    schema: Schema
    extents: Extents
    repeated: frozenset[str]
    names: dict[str, Any] = field(default_factory=_shared_names)
    lines: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    """Full name of a record to the name of its function."""
    waiting: list[tuple[str, Type]] = field(default_factory=list)
    """Functions that are called and not written yet."""
    numbered: int = 0

    def write_module(self) -> None:
        start = _Place(1, "", 0)
        self.emit(_Place(0, "", 0), "def read(b, p):")
        self.emit(start, "end = len(b)", "d = 0")
        root = self.schema.resolve(self.schema.root)
        if isinstance(root, Union):
            # Which of the records it is names the event, even where there is only one.
            value = self.union(root, start, wrap=True)
        else:
            value = self.value(self.schema.root, start)
        self.emit(start, "if p != end:", "    left_over(end - p)", f"return {value}")
        while self.waiting:
            name, declared = self.waiting.pop()
            self.write_function(name, declared)

    def write_function(self, name: str, declared: Type) -> None:
        self.emit(_Place(0, "", 0), f"def {name}(b, p, end, d):")
        start = _Place(1, "", 0)
        self.emit(start, f"if d > {MAX_VALUE_DEPTH}:", "    too_deep()")
        if isinstance(declared, RecordType):
            extent = self.extents.of(declared)
            if extent.is_costly and declared.name in self.repeated:
                self.emit(start, f"charge({extent.unpaid_values})")
            value = self.record(declared, start)
        else:
            value = self.value(declared, start)
        self.emit(start, f"return {value}, p")

    def emit(self, place: _Place, *lines: str) -> None:
        for line in lines:
            self.lines.append("    " * place.indent + line)
            self.paths.append(place.path)

    def fresh(self) -> str:
        self.numbered += 1
        return f"v{self.numbered}"

    def constant(self, prefix: str, value: object) -> str:
        self.numbered += 1
        name = f"{prefix}{self.numbered}"
        self.names[name] = value
        return name

    def value(self, declared: Type, place: _Place) -> str:
        """Writes what reads a value at `p` and moves `p` past it; gives the expression that the
        value is afterwards."""
        declared = self.schema.resolve(declared)
        match declared:
            case Primitive():
                return self.primitive(declared, place)
            case Fixed():
                self.emit(place, f"q = p + {declared.size}", *_TO_END[1:])
                return self.slice(declared, "b[p:q]", place)
            case Enum():
                symbols = self.constant("symbols", declared.symbols)
                self.emit(place, *_READ_LENGTH)
                self.emit(place, f"if n >= {len(declared.symbols)}:", "    no_symbol()")
                return self.kept(f"{symbols}[n]", place)
            case RecordType() if declared.name in self.repeated:
                function = self.functions.get(declared.name)
                if function is None:
                    function = self.functions[declared.name] = self.called(declared)
                return self.call(function, place)
            case _ if place.depth >= _MAX_INLINE:
                return self.call(self.called(declared), place)
            case RecordType():
                return self.record(declared, place)
            case Array():
                return self.array(declared, place)
            case Map():
                return self.map(declared, place)
            case Union():
                return self.union(declared, place)
            case Named():
                raise AssertionError("a name was resolved to a name")

    def called(self, declared: Type) -> str:
        self.numbered += 1
        function = f"read{self.numbered}"
        self.waiting.append((function, declared))
        return function

    def call(self, function: str, place: _Place) -> str:
        value = self.fresh()
        self.emit(place, f"{value}, p = {function}(b, p, end, d + 1)")
        return value

    def kept(self, expression: str, place: _Place) -> str:
        value = self.fresh()
        self.emit(place, f"{value} = {expression}")
        return value

    def slice(self, declared: Primitive | Fixed, expression: str, place: _Place) -> str:
        """A value of the bytes from `p` to `q`, made logical."""
        value = self.kept(self.made_logical(declared, expression), place)
        self.emit(place, "p = q")
        return value

    def made_logical(self, declared: Primitive | Fixed, expression: str) -> str:
        if declared.logical is None:
            return expression
        convert: Callable[[Any], Any]
        if declared.logical == "decimal":
            convert = logical.decimal_reader(declared.scale)
        else:
            kind = declared.kind if isinstance(declared, Primitive) else "fixed"
            convert = logical.BY_KIND[kind, declared.logical]
        return f"{self.constant('logical', convert)}({expression})"

    def primitive(self, declared: Primitive, place: _Place) -> str:
        match declared.kind:
            case "null":
                return "None"
            case "boolean":
                self.emit(place, "n = b[p]", "p += 1", "if n > 1:", "    no_boolean()")
                return self.kept("n == 1", place)
            case "int":
                self.emit(place, *_READ_INT)
                return self.kept(self.made_logical(declared, "n"), place)
            case "long":
                self.emit(place, *_READ_LONG)
                return self.kept(self.made_logical(declared, "n"), place)
            case "string":
                self.emit(place, *_READ_LENGTH, *_TO_END)
                return self.slice(declared, "b[p:q].decode()", place)
            case "bytes":
                self.emit(place, *_READ_LENGTH, *_TO_END)
                return self.slice(declared, "b[p:q]", place)
            case kind:
                value = self.fresh()
                width = 4 if kind == "float" else 8
                self.emit(place, f"{value}, = {kind}_at(b, p)", f"p += {width}")
                return value

    def record(self, declared: RecordType, place: _Place) -> str:
        parts = []
        for each in declared.fields:
            value = self.value(each.type, place.at(f".{each.name}"))
            parts.append(f"{each.name!a}: {value}")
        return self.kept(f"{{{', '.join(parts)}}}", place)

    def block(self, items: Type, key_bytes: int, place: _Place) -> None:
        """The head of a loop over the items of a block, with the code that ends the loop over the
        blocks. The items that a block promises must have room in what is left of the message."""
        extent = self.extents.of(items)
        least_bytes = extent.least_bytes + key_bytes
        unpaid_values = extent.unpaid_values - key_bytes * VALUES_PER_BYTE
        inner = place.at("", 1)
        self.emit(place, "while True:")
        self.emit(inner, *_READ_LONG, "if n == 0:", "    break")
        self.emit(inner, "if n < 0:", "    n, p = sized_block_at(b, p, n)")
        if least_bytes:
            self.emit(inner, f"if n * {least_bytes} > end - p:", "    too_short()")
        if unpaid_values > 0:
            self.emit(inner, f"charge(n * {unpaid_values})")
        self.emit(inner, "for _ in range(n):")

    def array(self, declared: Array, place: _Place) -> str:
        values = self.kept("[]", place)
        self.block(declared.items, 0, place)
        inner = place.at("[]", 2)
        value = self.value(declared.items, inner)
        self.emit(inner, f"{values}.append({value})")
        return values

    def map(self, declared: Map, place: _Place) -> str:
        values = self.kept("{}", place)
        self.block(declared.values, 1, place)
        inner = place.at("{}", 2)
        key = self.value(Primitive("string"), inner)
        value = self.value(declared.values, inner)
        self.emit(inner, f"{values}[{key}] = {value}")
        return values

    def union(self, declared: Union, place: _Place, wrap: bool = False) -> str:
        records = [
            branch
            for branch in map(self.schema.resolve, declared.branches)
            if isinstance(branch, RecordType)
        ]
        wrap = wrap or len(records) > 1
        result = self.fresh()
        self.emit(place, *_READ_LENGTH)
        if not declared.branches:
            self.emit(place, f"{result} = no_branch()")
            return result
        branches = [*enumerate(map(self.schema.resolve, declared.branches))]
        self.one_of(branches, result, place, wrap)
        return result

    def one_of(
        self, branches: Sequence[tuple[int, Type]], result: str, place: _Place, wrap: bool
    ) -> None:
        """Reads the branch whose number is in `n`. Of many, halves are told apart first: the time
        for a value grows with the logarithm of their number only, and the source is no deeper."""
        if len(branches) > _MAX_CHAIN:
            half = len(branches) // 2
            # No type stands in another here, though it is indented.
            inner = replace(place, indent=place.indent + 1)
            self.emit(place, f"if n < {branches[half][0]}:")
            self.one_of(branches[:half], result, inner, wrap)
            self.emit(place, "else:")
            self.one_of(branches[half:], result, inner, wrap)
            return
        word = "if"
        for number, branch in branches:
            self.emit(place, f"{word} n == {number}:")
            word = "elif"
            inner = place.at("", 1)
            value = self.value(branch, inner)
            if wrap and isinstance(branch, RecordType):
                value = f"Record({branch.name!a}, {value})"
            self.emit(inner, f"{result} = {value}")
        self.emit(place, "else:", "    no_branch()")
