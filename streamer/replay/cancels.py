"""What did the source say later about what a report starts, or a cancel ends?

A report that failed on Monday and is replayed on Thursday would start an automation that Tuesday's
cancel was to end; a cancel that is sent again ends what a report behind it has started. The source
topic knows: it is read from the letter's origin on, by the routes of today, for what is of the same
lane, trigger and entity. Each partition is read once for all of its letters, and read on while the
replay goes on (`read_on`): what is written while a letter waits for its call is seen before that
(`found`), but for the last seconds.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterator

from streamer.dead_letters.places import Places
from streamer.dead_letters.reader import Span, TopicReader
from streamer.model import Action, BadMessage, Message, Partition, Reason, RefusedReport, Report
from streamer.replay.events import EventReader
from streamer.replay.prepared import LeftOut
from streamer.routing.table import RoutingTable

LOOK_AGAIN_S = 2.0
"""For so long the end of a partition is taken for known."""

Verdict = tuple[LeftOut, str]

_OPPOSITE = {Action.REPORT: Action.CANCEL, Action.CANCEL: Action.REPORT}


class _Scanned:
    """What was read of one partition."""

    def __init__(self, start: int) -> None:
        self.span = Span(start, start)
        self.last = Places()
        """Where the last report or cancel stands, by its name; those that today's routes refuse
        have names of their own, of as much as is known of them."""
        self.stamps = array("I")
        """Of each offset in the span, the record's timestamp as `_stamp` has it; 0: no record."""
        self.unreadable = -1
        """The last message whose schema nobody knows any more: it may have been sent."""
        self.known: Span | None = None
        """What there is of the partition, as it was asked last."""
        self.asked_at = float("-inf")


