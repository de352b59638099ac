"""`dead-letters replay`: which letters are open and asked for, and how are they sent again?"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from streamer.assembly import endpoints_of
from streamer.dead_letters.found import Found, read_found
from streamer.dead_letters.newest import Index
from streamer.dead_letters.reader import Span
from streamer.dead_letters.record import Letter
from streamer.dead_letters.stop import Stopped
from streamer.dead_letters.summary import Summary
from streamer.delivery.held import HeldLane
from streamer.delivery.retry import Backoff
from streamer.delivery.sender import KEY_LIFE_S
from streamer.model import Action, Message, Partition, RefusedReport
from streamer.replay.account import NAMED_MOST, Account, Again, line_of
from streamer.replay.cancels import Later
from streamer.replay.delivery import Delivery, sharing
from streamer.replay.desk import Asked, Desk, Topics, origin_of
from streamer.replay.events import EventReader
from streamer.replay.feeder import Feeder
from streamer.replay.job import CatchUp, Itemize, Job
from streamer.replay.marking import Marker
from streamer.replay.noted import Noted
from streamer.replay.prepared import Item, Left, would_end
from streamer.replay.preparing import Manner, Preparer
from streamer.replay.shown import ShownValues

REVOKE_MORE_S = 2.0
"""Beside the time for what is in flight, for the marks."""


class Show(Protocol):
    """How a replay is shown while it goes on."""

    def say(self, line: str) -> None:
        """One line of output."""

    def note(self, line: str) -> None:
        """One line beside the output."""

    def begin(self, account: Account) -> None:
        """It begins to send."""

    def look(self, account: Account, waits: str) -> None:
        """How far it is, and why it waits, if it does."""

    def end(self) -> None: ...


class Surveyed(Struct, frozen=True):
    """What there is to replay."""

    summary: Summary
    spans: dict[Partition, Span]
    """From the first that is asked for to the end that was seen."""
    ends: dict[Partition, int]
    """Up to where the index knows of everything."""
    index: Index
    warnings: tuple[str, ...]


class Cancels:
    """What would be undone: counts all, names a few."""

    def __init__(self) -> None:
        self._count = 0
        self._named: list[str] = []

    def add(self, id: str, trigger: str, entity: str, instance: str) -> None:
        self._count += 1
        if len(self._named) < NAMED_MOST:
            self._named.append(f"  {id}: {would_end(trigger, entity, instance)}")

    def lines(self, *, are_sent: bool) -> Iterator[str]:
        """To be said before anything is sent."""
        if not self._count:
            return
        if not are_sent:
            yield f"{self._count} are cancels, which are left out without --cancels"
            return
        yield f"warning: {self._count} are cancels; sent now"
        yield from self._named
        if self._count > len(self._named):
            yield f"  and {self._count - len(self._named)} more"


async def survey(
    desk: Desk, asked: Asked, topics: Topics, noted: Noted, manner: Manner
) -> Surveyed:
    """One pass over the topics; holds some bytes for each letter."""
    summary, index = Summary(), desk.new_index()
    first: dict[Partition, int] = {}
    expired, cancels = 0, Cancels()
    lives = {route.name: route.parts.idempotency_ttl_ms for route in desk.loaded.table.routes}
    now_ms = desk.clock.wall_ms()
    async for standing in desk.letters(asked, topics, index, noted, in_order=False):
        summary.add(standing.found)
        place = standing.found
        if isinstance(place.what, Letter):
            letter = place.what.letter
            if letter.action == Action.CANCEL.value:
                entity = desk.shown.entity(letter.route, letter.entity)
                cancels.add(place.id, letter.trigger, entity, letter.instance)
            elif not manner.new_key:
                life_ms = lives.get(letter.route) or int(KEY_LIFE_S * 1000)
                began_ms = letter.first_attempt_ms
                expired += began_ms is not None and now_ms >= began_ms + life_ms
        first[place.partition] = min(place.offset, first.get(place.partition, place.offset))
    ends = {partition: span.end for partition, span in topics.spans}
    spans = {partition: Span(start, ends[partition]) for partition, start in first.items()}
    warnings = (*_expired(expired), *cancels.lines(are_sent=manner.cancels))
    return Surveyed(summary, spans, ends, index, warnings)


def _expired(expired: int) -> Iterator[str]:
    if expired:
        yield (
            f"warning: {expired} were first sent so long ago that the endpoint may have forgotten"
            " their keys: what was accepted then runs twice now"
        )


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
            desk.stop,
            self._registry_silent,
        )
        later = Later(
            self._second, events, desk.loaded.table, desk.reader.cluster_id, desk.clock.now
        )
        self.preparer = Preparer(
            manner, desk.loaded.table, events, later, desk.clock.wall_ms, desk.shown
        )

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
        is_open: Callable[[Found], bool],
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
            # Nobody's events wait for a replay's partitions, so that a call may be waited for.
            max(settings.delivery.revoke_timeout.s, settings.delivery.drain_timeout.s)
            + REVOKE_MORE_S,
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
            is_open,
            self.preparer.superseded_since,
            desk.clock,
            desk.random,
        )
        job.connect(feeder, delivery)
        self._show.begin(account)
        desk.stop.tell(job.stop)
        try:
            await job.run(
                settings.delivery.drain_timeout.s,
                lambda: self._show.look(account, self._why_it_waits(job, marker)),
            )
        finally:
            self._show.end()
            await writer.close()
            await asyncio.gather(*(endpoint.close() for endpoint in endpoints.values()))

    def _why_it_waits(self, job: Job, marker: Marker | None) -> str:
        waits, self._waits = self._waits, ""
        core = job.delivery.core
        lanes = core.held.lanes()
        if lanes:
            return held_line(lanes)
        if core.letters.unwritten:
            return next(iter(core.letters.unwritten.values()))
        return waits or job.cannot_learn or (marker.waits if marker is not None else "")


def held_line(lanes: Sequence[HeldLane]) -> str:
    """Of what is held, what most waits for, and what to do for the others."""
    most = max(lanes, key=lambda lane: lane.reports)
    why = f": {most.why}" if most.why else ""
    more = f", and {len(lanes) - 1} more" if len(lanes) > 1 else ""
    return f"instance {most.lane.instance}, {most.kind}{why}{more} (others: --instance)"


def _tell(
    loop: asyncio.AbstractEventLoop, method: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(method, *arguments)


async def replay_letters(
    desk: Desk, asked: Asked, manner: Manner, share_percent: float, show: Show, *, dry_run: bool
) -> Account:
    noted = asked.noted
    try:
        topics = await desk.topics(sorted(asked.wanted.topics))
        found = await survey(desk, asked, topics, noted, manner)
    except Stopped:
        account = Account(0)
        account.stopped = desk.stop.why
        account.is_surveyed = False
        return account
    account = Account(found.summary.total)
    account.found_none = noted.found_none
    for line in noted.lines():
        show.note(line)
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
        found.ends[partition] = end

    try:
        if dry_run:
            account.is_dry = True
            await _dry_run(desk, found, runner, itemize, account, show)
        elif found.spans:
            await runner.run(
                account, found.spans, itemize, catch_up, found.index.is_open, marks=True
            )
    except Stopped:
        account.stopped = desk.stop.why
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
                    await dry_one(item, runner.preparer, account, show, desk.shown)


async def dry_one(
    item: Item, preparer: Preparer, account: Account, show: Show, shown: ShownValues
) -> None:
    """Says what would be sent of it."""
    made = await preparer.prepare(item)
    if isinstance(made, Left):
        account.leave(made)
        show.say(f"{made.id}: left out ({made.why.value}): {made.detail}")
        return
    again = [
        Again(item.id, it.refusal.reason.value, it.route)
        for it in made.reports
        if isinstance(it, RefusedReport)
    ]
    if made.bad is not None:
        again.append(Again(item.id, made.bad.reason.value, ""))
    if again:
        account.failed_again(again)
    else:
        account.expect(made)
        account.sent()
    for line in line_of(made, shown):
        show.say(line)
