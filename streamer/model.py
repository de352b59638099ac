"""Which words does every part of `streamer` share, and what exactly is in each?

The way of an event: `Message` (bytes from Kafka) -> `Event` (decoded) -> `Report`s (what each
route makes of it) -> a call to the endpoint -> a settlement. `docs/architecture.md` tells the
whole of it. Everything here is a frozen value; nothing here does anything.

Hot types are `msgspec.Struct`s: frozen and slotted as a dataclass would be, and made in a fifth
of the time, which counts for values that are made once an event.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, NewType

from msgspec import Struct

Offset = NewType("Offset", int)
"""A record's own offset."""

Position = NewType("Position", int)
"""The next offset to read: one past everything that is settled without a gap."""

Generation = NewType("Generation", int)
"""Names one assignment of one partition to this process; grows, and is never used twice."""

Headers = tuple[tuple[str, bytes | None], ...]


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Owned(NamedTuple):
    """A partition as it was assigned to this process, once."""

    partition: Partition
    generation: Generation


class Message(Struct, frozen=True, eq=False):
    """The bytes that Kafka gave, and under which assignment they came."""

    partition: Partition
    generation: Generation
    offset: Offset
    timestamp_ms: int
    """Milliseconds since the epoch; -1 where the record has none."""
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    headers_readable: bool = True
    """False where the client could not read them (a header name that is not UTF-8)."""

    @property
    def size(self) -> int:
        """Bytes that holding this message is counted as, with a flat share for the objects."""
        size = len(self.key or b"") + len(self.value or b"") + 256
        for name, value in self.headers:
            size += len(name) + len(value or b"")
        return size

    def __str__(self) -> str:
        return f"{self.partition.topic}[{self.partition.number}]@{self.offset}"


class Reason(StrEnum):
    """Why a message or a report was refused; a dead letter's header and a metric's label."""

    UNDECODABLE = "undecodable"
    """The bytes are no value of their schema, or no known wire format."""
    UNKNOWN_SCHEMA = "unknown-schema"
    """The registry answered that it has no such schema, or it is no Avro schema."""
    EXPRESSION_FAILED = "expression-failed"
    """An expression of the route failed on this event."""
    PAYLOAD_INVALID = "payload-invalid"
    """What the route made breaks the endpoint's payload rules."""
    BAD_KEY = "bad-key"
    """The idempotency key or the entity is null, empty or too long."""
    DUPLICATE_KEY = "duplicate-key"
    """Another report of the same event has the same trigger and idempotency key."""
    REFUSED = "refused"
    """The endpoint refused it for good."""
    EXHAUSTED = "exhausted"
    """Tried for `delivery.retry_for` while others of its lane and trigger were accepted."""
    MAYBE_DELIVERED = "maybe-delivered"
    """An earlier attempt may have been accepted and its idempotency key may have expired."""
    LANE_HELD = "lane-held"
    """Its lane was held for longer than `delivery.hold` allows; the report itself is fine."""
    UNKNOWN_INSTANCE = "unknown-instance"
    """The endpoint gives no token for its app instance: the app was uninstalled there."""


class Refusal(Struct, frozen=True):
    """A named refusal: a value, not an exception. Holds no payload, key, token or secret."""

    reason: Reason
    detail: str
    """One sentence: what was found, where (field path), what to do."""
    status: int | None = None
    """The endpoint's HTTP status, where the endpoint refused."""
    code: str | None = None
    """The endpoint's application error code, where it gave one."""
    request_id: str | None = None
    """The endpoint's request id, for the vendor's support."""


# --- decoding ---------------------------------------------------------------------------------


class SchemaRef(NamedTuple):
    """How a message names its writer schema: one of the registry's id or GUID."""

    kind: str
    """`id` or `guid`."""
    value: str
    """The id in decimal, or the GUID in lower case with dashes."""

    def __str__(self) -> str:
        return f"schema {self.kind} {self.value}"


class KeyRefused(Struct, frozen=True):
    """The message's key was to be decoded and could not be."""

    refusal: Refusal


class Event(Struct, frozen=True, eq=False):
    """A decoded message."""

    message: Message
    schema: str
    """The writer schema's full name, such as `com.acme.billing.InvoiceOverdue`."""
    fields: Mapping[str, Any]
    """Field values as Python's own: Decimal, aware datetime, date, time, UUID, bytes, ..."""
    avro_key: Any = None
    """The decoded key, or `KeyRefused`, where the topic has a route with `key: avro`."""


class Tombstone(Struct, frozen=True, eq=False):
    """A message whose value is null."""

    message: Message
    avro_key: Any = None


class BadMessage(Struct, frozen=True, eq=False):
    """A message that will never decode."""

    message: Message
    refusal: Refusal
    schema: str
    """What the flood guard counts it under: a schema's name, `schema id 17`, or `none`."""


