"""How is what was settled beyond a position held, chosen and written in few bytes?

A done-set is made of runs (messages settled whole) and parts (messages of which only some reports
are settled). On the wire, after a position that both sides know:

    number of parts, then for each: offset less the one before, number of hashes less 1, hashes
    length of the bitmap in bytes, then the bitmap (its lowest bit is the position)
    until the end: pairs of gap and run length less 1, counted from the last bit that is set

A mark may go along: 64 bits beside the done-set, written as the first hash of a part at the
position, twice. Hashes are otherwise written ascending and once, so that it is told from them; a
reader that knows no marks takes it for the hash of a report that there is not, and is not harmed.

All numbers are varints of 7 bits, lowest first; a hash has 8 bytes. The bitmap stands for the
runs near the position if it is shorter there (many small runs); run lengths stand for the rest (a
long tail). The place where one ends and the other begins is chosen so that the sum is shortest.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from streamer.model import Offset, Position

Run = tuple[Offset, Offset]
"""First and last offset, both settled, and everything between them."""

Part = tuple[Offset, frozenset[int]]
"""A message that is not settled whole, and the hashes of its reports that are."""

_LARGEST = Offset((1 << 63) - 1)  # Kafka's offsets are signed 64-bit numbers
_HASH_BYTES = 8

MARK_BYTES = 19
"""What a mark adds at most: itself twice, a part's offset and number of hashes, and one byte where
the number of parts grows by it."""

_SET_BITS = re.compile("1+")


class DoneSet(Struct, frozen=True):
    """What is settled beyond a position."""

    runs: tuple[Run, ...] = ()
    """Ascending, disjoint, none before the position."""
    parts: Mapping[Offset, frozenset[int]] = {}
    """By offset, of messages not in `runs`: the hashes of their settled reports."""

    def covers(self, offset: Offset) -> bool:
        """Whether this message is settled whole."""
        at = bisect_right(self.runs, (offset, _LARGEST)) - 1
        return at >= 0 and offset <= self.runs[at][1]

    def shows(self, offset: Offset, settlement: int) -> bool:
        """Whether this report of this message is settled, alone or with its whole message."""
        return settlement in self.parts.get(offset, ()) or self.covers(offset)

    def __bool__(self) -> bool:
        return bool(self.runs or self.parts)


class DenseSet(Struct, frozen=True):
    """The same where runs are small and many, as it is written."""

    position: Position
    bitmap: bytes
    """Its lowest bit is the position."""
    parts: Mapping[Offset, frozenset[int]] = {}

    def shows(self, offset: Offset, settlement: int) -> bool:
        """As in `DoneSet`."""
        if settlement in self.parts.get(offset, ()):
            return True
        byte, bit = divmod(offset - self.position, 8)
        return 0 <= byte < len(self.bitmap) and bool(self.bitmap[byte] >> bit & 1)


class Corrupt(ValueError):
    """Bytes that `unpack` cannot have been given by `pack`."""


def merged(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs in any order, overlapping or adjacent ones too, as ascending runs with gaps between."""
    joined: list[Run] = []
    for first, last in sorted(runs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def pack(position: Position, done: "DoneSet | DenseSet", mark: int | None = None) -> bytes:
    """The done-set as bytes, and those of the mark; a `DoneSet` in at most `size_of(position,
    done)`."""
    out = bytearray()
    parts = {offset: sorted(hashes) for offset, hashes in done.parts.items()}
    if mark is not None:
        parts[Offset(position)] = [mark, mark, *parts.get(Offset(position), ())]
    _put(out, len(parts))
    cursor: int = position
    for offset in sorted(parts):
        _put(out, offset - cursor)
        cursor = offset + 1
        hashes = parts[offset]
        _put(out, len(hashes) - 1)
        for settlement in hashes:
            out += settlement.to_bytes(_HASH_BYTES, "big")
    if isinstance(done, DenseSet):
        _put(out, len(done.bitmap))
        out += done.bitmap
        return bytes(out)
    in_bitmap = _runs_in_bitmap(position, done.runs)
    bitmap = _bitmap(position, done.runs[:in_bitmap])
    _put(out, len(bitmap))
    out += bitmap
    cursor = done.runs[in_bitmap - 1][1] + 1 if in_bitmap else position
    for first, last in done.runs[in_bitmap:]:
        _put(out, first - cursor)
        _put(out, last - first)
        cursor = last + 1
    return bytes(out)


def _runs_in_bitmap(position: Position, runs: Sequence[Run]) -> int:
    """How many of the first runs are best written as a bitmap."""
    lengths, least, best = 0, 0, 0
    cursor: int = position
    for n, (first, last) in enumerate(runs, start=1):
        lengths += varint_size(first - cursor) + varint_size(last - first)
        cursor = last + 1
        bits = ((last - position) >> 3) + 1 - lengths
        if bits < least:
            least, best = bits, n
    return best


def _bitmap(position: Position, runs: Sequence[Run]) -> bytes:
    digits: list[str] = []
    cursor: int = position
    for first, last in runs:
        digits.append("0" * (first - cursor))
        digits.append("1" * (last + 1 - first))
        cursor = last + 1
    number = int("".join(digits)[::-1] or "0", 2)
    return number.to_bytes((cursor - position + 7) // 8, "little")


def unpack(position: Position, packed: bytes) -> DoneSet:
    """The done-set again; raises `Corrupt`. Time and memory are bounded by the length."""
    at, count = _get(packed, 0)
    parts: dict[Offset, frozenset[int]] = {}
    cursor: int = position
    for _ in range(count):
        at, delta = _get(packed, at)
        at, more = _get(packed, at)
        end = at + (more + 1) * _HASH_BYTES
        if end > len(packed):
            raise Corrupt("the hashes of a part are cut off")
        parts[Offset(cursor + delta)] = frozenset(
            int.from_bytes(packed[i : i + _HASH_BYTES], "big") for i in range(at, end, _HASH_BYTES)
        )
        at, cursor = end, cursor + delta + 1
    at, length = _get(packed, at)
    if at + length > len(packed):
        raise Corrupt("the bitmap is cut off")
    runs = _bitmap_runs(position, packed[at : at + length])
    runs += _length_runs(runs[-1][1] + 1 if runs else position, packed, at + length)
    highest = max(cursor - 1, runs[-1][1] if runs else 0)
    if highest > _LARGEST:
        raise Corrupt("an offset is beyond Kafka's largest")
    return DoneSet(merged(runs), parts)


def mark_of(packed: bytes) -> int | None:
    """The mark that `pack` was given with a done-set that `unpack` can read; None: none."""
    at, count = _get(packed, 0)
    if not count:
        return None
    at, delta = _get(packed, at)
    at, more = _get(packed, at)
    first, second = packed[at : at + _HASH_BYTES], packed[at + _HASH_BYTES : at + 2 * _HASH_BYTES]
    return int.from_bytes(first, "big") if not delta and more and first == second else None


def without_mark(position: Position, done: DoneSet, mark: int) -> DoneSet:
    """What was given to `pack` beside the mark."""
    at = Offset(position)
    parts = {**done.parts, at: done.parts[at] - {mark}}
    return DoneSet(done.runs, {offset: hashes for offset, hashes in parts.items() if hashes})


def _bitmap_runs(position: Position, bitmap: bytes) -> list[Run]:
    digits = bin(int.from_bytes(bitmap, "little"))[:1:-1]
    return [
        (Offset(position + found.start()), Offset(position + found.end() - 1))
        for found in _SET_BITS.finditer(digits)
    ]


def _length_runs(cursor: int, packed: bytes, at: int) -> list[Run]:
    runs: list[Run] = []
    while at < len(packed):
        at, gap = _get(packed, at)
        at, more = _get(packed, at)
        first = cursor + gap
        runs.append((Offset(first), Offset(first + more)))
        cursor = first + more + 1
    return runs


def varint_size(number: int) -> int:
    """Bytes of a number on the wire."""
    return 1 if number < 128 else (number.bit_length() + 6) // 7


def part_size(delta: int, hashes: int) -> int:
    """Bytes of a part on the wire, `delta` after the one before."""
    return varint_size(delta) + varint_size(hashes - 1) + hashes * _HASH_BYTES


def _put(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _get(packed: bytes, at: int) -> tuple[int, int]:
    """The next place and the varint before it."""
    number = 0
    for shift in range(0, 63, 7):
        if at >= len(packed):
            raise Corrupt("a number is cut off")
        byte = packed[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return at, number
    raise Corrupt("a number is longer than 63 bits")
