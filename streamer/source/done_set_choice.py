"""Which part of a done-set goes with a commit, where not all of it has room?

All that must be carried, and of the rest what is nearest the position: it is redelivered first,
and passed first.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from streamer.model import Offset, Position
from streamer.source.done_set import (
    DenseSet,
    DoneSet,
    Part,
    Run,
    merged,
    part_size,
    varint_size,
)

# A commit of the broker's default limit needs 2 bytes for its bitmap's length; 3 are 2 MB of it.
_BITMAP_LENGTH = 3
_DENSE_BITS = 32
"""A bitmap of up to so many bits for each run is taken for its speed: twice what the run's gap and
length take at least."""


class Choice(Struct, frozen=True):
    """What goes with a commit."""

    done: DoneSet | DenseSet
    reach: Offset | None
    """What is settled beyond this offset had no influence; None where everything had room."""


class _Meter:
    """Counts the bytes of a growing done-set, at O(1) for each entry."""

    __slots__ = (
        "_cursor",
        "_lengths",
        "_part_bytes",
        "_part_cursor",
        "_parts",
        "_position",
        "_saved",
    )

    def __init__(self, position: Position) -> None:
        self._position = position
        self._parts = 0
        self._part_bytes = 1 + _BITMAP_LENGTH
        self._part_cursor: int = position
        self._cursor: int = position
        self._lengths = 0
        # The most that a bitmap saves, over all runs that it may end with.
        self._saved = 0

    def run(self, first: int, last: int) -> None:
        gap, more = first - self._cursor, last - first
        lengths = self._lengths = (
            self._lengths
            + (1 if gap < 128 else varint_size(gap))
            + (1 if more < 128 else varint_size(more))
        )
        self._cursor = last + 1
        saved = lengths - ((last - self._position) >> 3) - 1
        if saved > self._saved:
            self._saved = saved

    def part(self, offset: int, hashes: int) -> None:
        self._part_bytes += part_size(offset - self._part_cursor, hashes)
        self._part_cursor = offset + 1
        self._part_bytes += varint_size(self._parts + 1) - varint_size(self._parts)
        self._parts += 1

    @property
    def size(self) -> int:
        return self._part_bytes + self._lengths - self._saved


def size_of(position: Position, done: DoneSet) -> int:
    """Bytes that `pack` needs for it at most."""
    meter = _Meter(position)
    for offset in sorted(done.parts):
        meter.part(offset, len(done.parts[offset]))
    for first, last in done.runs:
        meter.run(first, last)
    return meter.size


def choose(
    position: Position,
    must: DoneSet,
    runs: Iterable[Run],
    parts: Iterable[Part],
    room: int,
) -> Choice:
    """All of `must`, and of the rest what is nearest the position, in at most `room` bytes.

    `runs` and `parts` ascend, are disjoint and are read only as far as they fit (or as `must`
    reaches). Where `must` alone is larger than `room`, it is given alone.
    """
    left = _Left(position, must) if must else None
    meter = _Meter(position)
    near_runs: list[Run] = []
    near_parts: list[Part] = []
    fitting = (0, 0)
    reach = None
    for offset, what in _ascending(runs, parts):
        if isinstance(what, frozenset):
            meter.part(offset, len(what))
            near_parts.append((offset, what))
            end = offset
        else:
            meter.run(offset, what)
            near_runs.append((offset, what))
            end = what
        if meter.size + (left.beyond(end) if left else 0) <= room:
            fitting = len(near_runs), len(near_parts)
        elif left is None or left.none:
            reach = end
            break
    near = DoneSet(tuple(near_runs[: fitting[0]]), dict(near_parts[: fitting[1]]))
    if must:
        everything = _union(near, must)
        near = everything if size_of(position, everything) <= room else must
    return Choice(near, reach)


def choose_dense(
    position: Position,
    end: int,
    digits_until: Callable[[int], bytearray | None],
    parts: Iterable[Part],
    room: int,
) -> Choice | None:
    """What is nearest the position, where a bitmap is the short way to write it; None elsewhere.

    With holes by the thousand `choose` takes milliseconds for each commit of each partition, and
    this a fiftieth of that. Nothing from `end` on is settled; `digits_until(cut)` as in
    `SettledDigits.between`; `parts` ascend.
    """
    near_parts: dict[Offset, frozenset[int]] = {}
    left = room - 2 * _BITMAP_LENGTH  # the number of parts takes as much at most
    cursor: int = position
    for offset, hashes in parts:
        if offset >= position + 8 * left:
            break
        left -= part_size(offset - cursor, len(hashes))
        cursor = offset + 1
        near_parts[offset] = hashes
        if 2 * left < room:
            return None
    cut = min(end, position + 8 * left)
    bits = cut - position
    if bits < 8:
        return None
    digits = digits_until(cut)
    if digits is None:
        return None
    # Where it does not reach everything, its last quarter has to be dense: run lengths may reach
    # much further there.
    looked_at = bits if cut == end else bits // 4
    if _DENSE_BITS * digits.count(b"01", 0, looked_at) < looked_at:
        return None
    bitmap = int(digits, 2).to_bytes((bits + 7) // 8, "little")
    near_parts = {offset: hashes for offset, hashes in near_parts.items() if offset < cut}
    return Choice(DenseSet(position, bitmap, near_parts), None if cut == end else Offset(cut - 1))


class _Left:
    """What the entries of `must` beyond an ever higher offset cost, as run lengths and parts."""

    __slots__ = ("_bytes", "_costs", "_next")

    def __init__(self, position: Position, must: DoneSet) -> None:
        costs: list[tuple[int, int]] = []
        cursor: int = position
        for offset in sorted(must.parts):
            costs.append((offset, part_size(offset - cursor, len(must.parts[offset]))))
            cursor = offset + 1
        cursor = position
        for first, last in must.runs:
            costs.append((last, varint_size(first - cursor) + varint_size(last - first)))
            cursor = last + 1
        self._costs = sorted(costs)
        self._bytes = sum(cost for _, cost in costs)
        self._next = 0

    @property
    def none(self) -> bool:
        return self._next == len(self._costs)

    def beyond(self, offset: int) -> int:
        costs = self._costs
        while self._next < len(costs) and costs[self._next][0] <= offset:
            self._bytes -= costs[self._next][1]
            self._next += 1
        return self._bytes


def _ascending(
    runs: Iterable[Run], parts: Iterable[Part]
) -> Iterator[Part | tuple[Offset, Offset]]:
    """Both by offset; a run as (first, last), a part as (offset, hashes)."""
    waiting = iter(parts)
    part = next(waiting, None)
    for run in runs:
        while part is not None and part[0] < run[0]:
            yield part
            part = next(waiting, None)
        yield run
    if part is not None:
        yield part
        yield from waiting


def _union(one: DoneSet, other: DoneSet) -> DoneSet:
    runs = merged([*one.runs, *other.runs])
    parts = dict(one.parts)
    for offset, hashes in other.parts.items():
        parts[offset] = parts.get(offset, frozenset()) | hashes
    whole = DoneSet(runs)
    return DoneSet(runs, {o: parts[o] for o in sorted(parts) if not whole.covers(o)})
