"""Which dead letter topics does a configuration have, and how are their letters looked through?

What all commands for dead letters begin with: a reader, the topics, and a filter.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

from msgspec import Struct

from streamer.assembly import Schemas, schemas_of
from streamer.config.loading import Loaded
from streamer.dead_letters.found import Found
from streamer.dead_letters.naming import source_of, topic_for
from streamer.dead_letters.newest import (
    Index,
    Standing,
    State,
    newest_first,
    partition_by_partition,
)
from streamer.dead_letters.reader import Span, TopicReader
from streamer.dead_letters.record import Letter
from streamer.dead_letters.stop import Stop
from streamer.dead_letters.wanted import Wanted, WrongFilter
from streamer.dead_letters.writer import Writer
from streamer.delivery.retry import Backoff
from streamer.edge.clock import SystemClock
from streamer.model import Message, Partition
from streamer.replay.events import EventFilter, EventReader
from streamer.replay.hiding import ShownOfRoutes
from streamer.replay.noted import Noted
from streamer.routing.topics import matches

GROUP_SUFFIX = ".dead-letters"
"""Of the group that replays join, after the configuration's `kafka.group_id`."""


class Asked(Struct, frozen=True):
    """What a person asks for."""

    wanted: Wanted = Wanted()
    expression: EventFilter | None = None

    @property
    def noted(self) -> Noted:
        """One that has seen nothing yet."""
        return Noted(self.wanted, self.expression)

    @property
    def is_for_all(self) -> bool:
        """Whether no filter was given."""
        return self.wanted == Wanted() and self.expression is None


class Topics(Struct, frozen=True):
    """The dead letter topics, and what can be read of them."""

    names: tuple[str, ...]
    spans: tuple[tuple[Partition, Span], ...]
    absent: tuple[str, ...]
    """Those that could be there and are not."""

    @property
    def records(self) -> int:
        return sum(len(span) for _, span in self.spans)


class Desk:
    """One command's way to the letters; `close` it in the end."""

    def __init__(self, loaded: Loaded) -> None:
        settings = loaded.settings
        self.loaded = loaded
        self.clock = SystemClock()
        self.random = Random()
        self.delivery_group = settings.kafka.group_id
        """Whose letters these are."""
        self.group_id = settings.kafka.group_id + GROUP_SUFFIX
        self.stop = Stop()
        self.shown = ShownOfRoutes(loaded)
        self.reader = self.new_reader()
        self.schemas: Schemas = schemas_of(settings, self.clock)
        self.events = EventReader(
            self.schemas,
            loaded.table.wants_key,
            Backoff(0.5, 5.0, self.random.random),
            self.stop,
        )

    def new_reader(self) -> TopicReader:
        kafka = self.loaded.settings.kafka
        properties = kafka.librdkafka_properties()
        return TopicReader(kafka.bootstrap_servers, properties, self.group_id, self.stop)

    def new_writer(self) -> Writer:
        """For marks and for letters that are written again; once `topics` was asked."""
        settings = self.loaded.settings
        return Writer(
            settings.kafka.bootstrap_servers,
            settings.kafka.librdkafka_properties(),
            settings.dead_letters.topic,
            self.reader.cluster_id,
            self.clock.wall_ms,
            self.delivery_group,
        )

    def new_index(self) -> Index:
        return Index(self.delivery_group)

    async def close(self) -> None:
        self.reader.close()
        await self.schemas.close()

    async def topics(self, sources: Sequence[str] = ()) -> Topics:
        """The dead letter topics of all sources that a route reads, or of those that are named.

        WrongFilter where one that is named has none.
        """
        return await asyncio.to_thread(self._topics, sources)

    def _topics(self, sources: Sequence[str]) -> Topics:
        template = self.loaded.settings.dead_letters.topic
        there = self.reader.topics()
        if sources:
            wanted = {topic_for(template, source): source for source in sources}
            for name, source in wanted.items():
                if name not in there:
                    raise WrongFilter(
                        f"topic {source} has no dead letter topic: there is no {name}"
                    )
            names = set(wanted)
        else:
            names = {name for name in there if self._is_ours(source_of(template, name))}
        named = [name for name in self.loaded.table.topics if not name.startswith("^")]
        absent = {topic_for(template, name) for name in named} - there.keys()
        partitions = [Partition(name, n) for name in sorted(names) for n in range(there[name])]
        spans = []
        for partition in partitions:
            self.stop.look()
            spans.append((partition, self.reader.span(partition)))
        return Topics(
            tuple(sorted(names)),
            tuple((partition, span) for partition, span in spans if len(span)),
            tuple(sorted(absent)),
        )

    def _is_ours(self, source: str | None) -> bool:
        if source is None:
            return False
        return not source or any(matches(topic, source) for topic in self.loaded.table.topics)

    def letters(
        self,
        asked: Asked,
        topics: Topics,
        index: Index,
        noted: Noted,
        *,
        states: frozenset[State] = frozenset({State.OPEN}),
        in_order: bool = True,
    ) -> AsyncIterator[Standing]:
        """The letters that are asked for. `in_order`: newest first over all partitions; without,
        one partition after the other, which is faster where all are read. `noted` is told of what
        comes by."""

        async def choose(found: Found, message: Message) -> bool:
            if not index.is_of_group(found):
                return False
            noted.saw(found)
            return await self.is_asked_for(asked, found, message)

        noted.begin(states, index.others, None if topics.names else topics.absent)
        walk = newest_first if in_order else partition_by_partition
        return _noting(noted, walk(self.reader, topics.spans, choose, index))

    async def is_asked_for(self, asked: Asked, found: Found, message: Message) -> bool:
        """`message`: the record, with its value."""
        if not asked.wanted.by_headers(found):
            return False
        if asked.expression is None:
            return True
        if not isinstance(found.what, Letter):
            return False
        event = await self.events.read(origin_of(found.what, message))
        return asked.expression.wants(event)


def origin_of(letter: Letter, record: Message) -> Message:
    """The message as it stood in the source topic."""
    message = letter.letter.message
    return Message(
        message.partition,
        message.generation,
        message.offset,
        message.timestamp_ms,
        record.key,
        record.value,
        message.headers,
        message.headers_readable,
    )


async def _noting(noted: Noted, standings: AsyncIterator[Standing]) -> AsyncIterator[Standing]:
    async for standing in standings:
        if noted.chose(standing):
            yield standing
    noted.ended()