class Later:
    """Reads with a reader of its own."""

    def __init__(
        self,
        reader: TopicReader,
        events: EventReader,
        table: RoutingTable,
        cluster_id: str,
        now: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._events = events
        self._table = table
        self._cluster_id = cluster_id
        self._now = now
        self._scanned: dict[Partition, _Scanned] = {}
        self._topics: dict[str, int] | None = None
        self._reading = asyncio.Lock()

    async def read_on(self) -> None:
        """Read what was written since to the partitions that were read."""
        for partition, scanned in list(self._scanned.items()):
            async with self._reading:
                there = await self._known(partition)
                if there is not None and there.end > scanned.span.end:
                    await self._read(partition, scanned.span.start, there.end)

    def found(self, report: Report, origin: Message) -> Verdict | None:
        """As `look`, of what was read so far."""
        scanned = self._scanned.get(origin.partition)
        if report.entity is None or scanned is None:
            return None
        if (report.endpoint, report.trigger) not in self._table.cancelled:
            return None
        return _verdict(report, _OPPOSITE[report.action], origin, scanned)

    async def look(self, report: Report, origin: Message, cluster_id: str) -> Verdict | None:
        """Why the report, or the cancel, must not be sent; None where nothing was found.
        `cluster_id`: of the origin, empty where it is not known."""
        async with self._reading:
            return await self._look(report, origin, cluster_id)

    async def _look(self, report: Report, origin: Message, cluster_id: str) -> Verdict | None:
        if report.entity is None or (report.endpoint, report.trigger) not in self._table.cancelled:
            return None
        wanted = _OPPOSITE[report.action]
        if cluster_id and self._cluster_id and cluster_id != self._cluster_id:
            return _unreadable(wanted, f"{origin} is of another Kafka cluster")
        partition, first = origin.partition, origin.offset
        span = await self._known(partition)
        if span is None:
            return _unreadable(wanted, f"there is no {partition} any more")
        if first < span.start:
            return _unreadable(wanted, f"what was written behind {origin} was deleted by retention")
        if first >= span.end:
            return _unreadable(wanted, f"{partition} ends before {origin}: it was made anew")
        scanned = await self._read(partition, first, span.end)
        if not _is_there(scanned, origin):
            return _unreadable(
                wanted,
                f"{origin} does not hold the message any more: {partition.topic} was compacted or"
                " made anew",
            )
        return _verdict(report, wanted, origin, scanned)

    async def _known(self, partition: Partition) -> Span | None:
        scanned = self._scanned.get(partition)
        if scanned is not None and self._now() - scanned.asked_at < LOOK_AGAIN_S:
            return scanned.known
        if self._topics is None:
            self._topics = await asyncio.to_thread(self._reader.topics)
        if partition.number >= self._topics.get(partition.topic, 0):
            return None
        asked_at = self._now()
        span = await asyncio.to_thread(self._reader.span, partition)
        if scanned is not None:
            scanned.known, scanned.asked_at = span, asked_at
        return span

    async def _read(self, partition: Partition, first: int, end: int) -> _Scanned:
        scanned = self._scanned.get(partition)
        if scanned is None:
            scanned = self._scanned[partition] = _Scanned(first)
        if first < scanned.span.start:
            before = await self._scan(partition, Span(first, scanned.span.start), scanned)
            scanned.stamps = before + scanned.stamps
            scanned.span = Span(first, scanned.span.end)
        if end > scanned.span.end:
            scanned.stamps += await self._scan(partition, Span(scanned.span.end, end), scanned)
            scanned.span = Span(scanned.span.start, end)
        return scanned

    async def _scan(self, partition: Partition, span: Span, scanned: _Scanned) -> "array[int]":
        stamps = array("I", bytes(array("I").itemsize * len(span)))
        batches = self._reader.read(partition, span)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for message in batch:
                stamps[message.offset - span.start] = _stamp(message)
                await self._note(message, scanned)
        return stamps

    async def _note(self, message: Message, scanned: _Scanned) -> None:
        event = await self._events.read(message)
        if isinstance(event, BadMessage):
            # What is no value of its schema was never sent either: its dead letter is a letter like
            # others. A schema may have been there when it was read.
            if event.refusal.reason is Reason.UNKNOWN_SCHEMA:
                scanned.unreadable = max(scanned.unreadable, message.offset)
            return
        # By its own time nothing is too old for a route's `max_age`: it was sent when it was new.
        for it in self._table.route(event, message.timestamp_ms).reports:
            if (it.endpoint, it.trigger) not in self._table.cancelled:
                continue
            if it.entity is None and not (isinstance(it, RefusedReport) and it.any_entity):
                continue
            refused = "refused" if isinstance(it, RefusedReport) else ""
            name = next(_names(it, it.action, refused))
            known = scanned.last.get(name)
            if known is None or known < message.offset:
                scanned.last.put(name, message.offset)


def _names(it: Report | RefusedReport, action: Action, refused: str) -> Iterator[str]:
    """Of an action about the same; then of less and less that is known of it."""
    about: tuple[str, ...] = (action.value, refused, it.endpoint, it.trigger)
    if it.lane is not None:
        if it.entity is not None:
            yield "\0".join((*about, it.lane.instance, it.entity))
        yield "\0".join((*about, it.lane.instance))
    yield "\0".join(about)


def _verdict(report: Report, wanted: Action, origin: Message, scanned: _Scanned) -> Verdict | None:
    partition, own = origin.partition, origin.offset
    last = scanned.last.get(next(_names(report, wanted, "")))
    if last is not None and last > own:
        return _superseded(wanted, f"{partition}@{last}")
    if scanned.unreadable > own:
        return _unreadable(wanted, f"the schema of {partition}@{scanned.unreadable} is gone")
    for name in _names(report, wanted, "refused"):
        last = scanned.last.get(name)
        if last is not None and last > own:
            return _unreadable(
                wanted,
                f"{partition}@{last} makes a {wanted.value} that today's routes refuse: it may have"
                " been sent, for this entity",
            )
    return None


def _is_there(scanned: _Scanned, origin: Message) -> bool:
    at = origin.offset - scanned.span.start
    return at < len(scanned.stamps) and scanned.stamps[at] == _stamp(origin)


def _stamp(message: Message) -> int:
    """32 bits of its timestamp, which are the same again after 49 days; never 0."""
    return (message.timestamp_ms & 0xFFFF_FFFF) or 1


def _superseded(wanted: Action, place: str) -> Verdict:
    found = (
        f"{place} cancels the same trigger and entity later"
        if wanted is Action.CANCEL
        else f"{place} reports the same trigger and entity later, and the cancel would end that too"
    )
    return (LeftOut.SUPERSEDED, f"{found}; drop it, or replay it with --superseded")


def _unreadable(wanted: Action, found: str) -> Verdict:
    return (
        LeftOut.SOURCE_UNREADABLE,
        f"{found}, so that a later {wanted.value} cannot be looked for; see whether one was sent,"
        " then drop it, or replay it with --superseded",
    )
