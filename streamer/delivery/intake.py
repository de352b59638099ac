"""Which messages may be decoded and routed now, and which wait for a schema?

A message whose writer schema cannot be had is deferred, and with it what must not pass it: later
messages of its key (with `ordering: partition`, of its partition), and in its partition every
message with a report or cancel of a trigger that any route cancels, since the message may hold
the cancel. Everything else goes on. When a schema comes, what waited for it is taken again, and
what waited behind it (`deferred.py`).
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from typing import assert_never

from streamer.delivery.core import Core
from streamer.delivery.deferred import Waiting
from streamer.delivery.jobs import OwnedPartition
from streamer.delivery.order import CancelledTriggers, Ordering
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
            if part.window.take_in(message.offset, message.size):
                self._one(part, message, now)
            else:
                self._core.settled_before(part, message, now)
        for topic, count in self._decoded.items():
            self._core.letters.decoded(topic, count, now)

    def learned(self, ref: SchemaRef, now: float) -> None:
        """The decoder knows the schema now, or knows that there is none."""
        for part in self._waiting.pop(ref, ()):
            if not part.ended:
                self._take_again(part, part.deferred.learned(ref), now)

    def _take_again(self, part: OwnedPartition, ready: Iterable[Waiting], now: float) -> None:
        """Take in what may go now, and then what waited behind it."""
        deferred = part.deferred
        looking = deque(ready)
        while looking:
            waiting = looking.popleft()
            if waiting.is_gone or not self._goes_on(part, waiting, now):
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
                self._core.letters.decoded(message.partition.topic, 1, now)
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
