"""Was a report cancelled after its message was written?

A report that failed on Monday and is replayed on Thursday would start an automation that Tuesday's
cancel was to end. The source topic knows: it is read from the letter's origin on, by the routes of
today, for cancels of the same lane, trigger and entity. Each partition is read once for all of its
letters, and at most some seconds of what was written since are not seen.
"""

import asyncio
from collections.abc import Callable

from streamer.dead_letters.places import Places
from streamer.dead_letters.reader import Span, TopicReader
from streamer.model import Action, BadMessage, LaneKey, Message, Partition, Report
from streamer.replay.events import EventReader
from streamer.replay.prepared import LeftOut
from streamer.routing.table import RoutingTable

LOOK_AGAIN_S = 2.0
"""For so long the end of a partition is taken for known."""

Verdict = tuple[LeftOut, str]


class _Scanned:
    """What was read of one partition."""

    def __init__(self, start: int) -> None:
        self.span = Span(start, start)
        self.cancels = Places()
        self.known: Span | None = None
        """What there is of the partition, as it was asked last."""
        self.asked_at = float("-inf")


class LaterCancels:
    """Reads with a reader of its own."""

    def __init__(
        self,
        reader: TopicReader,
        events: EventReader,
        table: RoutingTable,
        cluster_id: str,
        now: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._events = events
        self._table = table
        self._cluster_id = cluster_id
        self._now = now
        self._wall_ms = wall_ms
        self._scanned: dict[Partition, _Scanned] = {}
        self._topics: dict[str, int] | None = None

    async def look(self, report: Report, origin: Message, cluster_id: str) -> Verdict | None:
        """Why the report must not be sent; None where nothing was found. `cluster_id`: of the
        origin, empty where it is not known."""
        if report.entity is None or (report.endpoint, report.trigger) not in self._table.cancelled:
            return None
        if cluster_id and self._cluster_id and cluster_id != self._cluster_id:
            return _unreadable(f"{origin} is of another Kafka cluster")
        partition, first = origin.partition, origin.offset + 1
        span = await self._known(partition)
        if span is None:
            return _unreadable(f"there is no {partition} any more")
        if first < span.start:
            return _unreadable(f"what was written behind {origin} was deleted by retention")
        if first > span.end:
            return _unreadable(f"{partition} ends before {origin}: it was made anew")
        scanned = await self._read(partition, first, span.end)
        last = scanned.cancels.get(_name(report.lane, report.trigger, report.entity))
        if last is None or last < first:
            return None
        return (
            LeftOut.SUPERSEDED,
            f"{partition}@{last} cancels the same trigger and entity later; drop it, or replay it"
            " with --superseded",
        )

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
            await self._scan(partition, Span(first, scanned.span.start), scanned)
            scanned.span = Span(first, scanned.span.end)
        if end > scanned.span.end:
            await self._scan(partition, Span(scanned.span.end, end), scanned)
            scanned.span = Span(scanned.span.start, end)
        return scanned

    async def _scan(self, partition: Partition, span: Span, scanned: _Scanned) -> None:
        batches = self._reader.read(partition, span)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for message in batch:
                await self._note(message, scanned.cancels)

    async def _note(self, message: Message, cancels: Places) -> None:
        event = await self._events.read(message)
        if isinstance(event, BadMessage):
            # What does not decode was never sent either: its dead letter is a letter like others.
            return
        for report in self._table.route(event, self._wall_ms()).reports:
            if not isinstance(report, Report) or report.action is not Action.CANCEL:
                continue
            if report.entity is not None:
                name = _name(report.lane, report.trigger, report.entity)
                if (cancels.get(name) or -1) < message.offset:
                    cancels.put(name, message.offset)


def _name(lane: LaneKey, trigger: str, entity: str) -> str:
    return "\0".join((lane.endpoint, lane.instance, trigger, entity))


def _unreadable(found: str) -> Verdict:
    return (
        LeftOut.SOURCE_UNREADABLE,
        f"{found}, so that a later cancel cannot be looked for; see whether one was sent, then drop"
        " it, or replay it with --superseded",
    )
