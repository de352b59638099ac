"""Which offsets from a position on are settled, at hand for a bitmap?

A text of 0 and 1, one digit an offset, kept as messages come and are settled: to make it anew of
what is held would cost microseconds for each of thousands of holes, at each commit of each
partition. It takes a byte for each offset between the position and the last one read, up to a
million of them; where there are more, those before are forgotten, and are told from what is held.
"""

from streamer.model import Offset, Position

DIGITS_MOST = 1 << 20
"""A compacted topic may have millions of offsets that do not exist between two messages."""
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

    def __len__(self) -> int:
        return len(self._digits)

    def begin(self, offset: Offset) -> None:
        """Nothing is unsettled, and this one is the next to be taken in."""
        self._first = offset
        self._digits.clear()

    def take_in(self, offset: Offset) -> None:
        """It is unsettled. What was passed over does not exist, or is settled."""
        number = offset - self._first
        gap = number - len(self._digits)
        if number >= DIGITS_MOST:
            self.begin(offset)
        elif gap:
            self._digits += b"1" * gap
        self._digits.append(_UNSETTLED)

    def settle(self, offset: Offset) -> None:
        """An offset that was taken in."""
        if offset >= self._first:
            self._digits[offset - self._first] = _SETTLED

    def pass_to(self, position: Position) -> None:
        """What is before it is not asked for any more."""
        passed = position - self._first
        if passed > _PASSED_MOST:
            del self._digits[:passed]
            self._first = position

    def between(self, position: Position, end: int) -> bytearray | None:
        """The digits from the position on, `end` not included, the highest offset's first, as in
        every number. None if there are none for all of them."""
        passed = position - self._first
        if passed < 0 or end - self._first > len(self._digits):
            return None
        digits = self._digits[passed : end - self._first]
        digits.reverse()
        return digits
