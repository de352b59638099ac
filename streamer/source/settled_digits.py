"""Which offsets from a position on are settled, at hand for a bitmap?

A text of 0 and 1, one digit an offset, kept as messages come and are settled: to make it anew of
what is held would cost microseconds for each of thousands of holes, at each commit of each
partition. It takes a byte for each offset between the position and the last one read.
"""

from streamer.model import Offset, Position

GAP_MOST = 65_536
"""Offsets that do not exist, between two that do, for which digits are kept (as settled)."""
_PASSED_MOST = 4_096
"""Digits before the position that are kept: it is cheaper to drop many at once."""
_SETTLED, _UNSETTLED = ord("1"), ord("0")


class SettledDigits:
    """Of one partition under one assignment."""

    __slots__ = ("_digits", "_first")

    def __init__(self) -> None:
        self._first: int = 0
        """The offset of the first digit."""
        self._digits = bytearray()

    def begin(self, offset: Offset) -> None:
        """Nothing is unsettled, and this one is the next to be taken in."""
        self._first = offset
        self._digits.clear()

    def take_in(self, offset: Offset) -> None:
        """It is unsettled. What was passed over does not exist, or is settled."""
        gap = offset - self._first - len(self._digits)
        if gap > GAP_MOST:
            self.begin(offset)
        elif gap:
            self._digits += b"1" * gap
        self._digits.append(_UNSETTLED)

    def settle(self, offset: Offset) -> None:
        """An offset that was taken in."""
        if offset >= self._first:
            self._digits[offset - self._first] = _SETTLED

    def between(self, position: Position, end: int) -> bytearray | None:
        """The digits from the position on, `end` not included, the highest offset's first, as in
        every number. None if there are none for all of them. Forgets what is before."""
        passed = position - self._first
        if passed < 0 or end - self._first > len(self._digits):
            return None
        if passed > _PASSED_MOST:
            del self._digits[:passed]
            self._first, passed = position, 0
        digits = self._digits[passed : end - self._first]
        digits.reverse()
        return digits
