"""Which messages may be decoded and routed now, and which wait for a schema?

A message whose writer schema cannot be had is deferred, and with it what must not pass it: later
messages of its key (with `ordering: partition`, of its partition), and in its partition every
message with a report or cancel of a trigger that any route cancels, since the message may hold
the cancel. Everything else goes on. When a schema comes, what waited for it is taken again, and
what waited behind it (`deferred.py`).

And where what was made of a partition's messages takes all the room that there is for it, the
further ones wait as they are, in their order.

Whoever has something to go on with (`may_go_on`) is taken by portions: decoding may take long, and
meanwhile nothing else goes on.
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from typing import assert_never

from streamer.delivery.core import Core
from streamer.delivery.deferred import Waiting
from streamer.delivery.jobs import OwnedPartition
from streamer.delivery.order import CancelledTriggers, Ordering
from streamer.delivery.portions import Portion
from streamer.model import (
    BadMessage,
    Decoded,
    Event,
    Message,
    Report,
    Routed,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)

Decode = Callable[[Message], Decoded]
Route = Callable[[Event | Tombstone], Routed]


class Intake:
    """Feeds the core; `need(ref)` is called for each schema to fetch, once until `learned`."""

    def __init__(
        self,
        core: Core,
        decode: Decode,
        route: Route,
        ordering: Ordering,
        cancelled: CancelledTriggers,
        need: Callable[[SchemaRef], None],
    ) -> None:
        self._core = core
        self._decode = decode
        self._route = route
        self._ordering = ordering
        self._cancelled = cancelled
        self._need = need
        self._decoded: Counter[str] = Counter()
        """By topic, of the hand-over under way."""
        self._waiting: dict[SchemaRef, dict[OwnedPartition, None]] = {}
        self._again: dict[OwnedPartition, deque[Waiting]] = {}
        """What is to be looked at again, since a schema came."""
        self._postponed: dict[OwnedPartition, None] = {}
        """Partitions whose messages wait for room."""

    @property
    def awaited(self) -> tuple[SchemaRef, ...]:
        """Schemas that messages wait for."""
        return tuple(self._waiting)

    def take_in(self, messages: Iterable[Message], now: float) -> None:
        """New messages, in order by partition; those of a gone assignment are dropped."""
        self._decoded.clear()
        for message in messages:
            part = self._core.owner_of(message)
            if part is None:
                continue
            if not part.window.take_in(message.offset, message.size):
                self._core.settled_before(part, message, now)
            elif part.postponed or not self._core.has_room(part):
                part.postponed.append(message)
                self._postponed[part] = None
            else:
                self._one(part, message, now)
        self._tell_decoded(now)

    def _tell_decoded(self, now: float) -> None:
        for topic, count in self._decoded.items():
            self._core.letters.decoded(topic, count, now)
        self._decoded.clear()

    @property
    def may_go_on(self) -> bool:
        """Whether there is something for `go_on`."""
        if not self._again and not self._postponed:
            return False
        return any(map(self._goes, (*self._again, *self._postponed)))

    def _goes(self, part: OwnedPartition) -> bool:
        return part.ended or self._core.has_room(part)

    def go_on(self, now: float, portion: Portion | None = None) -> None:
        """Take a portion of what waited for a schema that came, and of what waited for room."""
        portion = portion or Portion()
        for part in list(self._again):
            self._take_again(part, self._again[part], now, portion)
            if not self._again[part]:
                del self._again[part]
        for part in list(self._postponed):
            while part.postponed and portion.has_room and self._core.has_room(part):
                message = part.postponed.popleft()
                portion.take(message)
                self._one(part, message, now)
            if not part.postponed:
                del self._postponed[part]
        self._tell_decoded(now)

    def learned(self, ref: SchemaRef) -> None:
        """The decoder knows the schema now, or knows that there is none: `go_on` takes what
        waited for it."""
        for part in self._waiting.pop(ref, ()):
            if not part.ended:
                self._again.setdefault(part, deque()).extend(part.deferred.learned(ref))

    def _take_again(
        self, part: OwnedPartition, looking: deque[Waiting], now: float, portion: Portion
    ) -> None:
        """Take in what may go now, and then what waited behind it."""
        deferred = part.deferred
        if part.ended:
            looking.clear()
        while looking and portion.has_room and self._core.has_room(part):
            waiting = looking.popleft()
            if waiting.is_gone:
                continue
            portion.take(waiting.message)
            if not self._goes_on(part, waiting, now):
                continue
            behind = deferred.remove(waiting)
            for next_one in (behind, deferred.first):
                if next_one is not None and next_one.ref is None:
                    looking.append(next_one)

    def _goes_on(self, part: OwnedPartition, waiting: Waiting, now: float) -> bool:
        """Whether it waits for nothing more; it was taken in then."""
        if not part.deferred.is_first_of_key(waiting):
            return False
        message = waiting.message
        decoded = self._decode(message)
        match decoded:
            case Event() | Tombstone():
                routed = self._route(decoded)
                if self._is_cancellable(routed) and not part.deferred.is_first(waiting):
                    return False
                self._decoded[message.partition.topic] += 1
                self._core.take_in(part, message, routed, now)
            case BadMessage():
                self._core.take_bad(part, decoded, now)
            case SchemaNeeded(ref=ref):
                part.deferred.waits_for(waiting, ref)
                self._ask_for(ref, part)
                return False
            case _:
                assert_never(decoded)
        return True

    def _one(self, part: OwnedPartition, message: Message, now: float) -> None:
        key = self._key(message)
        if part.deferred and part.deferred.holds(key):
            part.deferred.add(message, key, None)
            return
        decoded = self._decode(message)
        match decoded:
            case Event() | Tombstone():
                self._decoded[message.partition.topic] += 1
                routed = self._route(decoded)
                if part.deferred and self._is_cancellable(routed):
                    part.deferred.add(message, key, None)
                else:
                    self._core.take_in(part, message, routed, now)
            case BadMessage():
                self._core.take_bad(part, decoded, now)
            case SchemaNeeded(ref=ref):
                part.deferred.add(message, key, ref)
                self._ask_for(ref, part)
            case _:
                assert_never(decoded)

    def _key(self, message: Message) -> Hashable:
        """What messages wait behind each other by; None: by nothing."""
        if self._ordering is Ordering.PARTITION:
            return _ALL_OF_THE_PARTITION
        return message.key if self._ordering is Ordering.KEY else None

    def _ask_for(self, ref: SchemaRef, part: OwnedPartition) -> None:
        if ref not in self._waiting:
            self._waiting[ref] = {}
            self._need(ref)
        self._waiting[ref][part] = None

    def _is_cancellable(self, routed: Routed) -> bool:
        return any(
            isinstance(report, Report) and (report.endpoint, report.trigger) in self._cancelled
            for report in routed.reports
        )


_ALL_OF_THE_PARTITION = ("all of the partition",)
"""No message's key is equal to it."""
