"""Which messages of a partition are taken in and not settled, and what follows from that?

Only the unsettled offsets are held, in order. All else is derived: the position is the first of
them (or the next to read, if there is none), and what lies between two of them is settled or
never existed. So a settled message costs next to nothing to remember: a digit (`SettledDigits`).

    taken in    5  6  7  8     11 12 13        (9 and 10 do not exist)
    unsettled   5        8        12
    position    5
    runs           6..7     9..11    13
"""

from collections import OrderedDict, deque
from collections.abc import Iterator

from streamer.model import Generation, Offset, Position
from streamer.source.done_set import Part, Run
from streamer.source.done_set_choice import Choice, choose_dense
from streamer.source.handover import Assigned
from streamer.source.settled_digits import SettledDigits

FAR = 1 << 63  # beyond every offset
_NO_PARTS: frozenset[int] = frozenset()


class Held:
    """The unsettled messages of one partition under one assignment.

    Offsets are taken in ascending order (gaps are welcome). A lower one than before, and a
    settlement of what is not held, are `ValueError`s: bugs, never traffic.
    """

    def __init__(self, assigned: Assigned) -> None:
        self.owned = assigned.owned
        self._next = assigned.position
        self._unsettled: OrderedDict[Offset, int] = OrderedDict()
        self._digits = SettledDigits()
        self._held_bytes = 0
        self._highest_settled: int = assigned.position - 1
        self._parts = {offset: set(some) for offset, some in assigned.restored.parts.items()}
        # What was settled before the restart; the deques hold what was not read again since.
        self._restored = assigned.restored
        self._unseen_runs = deque(assigned.restored.runs)
        self._unseen_parts = deque(sorted(assigned.restored.parts))
        self._unseen = bool(assigned.restored)
        # Counts what a commit would tell: more of it means that there is something to commit.
        self._change = 0
        # The lowest offset of which something was settled since the last plan was made.
        self._nearest_change: int = FAR

    def take_in(self, offset: Offset, size: int) -> bool:
        """Hold this message. False: it was settled before the restart, and nothing is to do."""
        if offset < self._next:
            raise ValueError(f"{self.owned}: offset {offset} came after {self._next - 1}")
        if self._unseen and self._was_settled(offset):
            self._move_to(Position(offset + 1))
            self._highest_settled = offset
            return False
        self._next = Position(offset + 1)
        if not self._unsettled:
            self._digits.begin(offset)
        self._digits.take_in(offset)
        self._unsettled[offset] = size
        self._held_bytes += size
        return True

    def settle(self, offset: Offset) -> None:
        """This message is settled whole."""
        size = self._unsettled.pop(offset, None)
        if size is None:
            raise ValueError(f"{self.owned}: offset {offset} is not held, so cannot be settled")
        self._held_bytes -= size
        self._digits.settle(offset)
        self._change += 1
        if offset > self._highest_settled:
            self._highest_settled = offset
        if offset < self._nearest_change:
            self._nearest_change = offset
        if self._parts:
            self._parts.pop(offset, None)

    def settle_part(self, offset: Offset, settlement: int) -> None:
        """One of several reports of this message is settled (`settlement_hash` of its id)."""
        if offset not in self._unsettled:
            raise ValueError(f"{self.owned}: offset {offset} is not held, so has no reports")
        self._parts.setdefault(offset, set()).add(settlement)
        self._change += 1
        self._nearest_change = min(offset, self._nearest_change)

    def settled_parts(self, offset: Offset) -> frozenset[int]:
        """Hashes of this message's settled reports, those before the restart among them."""
        some = self._parts.get(offset)
        return _NO_PARTS if some is None else frozenset(some)

    def reached(self, position: Position) -> None:
        """The partition was read up to here: what was not taken in does not exist."""
        if position > self._next:
            self._pass_unseen(Offset(position))
            self._move_to(position)

    def _move_to(self, position: Position) -> None:
        self._next = position
        if not self._unsettled:
            self._change += 1

    def _was_settled(self, offset: Offset) -> bool:
        """Whether the restart found this message, which is read now, settled whole."""
        self._pass_unseen(offset)
        parts, runs = self._unseen_parts, self._unseen_runs
        if parts and parts[0] == offset:
            parts.popleft()
        return bool(runs) and runs[0][0] <= offset

    def _pass_unseen(self, offset: Offset) -> None:
        """Reading has come to this offset: what was before it exists no more."""
        parts, runs = self._unseen_parts, self._unseen_runs
        while parts and parts[0] < offset:
            self._parts.pop(parts.popleft(), None)
        while runs and runs[0][1] < offset:
            runs.popleft()
        self._unseen = bool(parts or runs)

    @property
    def generation(self) -> Generation:
        return self.owned.generation

    @property
    def position(self) -> Position:
        """The lowest unsettled offset, or the next to read. Never goes back."""
        first = next(iter(self._unsettled), None)
        return self._next if first is None else Position(first)

    @property
    def next_to_read(self) -> Position:
        """One past everything that was read, settled or not."""
        return self._next

    @property
    def held_messages(self) -> int:
        return len(self._unsettled)

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    @property
    def span(self) -> int:
        """Offsets from the position to the highest that was seen and is settled."""
        return max(0, self._highest_settled + 1 - self.position)

    def _settled_runs(self, position: Position) -> Iterator[Run]:
        """All that is settled beyond the position, ascending; gaps count as settled."""
        cursor: int = position
        for offset in self._unsettled:
            if offset > cursor:
                yield Offset(cursor), Offset(offset - 1)
            cursor = offset + 1
            if offset > self._highest_settled:
                # Only what is not settled follows: a full window costs nothing here.
                cursor = self._next
                break
        for first, last in self._unseen_runs:
            start = max(first, self._next)
            if start == self._next and cursor < self._next:
                start, cursor = cursor, self._next
            elif cursor < self._next:
                yield Offset(cursor), Offset(self._next - 1)
                cursor = self._next
            if start <= last:
                yield Offset(start), last
        if cursor < self._next:
            yield Offset(cursor), Offset(self._next - 1)

    def _settled_densely(self, position: Position, room: int) -> Choice | None:
        """What is nearest the position of all that is settled, where there are many small runs."""
        if self._unseen:
            return None
        end = self._highest_settled + 1
        return choose_dense(
            position,
            end,
            lambda cut: self._digits.between(position, cut),
            self._settled_parts(),
            room,
        )

    def _settled_parts(self) -> Iterator[Part]:
        """Messages of which some reports are settled, ascending."""
        left = len(self._parts)
        for offset in self._unsettled if left else ():
            some = self._parts.get(offset)
            if some is not None:
                yield offset, frozenset(some)
                left -= 1
                if not left:
                    return
        for offset in self._unseen_parts:
            yield offset, frozenset(self._parts[offset])

    def _is_whole(self, offset: Offset) -> bool:
        """Whether this message is settled whole (or read past, since it does not exist)."""
        if offset < self._next:
            return offset not in self._unsettled
        return self._restored.covers(offset)

    def _is_settled(self, offset: Offset, settlement: int) -> bool:
        return settlement in self._parts.get(offset, ()) or self._is_whole(offset)
