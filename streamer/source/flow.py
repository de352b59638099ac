"""How much more of each partition may be taken in, and which partitions pause?

Two bounds that are never passed: messages held of a partition, and bytes held by the process. Half
of the bytes is divided among the partitions, so that each always has its share; the other half is
a pool. Of the pool a partition may have as much as it leaves free, so that one that holds much (a
dead endpoint behind it) cannot take it from the others.

A partition that is full pauses and goes on once it holds less than half of what it may: pausing
throws prefetched messages away, so it must not happen for every message.

One exception: where nothing at all is held, one message is taken in whatever its size, since
otherwise it could never be.
"""

from streamer.model import Owned


class _Held:
    """What is held of one partition."""

    __slots__ = ("bytes", "full", "messages", "span_is_full")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.full = False
        """It refused a message and has not come below half since."""
        self.span_is_full = False


class Flow:
    """Counts what is handed over and not settled. Used by the poll thread alone."""

    def __init__(self, most_messages: int, most_bytes: int) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._held: dict[Owned, _Held] = {}
        self._total = 0
        self._share = most_bytes // 2
        self._pool = most_bytes - most_bytes // 2
        self._pool_used = 0
        self._mean_bytes = 1024.0  # a guess until there are messages

    @property
    def held_bytes(self) -> int:
        return self._total

    def held_messages(self, owned: Owned) -> int:
        held = self._held.get(owned)
        return 0 if held is None else held.messages

    def opened(self, owned: Owned) -> None:
        self._held[owned] = _Held()
        self._divide()

    def closed(self, owned: Owned) -> None:
        """It is gone, and what was held of it counts no more."""
        held = self._held.pop(owned, None)
        if held is not None:
            self._total -= held.bytes
            self._divide()

    def _divide(self) -> None:
        self._share = self._most_bytes // 2 // max(1, len(self._held))
        self._pool_used = sum(max(0, held.bytes - self._share) for held in self._held.values())

    def admit(self, owned: Owned, size: int) -> bool:
        """Hold a message of this size; False (and nothing held) where it does not fit."""
        held = self._held[owned]
        after = held.bytes + size
        is_full = (
            held.span_is_full
            or held.messages >= self._most_messages
            or self._total + size > self._most_bytes
        )
        if after > self._share or is_full:
            beyond = after > self._share and held.bytes and after > self._allowance(held)
            if (is_full or beyond) and (self._total or held.span_is_full):
                held.full = True
                return False
            self._pool_used += max(0, after - self._share) - max(0, held.bytes - self._share)
        self._total += size
        held.messages += 1
        held.bytes = after
        self._mean_bytes += (size - self._mean_bytes) / 64
        return True

    def _allowance(self, held: _Held) -> int:
        others = self._pool_used - max(0, held.bytes - self._share)
        return self._share + max(0, self._pool - others) // 2

    def settled(self, owned: Owned, messages: int, size: int) -> None:
        """That much less is held. A partition that is gone by now is ignored."""
        held = self._held.get(owned)
        if held is None:
            return
        after = held.bytes - size
        self._pool_used += max(0, after - self._share) - max(0, held.bytes - self._share)
        self._total -= size
        held.messages -= messages
        held.bytes = after

    def span_full(self, owned: Owned, full: bool) -> None:
        """Settled messages reach too far beyond the position: take in nothing until told."""
        held = self._held.get(owned)
        if held is not None:
            held.span_is_full = full

    def is_open(self, owned: Owned) -> bool:
        """Whether it may go on reading; a full one only below half of what it may hold."""
        held = self._held[owned]
        if held.span_is_full:
            return False
        if held.full:
            held.full = not (
                held.messages <= self._most_messages // 2
                and held.bytes <= self._allowance(held) // 2
            )
        return not held.full

    def next_count(self, most: int) -> int:
        """How many messages to ask for: as many as will probably fit, and at least one."""
        room = int((self._most_bytes - self._total) / self._mean_bytes)
        return max(1, min(most, room))
