"""`dead-letters replay`: which letters are open and asked for, and how are they sent again?"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from streamer.assembly import endpoints_of
from streamer.dead_letters.found import read_found
from streamer.dead_letters.newest import Index
from streamer.dead_letters.reader import Span
from streamer.dead_letters.record import Letter
from streamer.dead_letters.summary import Summary
from streamer.delivery.retry import Backoff
from streamer.delivery.sender import KEY_LIFE_S
from streamer.model import Action, Message, Partition
from streamer.replay.account import Account, line_of
from streamer.replay.cancels import LaterCancels
from streamer.replay.delivery import Delivery, sharing
from streamer.replay.desk import Asked, Desk, Topics, origin_of
from streamer.replay.events import EventReader
from streamer.replay.feeder import Feeder
from streamer.replay.job import CatchUp, Itemize, Job
from streamer.replay.marking import Marker
from streamer.replay.prepared import Item, Left
from streamer.replay.preparing import Manner, Preparer

REVOKE_MORE_S = 2.0
"""Beside `delivery.revoke_timeout`, for the marks."""


class Show(Protocol):
    """How a replay is shown while it goes on."""

    def say(self, line: str) -> None:
        """One line of output."""

    def begin(self, account: Account, stop: Callable[[str], None]) -> None:
        """It begins to send. `stop(why)` ends it in order."""

    def look(self, account: Account, waits: str) -> None:
        """How far it is, and why it waits, if it does."""

    def end(self) -> None: ...


class Surveyed(Struct, frozen=True):
    """What there is to replay."""

    summary: Summary
    spans: dict[Partition, Span]
    """From the first that is asked for to the end that was seen."""
    ends: dict[Partition, int]
    index: Index
    warnings: tuple[str, ...]


async def survey(desk: Desk, asked: Asked, topics: Topics) -> Surveyed:
    """One pass over the topics; holds some bytes for each letter."""
    summary, index = Summary(), Index()
    first: dict[Partition, int] = {}
    expired = cancels = 0
    lives = {route.name: route.parts.idempotency_ttl_ms for route in desk.loaded.table.routes}
    now_ms = desk.clock.wall_ms()
    async for standing in desk.letters(asked, topics, index, in_order=False):
        summary.add(standing.found)
        place = standing.found
        if isinstance(place.what, Letter):
            letter = place.what.letter
            cancels += letter.action == Action.CANCEL.value
            life_ms = lives.get(letter.route) or int(KEY_LIFE_S * 1000)
            began_ms = letter.first_attempt_ms
            expired += began_ms is not None and now_ms >= began_ms + life_ms
        first[place.partition] = min(place.offset, first.get(place.partition, place.offset))
    ends = {partition: span.end for partition, span in topics.spans}
    spans = {partition: Span(start, ends[partition]) for partition, start in first.items()}
    return Surveyed(summary, spans, ends, index, tuple(_warnings(expired, cancels)))


def _warnings(expired: int, cancels: int) -> Iterator[str]:
    if expired:
        yield (
            f"warning: {expired} were first sent so long ago that the endpoint may have forgotten"
            " their keys: what was accepted then runs twice now"
        )
    if cancels:
        yield f"{cancels} are cancels, which are left out without --cancels"


class Runner:
    """What a replay of letters and one of a source topic have in common."""

    def __init__(self, desk: Desk, manner: Manner, share_percent: float, show: Show) -> None:
        self._desk = desk
        self._share_percent = share_percent
        self._show = show
        self._waits = ""
        self._second = desk.new_reader()
        events = EventReader(
            desk.schemas,
            desk.loaded.table.wants_key,
            Backoff(0.5, 10.0, desk.random.random),
            self._registry_silent,
        )
        later = LaterCancels(
            self._second,
            events,
            desk.loaded.table,
            desk.reader.cluster_id,
            desk.clock.now,
            desk.clock.wall_ms,
        )
        self.preparer = Preparer(manner, desk.loaded.table, events, later, desk.clock.wall_ms)

    def close(self) -> None:
        self._second.close()

    def _registry_silent(self, why: str) -> None:
        self._waits = f"the schema registry does not answer: {why}"

    async def run(
        self,
        account: Account,
        spans: dict[Partition, Span],
        itemize: Itemize,
        catch_up: CatchUp,
        *,
        marks: bool,
    ) -> None:
        """Sends what the items make, until its end or until it is stopped."""
        desk, settings = self._desk, self._desk.loaded.settings
        loaded = sharing(desk.loaded, self._share_percent)
        endpoints = endpoints_of(loaded.settings)
        writer = desk.new_writer()
        marker = (
            Marker(writer, desk.clock.wall_ms, Backoff(0.5, 10.0, desk.random.random))
            if marks
            else None
        )
        job = Job(spans, self.preparer, itemize, catch_up, account, marker)
        loop = asyncio.get_running_loop()
        feeder = Feeder(
            settings.kafka.bootstrap_servers,
            desk.group_id,
            settings.kafka.librdkafka_properties(),
            spans,
            job,
            lambda method, *arguments: _tell(loop, method, arguments),
            settings.delivery.revoke_timeout.s + REVOKE_MORE_S,
        )
        delivery = Delivery(
            loaded,
            desk.schemas,
            endpoints,
            writer,
            marker,
            desk.reader.cluster_id,
            account,
            feeder.settled,
            job.stop,
            desk.clock,
            desk.random,
        )
        job.connect(feeder, delivery)
        self._show.begin(account, job.stop)
        try:
            await job.run(
                settings.delivery.drain_timeout.s,
                lambda: self._show.look(account, self._why_it_waits(delivery, marker)),
            )
        finally:
            self._show.end()
            await writer.close()
            await asyncio.gather(*(endpoint.close() for endpoint in endpoints.values()))

    def _why_it_waits(self, delivery: Delivery, marker: Marker | None) -> str:
        waits, self._waits = self._waits, ""
        lanes = delivery.core.held.lanes()
        if lanes:
            most = max(lanes, key=lambda lane: lane.reports)
            return f"{most.kind}: {most.why}" if most.why else most.kind
        if delivery.core.letters.unwritten:
            return next(iter(delivery.core.letters.unwritten.values()))
        return waits or (marker.waits if marker is not None else "")


def _tell(
    loop: asyncio.AbstractEventLoop, method: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(method, *arguments)


async def replay_letters(
    desk: Desk, asked: Asked, manner: Manner, share_percent: float, show: Show, *, dry_run: bool
) -> Account:
    topics = desk.topics(sorted(asked.wanted.topics))
    found = await survey(desk, asked, topics)
    account = Account(found.summary.total)
    for warning in found.warnings:
        show.say(warning)
    runner = Runner(desk, manner, share_percent, show)

    async def itemize(record: Message) -> Item | None:
        return await _item(desk, asked, found.index, record)

    async def catch_up(partition: Partition) -> None:
        reader = desk.reader
        end = (await asyncio.to_thread(reader.span, partition)).end
        batches = reader.read(partition, Span(found.ends[partition], end))
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for message in batch:
                found.index.newer(read_found(message, with_value=False))

    try:
        if dry_run:
            account.is_dry = True
            await _dry_run(desk, found, runner, itemize, account, show)
        elif found.spans:
            await runner.run(account, found.spans, itemize, catch_up, marks=True)
    finally:
        runner.close()
    return account


async def _item(desk: Desk, asked: Asked, index: Index, record: Message) -> Item | None:
    found = read_found(record)
    if not index.is_open(found) or not await desk.is_asked_for(asked, found, record):
        return None
    what = found.what
    return Item(record, origin_of(what, record) if isinstance(what, Letter) else record, found)


async def _dry_run(
    desk: Desk, found: Surveyed, runner: Runner, itemize: Itemize, account: Account, show: Show
) -> None:
    """In the order in which they would be sent, partition by partition; joins no group."""
    for partition, span in found.spans.items():
        batches = desk.reader.read(partition, span)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for record in batch:
                item = await itemize(record)
                if item is not None:
                    await dry_one(item, runner.preparer, account, show)


async def dry_one(item: Item, preparer: Preparer, account: Account, show: Show) -> None:
    """Says what would be sent of it."""
    made = await preparer.prepare(item)
    if isinstance(made, Left):
        account.leave(made)
        show.say(f"{made.id}: left out ({made.why.value}): {made.detail}")
        return
    account.expect(made)
    account.sent()
    for line in line_of(made):
        show.say(line)