class SchemaNeeded(Struct, frozen=True, eq=False):
    """A message that can be decoded once its writer schema was fetched."""

    message: Message
    ref: SchemaRef


Decoded = Event | Tombstone | BadMessage | SchemaNeeded


# --- routing ----------------------------------------------------------------------------------


class Action(StrEnum):
    REPORT = "report"
    CANCEL = "cancel"


class LaneKey(NamedTuple):
    """All that goes to one app instance of one endpoint entry."""

    endpoint: str
    """Name of the endpoint entry; `default` in the single form."""
    instance: str


class Report(Struct, frozen=True, eq=False):
    """What one route makes of one event: the unit that is delivered."""

    message: Message
    route: str
    lane: LaneKey
    trigger: str
    action: Action
    entity: str | None
    """A GUID in lower case; needed for a cancel."""
    payload: bytes
    """The payload as a JSON object, encoded; empty for a cancel."""
    idempotency_key: str
    """1 to 80 characters, the same at every redelivery; empty for a cancel."""
    idempotency_ttl_ms: int | None = None
    """None: the endpoint's default, a week."""

    @property
    def endpoint(self) -> str:
        return self.lane.endpoint

    @property
    def settlement_id(self) -> str:
        """What names this report among those of its message, whatever the table's order.

        A cancel is named by trigger, instance and entity, not by route: a redelivered cancel must
        be known as settled although its route was renamed. With several endpoints theirs is a part
        of the name: the same entity may be cancelled at two of them.
        """
        if self.action is Action.CANCEL:
            endpoint = "" if self.lane.endpoint == "default" else f"\x00{self.lane.endpoint}"
            return f"c\x00{self.trigger}\x00{self.lane.instance}\x00{self.entity}{endpoint}"
        return f"r\x00{self.route}\x00{self.lane.instance}"


class RefusedReport(Struct, frozen=True, eq=False):
    """What a route could not make of an event."""

    message: Message
    route: str
    trigger: str
    action: Action
    refusal: Refusal
    instance: str | None = None
    """Where it could still be told."""
    endpoint: str = "default"
    entity: str | None = None
    """Where it could still be told."""
    any_entity: bool = False
    """It has an entity that could not be told: it may be about any."""

    @property
    def lane(self) -> LaneKey | None:
        """None where the instance could not be told."""
        return None if self.instance is None else LaneKey(self.endpoint, self.instance)

    @property
    def settlement_id(self) -> str:
        return f"r\x00{self.route}\x00{self.instance or ''}"


class Skipped(Struct, frozen=True):
    """Why a message, or a route of it, makes no report."""

    route: str
    """Empty where no route matched."""
    why: str
    """`no-route`, `tombstone` or `max-age`."""


class Routed(Struct, frozen=True, eq=False):
    """All that the routing table makes of one event, in the table's order."""

    reports: tuple[Report | RefusedReport, ...]
    skipped: tuple[Skipped, ...] = ()


# --- the endpoint -----------------------------------------------------------------------------


class Batch(Struct, frozen=True, eq=False):
    """Reports of one lane, one trigger and one action that share one call."""

    lane: LaneKey
    trigger: str
    action: Action
    reports: tuple[Report, ...]


class Answer(Struct, frozen=True):
    """What the endpoint answered to one call, complete."""

    status: int
    body: bytes
    retry_after_s: float | None = None
    """`Retry-After` as seconds from now, never negative; None where absent or unreadable."""
    request_id: str | None = None
    content_type: str = ""


class NoAnswerKind(StrEnum):
    NOT_SENT = "not-sent"
    """No connection: DNS, refused, TLS. The request never left."""
    TIMEOUT = "timeout"
    RESET = "reset"
    """The connection ended before the answer was complete."""
    BROKEN = "broken"
    """Not HTTP, a short body, a bad chunk, or an answer longer than the limit."""
    DROPPED = "dropped"
    """We let go of the connection ourselves (revoked, stalled)."""


class NoAnswer(Struct, frozen=True):
    """A call without a complete answer; all but NOT_SENT may have been accepted."""

    kind: NoAnswerKind
    detail: str
    """The client's words for the cause, without URL credentials, headers or bodies."""


Exchange = Answer | NoAnswer


# --- dead letters -----------------------------------------------------------------------------


class DeadLetter(Struct, frozen=True, eq=False):
    """A message, or one report of it, on its way to the dead letter topic."""

    message: Message
    refusal: Refusal
    route: str = ""
    """Empty for a message that did not decode."""
    trigger: str = ""
    action: str = ""
    instance: str = ""
    entity: str = ""
    schema: str = ""
    idempotency_key: str = ""
    """The key it was sent with, so that a replay uses the same."""
    attempts: int = 0
    first_attempt_ms: int | None = None
    """Wall clock, milliseconds since the epoch."""
    last_attempt_ms: int | None = None
