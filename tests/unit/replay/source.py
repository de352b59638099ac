"""Routes, events and a source topic for the tests of replays, all in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from streamer.dead_letters.found import Found, read_found
from streamer.dead_letters.reader import Span, TopicReader
from streamer.dead_letters.record import Letter, write_record
from streamer.model import (
    BadMessage,
    DeadLetter,
    Event,
    Generation,
    Headers,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
    Tombstone,
)
from streamer.replay.cancels import Later
from streamer.replay.desk import origin_of
from streamer.replay.events import EventReader, Readable
from streamer.replay.prepared import Item
from streamer.replay.preparing import Manner, Preparer
from streamer.routing.table import RouteSpec, RoutingTable, compile_routes

TOPIC = "billing.invoices"
PARTITION = Partition(TOPIC, 0)
CLUSTER = "cluster"
NOW_MS = 1_800_000_000_000
SITE = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
WEEK_MS = 7 * 24 * 3600 * 1000


def table_of(*specs: RouteSpec) -> RoutingTable:
    made = compile_routes(specs, {})
    assert isinstance(made, RoutingTable), made
    return made


def spec(name: str, event: str, **given: Any) -> RouteSpec:
    fields: dict[str, Any] = {
        "topics": (TOPIC,),
        "event": event,
        "instance": "event.site",
        "entity": "event.invoice",
        **given,
    }
    return RouteSpec(name, **fields)


def routes() -> RoutingTable:
    """A report, its cancel, and a report that nothing cancels."""
    return table_of(
        spec("overdue", "Overdue", trigger="overdue", payload={"id": "event.invoice"}),
        spec("paid", "Paid", cancel="overdue"),
        spec("noted", "Overdue", trigger="noted", entity=None, payload={"id": "event.invoice"}),
    )


class JsonEvents:
    """Values are JSON: a type and fields; what is none does not decode."""

    def __init__(self) -> None:
        self.read_of: list[int] = []

    async def read(self, message: Message) -> Readable:
        self.read_of.append(message.offset)
        if message.value is None:
            return Tombstone(message)
        try:
            fields = json.loads(message.value)
        except ValueError:
            refusal = Refusal(Reason.UNDECODABLE, "no JSON")
            return BadMessage(message, refusal, "none")
        return Event(message, fields.pop("type"), fields)


def value(type: str, invoice: str = "i-1", site: str = SITE) -> bytes:
    return json.dumps({"type": type, "invoice": invoice, "site": site}).encode()


@dataclass
class Source:
    """A source topic with one partition, read as the real one is."""

    records: list[bytes | None] = field(default_factory=list)
    low: int = 0
    compacted: set[int] = field(default_factory=set)
    """Offsets whose records are gone."""
    spans_read: list[Span] = field(default_factory=list)
    is_there: bool = True

    def put(self, value: bytes | None) -> Message:
        self.records.append(value)
        return self.message(len(self.records) - 1)

    def message(self, offset: int) -> Message:
        return Message(
            PARTITION,
            Generation(0),
            Offset(offset),
            NOW_MS - 1000 + offset,
            b"k",
            self.records[offset],
        )

    # As `TopicReader` does.

    def topics(self) -> dict[str, int]:
        return {TOPIC: 1} if self.is_there else {}

    def span(self, partition: Partition) -> Span:
        return Span(self.low, len(self.records))

    def read(self, partition: Partition, span: Span) -> Iterator[list[Message]]:
        self.spans_read.append(span)
        for offset in range(span.start, span.end):
            if offset not in self.compacted:
                yield [self.message(offset)]


class AsTheyAre:
    """Hides nothing."""

    def key(self, route: str, key: str) -> str:
        return key

    def entity(self, route: str, entity: str) -> str:
        return entity


@dataclass
class Bench:
    """A preparer, and what it asks."""

    source: Source = field(default_factory=Source)
    table: RoutingTable = field(default_factory=routes)
    events: JsonEvents = field(default_factory=JsonEvents)
    now: float = 0.0

    def preparer(self, **manner: Any) -> Preparer:
        events = cast(EventReader, self.events)
        later = Later(cast(TopicReader, self.source), events, self.table, CLUSTER, lambda: self.now)
        return Preparer(Manner(**manner), self.table, events, later, lambda: NOW_MS, AsTheyAre())


def letter_of(message: Message, route: str = "overdue", **given: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "route": route,
        "trigger": "overdue",
        "action": "report",
        "instance": SITE,
        "idempotency_key": "sent-with",
        "attempts": 1,
        "first_attempt_ms": NOW_MS - 1000,
        "last_attempt_ms": NOW_MS - 500,
        **given,
    }
    return DeadLetter(message, Refusal(Reason.REFUSED, "no", 400), **fields)


def item_of(letter: DeadLetter, cluster: str = CLUSTER, *, shrunk: bool = False) -> Item:
    """The letter as it is read from the dead letter topic."""
    record = write_record(letter, "{topic}.dlq", cluster, NOW_MS, shrunk)
    return record_item(record.key, record.value, record.headers)


def record_item(key: bytes | None, value: bytes | None, headers: Headers) -> Item:
    message = Message(
        Partition(f"{TOPIC}.dlq", 0), Generation(1), Offset(7), NOW_MS, key, value, headers
    )
    found: Found = read_found(message)
    what = found.what
    origin = origin_of(what, message) if isinstance(what, Letter) else message
    return Item(message, origin, found)
