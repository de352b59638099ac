"""How few bytes can a value of a type have, and can few bytes stand for many values?

Judged once for each schema, so that reading a message of a schema that can do no harm costs
nothing: only where values are not paid for with bytes does the reader keep count.
"""

from dataclasses import dataclass, field

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

# Values that a byte of input pays for. A record of plain or optional fields needs 2 at most; an
# array of nulls, or of records of nulls, needs any number. With three, 1 MB of the worst schema
# that was found becomes 480 MB of values; each more is another 200 MB.
VALUES_PER_BYTE = 3

# More than any product of a schema's sizes that matters; keeps the figures small integers.
_MANY = 1 << 62

_PRIMITIVE_BYTES = {"null": 0, "float": 4, "double": 8}


@dataclass(frozen=True, slots=True)
class Extent:
    """Bounds for one value of a type; what arrays, maps and recursion add is counted there."""

    least_bytes: int
    unpaid_values: int
    """The most values in one that its bytes do not pay for; negative where they pay for more."""

    @property
    def is_costly(self) -> bool:
        """Whether many of them can stand in few bytes."""
        return self.unpaid_values > 0


class HoldsItself(Exception):
    """A record holds itself without end: no value of it can be written. Names the record."""


@dataclass(slots=True)
class Extents:
    """The extents of a schema's types, each named one computed once."""

    schema: Schema
    _known: dict[str, Extent] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)
    """Records whose fields are being looked at, each with the unions that it stands in."""
    _unions: int = 0

    def of(self, declared: Type) -> Extent:
        """Raises `HoldsItself`."""
        match declared:
            case Primitive():
                return _leaf(_PRIMITIVE_BYTES.get(declared.kind, 1))
            case Fixed():
                return _leaf(declared.size)
            case Enum() | Array() | Map():
                return _leaf(1)
            case Union():
                self._unions += 1
                branches = [self.of(branch) for branch in declared.branches]
                self._unions -= 1
                worst = max((branch.unpaid_values for branch in branches), default=0)
                return Extent(1, worst - VALUES_PER_BYTE)
            case RecordType():
                return self._known.get(declared.name) or self._of_record(declared)
            case Named():
                return self.of(self.schema.named[declared.name])

    def _of_record(self, record: RecordType) -> Extent:
        if record.name in self._open:
            if self._unions == self._open[record.name]:
                raise HoldsItself(record.name)
            # Recursion through a union: the reader counts it where it enters the record again.
            return Extent(0, 0)
        self._open[record.name] = self._unions
        least_bytes, unpaid_values = 0, 1
        for each in record.fields:
            extent = self.of(each.type)
            least_bytes = _within(least_bytes + extent.least_bytes)
            unpaid_values = _within(unpaid_values + extent.unpaid_values)
        del self._open[record.name]
        self._known[record.name] = Extent(least_bytes, unpaid_values)
        return self._known[record.name]


def _leaf(least_bytes: int) -> Extent:
    return Extent(least_bytes, _within(1 - VALUES_PER_BYTE * least_bytes))


def _within(number: int) -> int:
    return max(-_MANY, min(_MANY, number))
