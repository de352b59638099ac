"""Which messages of a partition wait for a schema, or behind one that does?

A message waits for its own schema, or behind an earlier one: of its key, or because it may be about
an entity that the earlier one cancels. Whatever becomes ready is found without looking at the rest,
so that a thousand different unknown schemas cost a thousand looks and not a million.
"""

from collections import defaultdict, deque
from collections.abc import Hashable

from streamer.model import Message, SchemaRef


class Waiting:
    """One message that waits."""

    __slots__ = ("is_gone", "key", "message", "ref")

    def __init__(self, message: Message, key: Hashable, ref: SchemaRef | None) -> None:
        self.message = message
        self.key = key
        self.ref = ref
        """The schema it waits for; None: it waits behind others."""
        self.is_gone = False


class Deferred:
    """The messages of one partition that wait, in the order of the log."""

    __slots__ = ("_by_key", "_by_ref", "_count", "_order")

    def __init__(self) -> None:
        self._order: deque[Waiting] = deque()
        self._by_key: dict[Hashable, deque[Waiting]] = {}
        self._by_ref: defaultdict[SchemaRef, list[Waiting]] = defaultdict(list)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def holds(self, key: Hashable) -> bool:
        """Whether one of this key waits (None is no key)."""
        return key in self._by_key

    def add(self, message: Message, key: Hashable, ref: SchemaRef | None) -> None:
        """It waits from now on; it stands after all that wait."""
        waiting = Waiting(message, key, ref)
        self._order.append(waiting)
        self._count += 1
        if key is not None:
            self._by_key.setdefault(key, deque()).append(waiting)
        if ref is not None:
            self._by_ref[ref].append(waiting)

    def waits_for(self, waiting: Waiting, ref: SchemaRef) -> None:
        """One that was looked at again needs this schema."""
        waiting.ref = ref
        self._by_ref[ref].append(waiting)

    def learned(self, ref: SchemaRef) -> list[Waiting]:
        """Those that waited for the schema and are the first of their key, in order."""
        found = self._by_ref.pop(ref, [])
        for waiting in found:
            waiting.ref = None
        return [waiting for waiting in found if self.is_first_of_key(waiting)]

    def is_first_of_key(self, waiting: Waiting) -> bool:
        return waiting.key is None or self._by_key[waiting.key][0] is waiting

    def is_first(self, waiting: Waiting) -> bool:
        """Whether no earlier message of the partition waits."""
        return self.first is waiting

    @property
    def first(self) -> Waiting | None:
        while self._order and self._order[0].is_gone:
            self._order.popleft()
        return self._order[0] if self._order else None

    def remove(self, waiting: Waiting) -> Waiting | None:
        """It waits no more, and was the first of its key; gives the next of its key."""
        waiting.is_gone = True
        self._count -= 1
        if waiting.key is None:
            return None
        of_key = self._by_key[waiting.key]
        of_key.popleft()
        if of_key:
            return of_key[0]
        del self._by_key[waiting.key]
        return None

    def clear(self) -> None:
        self._order.clear()
        self._by_key.clear()
        self._by_ref.clear()
        self._count = 0
