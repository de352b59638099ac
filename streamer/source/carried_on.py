"""Which settlements does every later commit have to carry, until the position has passed them?

Those that a restart found (see `commit_metadata.Restored` for why all of them), and those for
which a report waits or waited. Their number is bounded by what fits into one commit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from streamer.model import Offset, Position
from streamer.source.done_set import DoneSet, Run, merged
from streamer.source.done_set_choice import size_of

# What one more settlement adds to a done-set's bytes at most: 10 for the offset, 1 for the number
# of hashes, the hash, and one for each of the numbers around it that grow.
_MOST_FOR_ONE = 24


class CarriedOn:
    """A done-set that grows by what is pinned and shrinks as the position passes."""

    __slots__ = ("_done", "_position", "_size", "_size_is_exact")

    def __init__(self, position: Position, restored: DoneSet) -> None:
        self._position = position
        self._done = restored
        # Never less than `size_of` the done-set, so that adding to it need not count all of it.
        self._size = size_of(position, restored)
        self._size_is_exact = True

    @property
    def done(self) -> DoneSet:
        return self._done

    def pass_to(self, position: Position, is_whole: Callable[[Offset], bool]) -> None:
        """Forget what is before the position; a part whose message is settled is one no more."""
        runs, parts = self._done.runs, self._done.parts
        self._position = position
        whole = [offset for offset in parts if offset >= position and is_whole(offset)]
        passed = bool(runs) and runs[0][0] < position
        if not (passed or whole or (parts and min(parts) < position)):
            return
        runs = runs[bisect_left(runs, Offset(position), key=_last) :] if passed else runs
        if runs and runs[0][0] < position:
            runs = ((Offset(position), runs[0][1]), *runs[1:])
        if whole:
            runs = merged([*runs, *((offset, offset) for offset in whole)])
        gone = set(whole)
        kept = {o: parts[o] for o in parts if o >= position and o not in gone}
        self._done = DoneSet(runs, kept)
        self._size_is_exact = False

    def add(self, offset: Offset, settlement: int, whole: bool, room: int) -> bool:
        """Carry this one too; False (and nothing added) where it may not fit into `room` bytes."""
        if not self._has_room(room):
            return False
        runs, parts = self._done.runs, self._done.parts
        if whole:
            at = bisect_right(runs, (offset, offset))
            near = merged([*runs[max(at - 1, 0) : at + 1], (offset, offset)])
            runs = (*runs[: max(at - 1, 0)], *near, *runs[at + 1 :])
            parts = {o: parts[o] for o in parts if o != offset}
        else:
            hashes = parts.get(offset, frozenset()) | {settlement}
            parts = {**parts, offset: hashes}
        self._done = DoneSet(runs, parts)
        self._size += _MOST_FOR_ONE
        self._size_is_exact = False
        return True

    def _has_room(self, room: int) -> bool:
        if self._size + _MOST_FOR_ONE > room and not self._size_is_exact:
            self._size = size_of(self._position, self._done)
            self._size_is_exact = True
        return self._size + _MOST_FOR_ONE <= room


def _last(run: Run) -> Offset:
    return run[1]
