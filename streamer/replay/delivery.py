"""How does the delivery that `streamer run` has send what is replayed?

The same core and engine, with other surroundings: messages are those of the dead letter topics
(or of a stretch of a source topic), what they make was prepared before, a settlement becomes a
mark, and a commit succeeds when the marks that it stands for are confirmed. So order, quota,
breakers, tokens and retries are those of the delivery.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace as with_fields
from random import Random

import msgspec
import structlog

from streamer.assembly import Endpoint, Schemas, core_of
from streamer.config.loading import Loaded
from streamer.config.quantities import Quota
from streamer.config.settings import EndpointSettings, Settings
from streamer.dead_letters.found import Found
from streamer.dead_letters.history import Earlier
from streamer.dead_letters.marks import Handling
from streamer.dead_letters.record import Letter, letter_id, write_record
from streamer.dead_letters.writer import Failed, NotWritten, Writer, Written
from streamer.delivery.commands import Alert
from streamer.delivery.intake import Intake
from streamer.delivery.jobs import Job, report_of
from streamer.delivery.order import Ordering
from streamer.delivery.retry import Backoff
from streamer.edge.clock import Clock, SystemClock
from streamer.edge.dependencies import Dependencies
from streamer.edge.engine import Engine
from streamer.edge.schema_fetches import Learn
from streamer.model import (
    BadMessage,
    DeadLetter,
    Decoded,
    Event,
    Message,
    Offset,
    Owned,
    Partition,
    Position,
    Report,
    Routed,
    SchemaRef,
    Tombstone,
)
from streamer.observability.metrics import Metrics
from streamer.replay.account import Account, Again
from streamer.replay.marking import Marker, NotMarked
from streamer.replay.prepared import Item, Left, Ready
from streamer.source.commit_metadata import NOTHING
from streamer.source.handover import Assigned, CommitPlan, CommitResult
from streamer.source.handover import Intake as HandedOver
from streamer.source.offsets import Window

log = structlog.get_logger()

Place = tuple[Partition, int]


def sharing(loaded: Loaded, share_percent: float) -> Loaded:
    """The configuration of a replay beside a running delivery: a share of each lane's quota, and
    what cannot be delivered waits for a person instead of becoming a letter again."""
    settings = loaded.settings
    entries = {name: _sharing(it, share_percent) for name, it in settings.entries.items()}
    endpoints = (
        {"endpoints": entries}
        if settings.endpoints is not None
        else {"endpoint": next(iter(entries.values()))}
    )
    delivery = settings.delivery.model_copy(update={"hold": "wait"})
    changed: Settings = settings.model_copy(update={**endpoints, "delivery": delivery})
    return with_fields(loaded, settings=changed)


def _sharing(entry: EndpointSettings, share_percent: float) -> EndpointSettings:
    per_minute = entry.quota.per_minute
    if per_minute is not None:
        per_minute = max(1, int(per_minute * share_percent / 100))
    # Skipped would mean: gone without a trace. A letter that is written again is not gone.
    unknown = "dead-letter" if entry.unknown_instance == "skip" else entry.unknown_instance
    return entry.model_copy(update={"quota": Quota(per_minute), "unknown_instance": unknown})


class _UnderWay:
    """What was given to the core and is not settled."""

    __slots__ = ("again", "is_withdrawn", "ready")

    def __init__(self, ready: Ready) -> None:
        self.ready = ready
        self.again: list[Again] = []
        self.is_withdrawn = False
        """Somebody dealt with it meanwhile, and it was not sent for that."""


class _Window(Window):
    """Tells what is settled; commits of it are never seen by a broker."""

    def __init__(self, assigned: Assigned, settled: Callable[[Partition, Offset], None]) -> None:
        super().__init__(assigned, "", "")
        self._tell_settled = settled

    def settle(self, offset: Offset) -> None:
        super().settle(offset)
        self._tell_settled(self.owned.partition, offset)


class _Dependencies(Dependencies):
    """Says what the delivery says, and ends the replay where going on would only refuse."""

    def __init__(
        self,
        clock: Clock,
        flooded: Callable[[str], None],
        again: Callable[[DeadLetter], DeadLetter | None],
    ) -> None:
        """`again(letter)`: as the letter of the core is written, of its message's origin; None
        where it is not."""
        super().__init__(clock)
        self._flooded = flooded
        self._again = again

    def letter_written(self, letter: DeadLetter) -> None:
        told = self._again(letter)
        if told is not None:
            super().letter_written(told)

    def alert(self, alert: Alert) -> None:
        if alert.event == "flood_guard_holds":
            self._flooded(f"{alert.fields['held']} is refused: {alert.fields['why']}")
        super().alert(alert)


class Delivery:
    """One replay's core and engine; everything is called in the event loop."""

    def __init__(
        self,
        loaded: Loaded,
        schemas: Schemas,
        endpoints: dict[str, Endpoint],
        writer: Writer,
        marker: Marker | None,
        cluster_id: str,
        account: Account,
        settled: Callable[[int, int], None],
        flooded: Callable[[str], None],
        is_open: Callable[[Found], bool],
        superseded: Callable[[Item, Report], Left | None],
        clock: SystemClock,
        random: Random,
    ) -> None:
        """`marker`: None where no letters are replayed, but a source topic. `settled(messages,
        size)`: so much less is held. `flooded(why)`: one route is refused again and again.
        `is_open(letter)`: whether nothing became of it yet. `superseded(item, report)`: why it is
        left out by what was written to the source since it was prepared."""
        self._writer = writer
        self._marker = marker
        self._template = loaded.settings.dead_letters.topic
        self._cluster_id = cluster_id
        self._account = account
        self._settled = settled
        self._is_open = is_open
        self._superseded = superseded
        self._clock = clock
        self._table = loaded.table
        self._ordering = Ordering(loaded.settings.delivery.ordering)
        self._under_way: dict[Place, _UnderWay] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.core = core_of(loaded, Metrics(), random, clock, self._withdraw)
        self.engine = Engine(
            self.core,
            self._intake,
            {name: endpoint.ports for name, endpoint in endpoints.items()},
            self,
            Learn(schemas.port, schemas.learn, schemas.expire),
            lambda assigned: _Window(assigned, self._message_settled),
            Metrics(),
            clock,
            Backoff(0.5, 30.0, random.random),
            _Dependencies(clock, flooded, self._of_origin),
            self._look_after_letters,
        )
        self.engine.connect(self)

    async def _look_after_letters(self, topics: Iterable[str]) -> None:
        """The topics are there: letters were read from them."""

    # --- what is sent ---------------------------------------------------------------------------

    def assigned(self, owned: Owned, start: int) -> None:
        self.engine.assigned([Assigned(owned, Position(start), NOTHING, 0)])

    def send(self, ready: Sequence[Ready]) -> None:
        """Take these in; of one partition in their order."""
        for one in ready:
            record = one.item.record
            self._under_way[record.partition, record.offset] = _UnderWay(one)
        self.engine.taken_in(HandedOver([one.item.record for one in ready], ()))

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """They are gone: what was under way of them is another replay's now."""
        gone = frozenset(partitions)
        for place in [place for place in self._under_way if place[0] in gone]:
            self._settled(1, self._under_way.pop(place).ready.item.record.size)

    def _intake(self, need: Callable[[SchemaRef], None]) -> Intake:
        return Intake(
            self.core, self._decode, self._route, self._ordering, self._table.cancelled, need
        )

    def _decode(self, message: Message) -> Decoded:
        ready = self._under_way[message.partition, message.offset].ready
        if ready.bad is not None:
            return BadMessage(message, ready.bad, ready.schema)
        event = ready.event
        if isinstance(event, Event):
            return Event(message, event.schema, event.fields, event.avro_key)
        return Tombstone(message)

    def _route(self, event: Event | Tombstone) -> Routed:
        record = event.message
        ready = self._under_way[record.partition, record.offset].ready
        return Routed(
            tuple(msgspec.structs.replace(report, message=record) for report in ready.reports)
        )

    def _withdraw(self, job: Job) -> bool:
        """Whether it is not to be sent any more: its letter was dropped meanwhile, or a later
        cancel (of a cancel, a report) was written."""
        message = job.entry.message
        under_way = self._under_way.get((message.partition, message.offset))
        if under_way is None:
            return False
        item = under_way.ready.item
        if item.found is None or self._is_open(item.found):
            left = self._superseded(item, report_of(job))
            if left is None:
                return False
            if not under_way.is_withdrawn:
                self._account.leave(left)
        under_way.is_withdrawn = True
        return True

    # --- the core's letters ---------------------------------------------------------------------

    def _of_origin(self, letter: DeadLetter) -> DeadLetter | None:
        under_way = self._under_way.get((letter.message.partition, letter.message.offset))
        if under_way is None:
            return letter
        return None if under_way.is_withdrawn else written_again(letter, under_way.ready.item)

    async def write(self, letter: DeadLetter) -> Written | NotWritten:
        """As a letter of the message's origin, with what was known of it before."""
        record = letter.message
        under_way = self._under_way.get((record.partition, record.offset))
        if under_way is None:
            return NotWritten(Failed.TRANSIENT, "its partition has gone to another replay")
        item, found = under_way.ready.item, under_way.ready.item.found
        if found is not None and not self._is_open(found):
            # Somebody dropped it while its call was under way: it stays so.
            under_way.is_withdrawn = True
            return Written(found.partition.topic, found.partition.number, found.offset)
        again = written_again(letter, item)
        outcome = await self._put(again, item, shrunk=False)
        if isinstance(outcome, NotWritten) and outcome.kind is Failed.TOO_LARGE:
            outcome = await self._put(again, item, shrunk=True)
        if isinstance(outcome, Written):
            refusal = again.refusal
            under_way.again.append(Again(letter_id(again), refusal.reason.value, again.route))
        return outcome

    async def _put(self, letter: DeadLetter, item: Item, *, shrunk: bool) -> Written | NotWritten:
        history = history_of(item.letter) if item.letter is not None else ()
        record = write_record(
            letter,
            self._template,
            self._cluster_id,
            self._clock.wall_ms(),
            shrunk,
            history,
            self._writer.group,
        )
        if item.found is not None:
            # Where the first one stands: of one id the last record of a partition counts.
            place = item.found.partition
            record = msgspec.structs.replace(record, topic=place.topic, partition=place.number)
        return await self._writer.put(record)

    # --- what is settled --------------------------------------------------------------------------

    def _message_settled(self, partition: Partition, offset: Offset) -> None:
        under_way = self._under_way.pop((partition, offset), None)
        if under_way is None:
            return
        item, again = under_way.ready.item, under_way.again
        if under_way.is_withdrawn:
            return
        if again:
            self._account.failed_again(again)
        else:
            self._account.sent()
        if self._marker is None or item.found is None:
            return
        if any(one.id == item.found.id for one in again):
            return  # it stands behind the old one, and is open
        why = f"written again as {', '.join(one.id for one in again)}" if again else "accepted"
        self._marker.mark(item.found, Handling.REPLAYED, why, _other_key(under_way.ready))

    # --- the engine's source --------------------------------------------------------------------

    def commit(self, plans: Sequence[CommitPlan]) -> None:
        """Committed is what is marked: a report that follows a cancel waits for that."""
        task = asyncio.get_running_loop().create_task(self._commit(tuple(plans)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _commit(self, plans: tuple[CommitPlan, ...]) -> None:
        if self._marker is not None:
            try:
                await self._marker.settled(frozenset(plan.owned.partition for plan in plans))
            except NotMarked:
                return  # the replay ends for it
        self.engine.committed(CommitResult(plans, ()))

    def settled(self, owned: Owned, messages: int, size: int) -> None:
        self._settled(messages, size)

    def took(self) -> None:
        """What is held is counted by `settled`."""

    def span_full(self, owned: Owned, full: bool) -> None:
        """A replay ends: its window holds some thousands, and runs of what was settled."""


def _other_key(ready: Ready) -> str:
    """The key that it was sent with, where that is not the letter's."""
    letter = ready.item.letter
    known = letter.letter.idempotency_key if letter is not None else ""
    keys = [it.idempotency_key for it in ready.reports if isinstance(it, Report)]
    return next((key for key in keys if key and key != known), "")


def written_again(letter: DeadLetter, item: Item) -> DeadLetter:
    """The new letter of the origin; attempts and their times go on from the old one's."""
    old = item.letter.letter if item.letter is not None else None
    changes: dict[str, object] = {"message": item.origin}
    if old is not None:
        first = [ms for ms in (old.first_attempt_ms, letter.first_attempt_ms) if ms is not None]
        changes |= {
            "attempts": old.attempts + letter.attempts,
            "first_attempt_ms": min(first, default=None),
            "schema": letter.schema or old.schema,
            "entity": letter.entity or old.entity,
            "idempotency_key": letter.idempotency_key or old.idempotency_key,
        }
    return msgspec.structs.replace(letter, **changes)


def history_of(letter: Letter) -> tuple[Earlier, ...]:
    """What the next letter says of this one and those before it."""
    it, refusal = letter.letter, letter.letter.refusal
    this = Earlier(
        refusal.reason.value,
        refusal.detail,
        refusal.status,
        refusal.code,
        refusal.request_id,
        it.attempts,
        it.last_attempt_ms,
        letter.written_ms,
    )
    return (*letter.history, this)
