"""Which messages may be decoded and routed now, and which wait for a schema?

A message whose writer schema cannot be had is deferred, and with it what must not pass it: later
messages of its key (with `ordering: partition`, of its partition), and in its partition every
message with a report or cancel of a trigger that any route cancels, since the message may hold
the cancel. Everything else goes on. When a schema comes, its partition's deferred messages are
taken again in their order.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from streamer.delivery.core import Core
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
                deferred, part.deferred = part.deferred, []
                part.deferred_keys.clear()
                for message in deferred:
                    self._one(part, message, now)

    def _one(self, part: OwnedPartition, message: Message, now: float) -> None:
        if part.deferred and self._must_not_pass(part, message):
            self._defer(part, message)
            return
        decoded = self._decode(message)
        match decoded:
            case Event() | Tombstone():
                self._decoded[message.partition.topic] += 1
                routed = self._route(decoded)
                if part.deferred and self._is_cancellable(routed):
                    self._defer(part, message)
                else:
                    self._core.take_in(part, message, routed, now)
            case BadMessage():
                self._core.take_bad(part, decoded, now)
            case SchemaNeeded(ref=ref):
                self._defer(part, message)
                if ref not in self._waiting:
                    self._waiting[ref] = {}
                    self._need(ref)
                self._waiting[ref][part] = None

    def _must_not_pass(self, part: OwnedPartition, message: Message) -> bool:
        if self._ordering is Ordering.PARTITION:
            return True
        return self._ordering is Ordering.KEY and message.key in part.deferred_keys

    def _is_cancellable(self, routed: Routed) -> bool:
        return any(
            isinstance(report, Report) and (report.lane.endpoint, report.trigger) in self._cancelled
            for report in routed.reports
        )

    def _defer(self, part: OwnedPartition, message: Message) -> None:
        part.deferred.append(message)
        if message.key is not None:
            part.deferred_keys.add(message.key)
