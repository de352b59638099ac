"""Which letters are there, newest first, each once, and which of them are open?

A partition is read from its end in portions, so that what became of a letter is known before the
letter comes: one pass reads both, holds a portion and some bytes for each id, and whoever wants
the newest fifty stops after the first portion.

    ... | letter a | letter b | mark of a | letter b again |
                              <----------------- read so
    b again: open.   mark of a: remembered.   b: older, passed over.   a: replayed.

A letter without a message key may be written again in another partition than its first record
and their mark. There the times of the records decide which of the two is the newer; it comes twice
where its mark was read first, as it was and as it is.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from streamer.dead_letters.found import Found, read_found
from streamer.dead_letters.marks import Handling, Mark
from streamer.dead_letters.places import Places
from streamer.dead_letters.reader import Span, TopicReader
from streamer.model import Message, Partition

PORTION = 5_000
"""Offsets of a partition that are read at a time."""
FEW = 500
"""Of the first portion: most people want the newest."""
HELD_MOST = 50_000
"""Letters in memory where one portion of each partition waits for its turn."""

_OFFSETS = 1 << 44
"""More than a partition ever has; the rest of the number names the partition."""


class State(StrEnum):
    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"


_STATES = {Handling.REPLAYED: State.REPLAYED, Handling.DROPPED: State.DROPPED}
_KINDS = (None, State.REPLAYED, State.DROPPED)
_TIME_BITS = 42
"""Of milliseconds since the epoch: until the year 2109."""


class _Past(NamedTuple):
    """The newest mark of an id, in one number below zero."""

    state: State | None
    """What became of the letter; None once that was said of a record of it."""
    partition: int
    ms: int
    """When the mark was written."""

    @property
    def packed(self) -> int:
        place = (self.partition << _TIME_BITS) + self.ms
        return ~(place * len(_KINDS) + _KINDS.index(self.state))

    @classmethod
    def of(cls, packed: int) -> "_Past":
        rest, kind = divmod(~packed, len(_KINDS))
        return cls(_KINDS[kind], rest >> _TIME_BITS, rest & ((1 << _TIME_BITS) - 1))


class Standing(Struct, frozen=True, eq=False):
    """A letter, or what stands in a letter's place, as the newest record of its id says it."""

    found: Found
    state: State


class Index:
    """By id, where the letter that counts stands, or what became of it."""

    def __init__(self, group: str = "") -> None:
        """`group`: whose letters; what others wrote is passed over. Empty: all."""
        self._group = group
        self._places = Places()
        self._numbers: dict[Partition, int] = {}
        self.others: Counter[str] = Counter()
        """Letters that were passed over, by their group."""

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._places.size

    def older(self, found: Found) -> State | None:
        """Takes in a record that stands before all of its partition that were taken in; gives its
        state, or None where it does not count (a mark, or a newer one of its id was there)."""
        if not self.is_of_group(found):
            if not isinstance(found.what, Mark):
                self.others[found.group] += 1
            return None
        known = self._places.get(found.id)
        past = _Past.of(known) if known is not None and known < 0 else None
        if isinstance(found.what, Mark):
            if known is None or (past is not None and _ms(found) > past.ms):
                is_told = past is not None and past.state is None
                self._mark(found, None if is_told else _STATES[found.what.handling])
            return None
        if known is None or (past is not None and self._is_newer(found, past)):
            self._places.put(found.id, self._place(found))
            return State.OPEN
        if past is None or past.state is None:
            return None
        self._places.put(found.id, past._replace(state=None).packed)
        return past.state

    def newer(self, found: Found) -> None:
        """Takes in a record that stands behind all of its partition that were taken in."""
        if not self.is_of_group(found):
            return
        if isinstance(found.what, Mark):
            self._mark(found, None)
        else:
            self._places.put(found.id, self._place(found))

    def is_open(self, found: Found) -> bool:
        """Whether this very record is the one that counts, and nothing became of it yet."""
        return self._places.get(found.id) == self._place(found)

    def is_of_group(self, found: Found) -> bool:
        return not self._group or found.group in ("", self._group)

    def _is_newer(self, found: Found, past: _Past) -> bool:
        """Whether the letter was written after the mark, in a partition that does not have it."""
        return self._number(found.partition) != past.partition and _ms(found) > past.ms

    def _mark(self, found: Found, state: State | None) -> None:
        past = _Past(state, self._number(found.partition), _ms(found))
        self._places.put(found.id, past.packed)

    def _place(self, found: Found) -> int:
        return self._number(found.partition) * _OFFSETS + found.offset

    def _number(self, partition: Partition) -> int:
        return self._numbers.setdefault(partition, len(self._numbers))


def _ms(found: Found) -> int:
    """The record's own time, of letters and marks alike."""
    return min(max(0, found.timestamp_ms), (1 << _TIME_BITS) - 1)


Choose = Callable[[Found, Message], Awaitable[bool]]
"""Whether a letter is wanted. Called once a record, in any order; the value goes after it."""


async def newest_first(
    reader: TopicReader, spans: Sequence[tuple[Partition, Span]], choose: Choose, index: Index
) -> AsyncIterator[Standing]:
    """The chosen letters of all partitions, newest first by the time they were written."""
    most = max(FEW, min(PORTION, HELD_MOST // max(1, len(spans))))
    streams = [
        _of_one(reader, partition, span, choose, index, FEW, most) for partition, span in spans
    ]
    heads: list[tuple[Standing, AsyncIterator[Standing]]] = []
    for stream in streams:
        if (first := await anext(stream, None)) is not None:
            heads.append((first, stream))
    while heads:
        best = max(range(len(heads)), key=lambda at: heads[at][0].found.written_ms)
        standing, stream = heads[best]
        yield standing
        following = await anext(stream, None)
        if following is None:
            del heads[best]
        else:
            heads[best] = (following, stream)


async def partition_by_partition(
    reader: TopicReader, spans: Sequence[tuple[Partition, Span]], choose: Choose, index: Index
) -> AsyncIterator[Standing]:
    """The same, one partition after the other: for those who read all anyway."""
    for partition, span in spans:
        async for standing in _of_one(reader, partition, span, choose, index, PORTION, PORTION):
            yield standing


async def _of_one(
    reader: TopicReader,
    partition: Partition,
    span: Span,
    choose: Choose,
    index: Index,
    first: int,
    most: int,
) -> AsyncIterator[Standing]:
    for portion in portions(span, first, most):
        rows: list[tuple[Found, bool]] = []
        batches = reader.read(partition, portion)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for message in batch:
                found = read_found(message, with_value=False)
                rows.append((found, await choose(found, message)))
        for found, is_chosen in reversed(rows):
            state = index.older(found)
            if state is not None and is_chosen:
                yield Standing(found, state)


def portions(span: Span, first: int, most: int) -> Iterator[Span]:
    """The span in portions, the last one first; each larger than the one before, up to a bound."""
    end, size = span.end, first
    while end > span.start:
        start = max(span.start, end - size)
        yield Span(start, end)
        end, size = start, min(most, 4 * size)
