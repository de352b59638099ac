"""What exactly stands in a record of the dead letter topic?

Key and value are the original's, byte for byte. The original headers come first, in their order;
then ours, each beginning with `streamer-`, the first of them `streamer-version`. A record may
stand twice after a crash: its `streamer-id` is the same then.

Version 1 (texts are UTF-8, numbers decimal, times milliseconds since the epoch; a header whose
value is unknown or empty is left out):

    streamer-version            1
    streamer-id                 32 hex digits, of origin, route and instance
    streamer-group              the group of the delivery that wrote it (kafka.group_id); a record
                                without one, of an earlier release, is every group's
    streamer-reason             why it was refused (model.Reason)
    streamer-detail             one sentence, without values of fields
    streamer-status             the endpoint's HTTP status
    streamer-code               the endpoint's application error code
    streamer-request-id         the endpoint's request id
    streamer-route              the route that refused; absent for what did not decode
    streamer-trigger            its trigger key
    streamer-action             report or cancel
    streamer-instance           the app instance
    streamer-entity             the external entity id
    streamer-schema             the writer schema's full name, or how the message named it
    streamer-idempotency-key    the key it was sent with: a replay uses the same
    streamer-attempts           how often it was tried
    streamer-first-attempt      time of the first attempt
    streamer-last-attempt       time of the last attempt
    streamer-written            time this record was made
    streamer-origin-topic       where the message was read, with
    streamer-origin-partition
    streamer-origin-offset
    streamer-origin-timestamp   the message's own timestamp, -1 where it had none
    streamer-origin-cluster     id of the Kafka cluster
    streamer-history            of a letter that was written again: what the earlier ones said,
                                a JSON list (history.py)
    streamer-headers-unreadable 1 where the original headers could not be read, and are not here
    streamer-shrunk             1 where the rest was left out for the broker's size limit

What became of a letter stands in records of their own, the marks (marks.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct

from streamer.dead_letters.history import Earlier, history_text
from streamer.dead_letters.naming import topic_for
from streamer.dead_letters.our_headers import (
    LONGEST_TEXT,
    PARTITION_MOST,
    PREFIX,
    BadHeader,
    OurHeaders,
)
from streamer.model import (
    DeadLetter,
    Generation,
    Headers,
    Message,
    Offset,
    Partition,
    Refusal,
)

VERSION = 1
VERSION_HEADER = PREFIX + "version"

_NOT_OWNED = Generation(0)
"""What was read back belongs to no assignment."""


class Record(Struct, frozen=True):
    """A record as it is written."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None
    """Where it must stand."""
    origin: int | None = None
    """The origin's partition, which is the letter's too where the topic has as many; otherwise
    the key chooses."""


class Letter(Struct, frozen=True, eq=False):
    """A dead letter that was read back."""

    letter: DeadLetter
    id: str
    written_ms: int | None
    cluster_id: str
    shrunk: bool
    """Only reason and origin were written; the rest is empty because it is unknown."""
    history: tuple[Earlier, ...] = ()
    """Oldest first: what it said when it was written before."""
    group: str = ""
    """Of the delivery that wrote it; empty: not known, it is every group's."""


class NotReadable(StrEnum):
    FOREIGN = "foreign"
    """It has no `streamer-version` header."""
    VERSION = "version"
    """It was written by a later release."""
    CORRUPT = "corrupt"
    """A header that must be there is missing, or is not what it should be."""


class Unreadable(Struct, frozen=True):
    """A record that is no dead letter of ours, or not a whole one."""

    why: NotReadable
    detail: str
    """One sentence that names the header."""
    told: Mapping[str, str] = {}
    """What its other headers say, as far as they can be read, by name without the prefix."""
    group: str = ""


def letter_id(letter: DeadLetter) -> str:
    """The same for the same refusal of the same message, however often it is written."""
    message = letter.message
    parts = (
        message.partition.topic,
        str(message.partition.number),
        str(message.offset),
        str(message.timestamp_ms),
        letter.route,
        letter.instance,
    )
    digest = blake2b(digest_size=16)
    for part in parts:
        encoded = _encoded(part)
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()


def write_record(
    letter: DeadLetter,
    template: str,
    cluster_id: str,
    written_ms: int,
    shrunk: bool = False,
    history: Sequence[Earlier] = (),
    group: str = "",
) -> Record:
    """The record for this letter. `shrunk`: ours are version, id, group, reason and origin only."""
    message = letter.message
    ours = _shrunk(letter, group)
    if not shrunk:
        ours = _ours(letter, cluster_id, written_ms, history, group)
    return Record(
        topic_for(template, message.partition.topic),
        message.key,
        message.value,
        (*message.headers, *((PREFIX + name, _encoded(value)) for name, value in ours if value)),
        origin=message.partition.number,
    )


def _ours(
    letter: DeadLetter, cluster_id: str, written_ms: int, history: Sequence[Earlier], group: str
) -> Iterator[tuple[str, str]]:
    refusal = letter.refusal
    yield from _identity(letter, group)
    yield "detail", refusal.detail
    yield "status", _number(refusal.status)
    yield "code", refusal.code or ""
    yield "request-id", refusal.request_id or ""
    yield "route", letter.route
    yield "trigger", letter.trigger
    yield "action", letter.action
    yield "instance", letter.instance
    yield "entity", letter.entity
    yield "schema", letter.schema
    yield "idempotency-key", letter.idempotency_key
    yield "attempts", str(letter.attempts)
    yield "first-attempt", _number(letter.first_attempt_ms)
    yield "last-attempt", _number(letter.last_attempt_ms)
    yield "written", str(written_ms)
    yield from _origin(letter.message)
    yield "origin-cluster", cluster_id
    yield "history", history_text(history)


def _shrunk(letter: DeadLetter, group: str) -> Iterator[tuple[str, str]]:
    yield from _identity(letter, group)
    yield from _origin(letter.message)
    yield "shrunk", "1"


def _identity(letter: DeadLetter, group: str) -> Iterator[tuple[str, str]]:
    yield "version", str(VERSION)
    yield "id", letter_id(letter)
    yield "group", group
    yield "reason", letter.refusal.reason


def _origin(message: Message) -> Iterator[tuple[str, str]]:
    yield "origin-topic", message.partition.topic
    yield "origin-partition", str(message.partition.number)
    yield "origin-offset", str(message.offset)
    yield "origin-timestamp", str(message.timestamp_ms)
    yield "headers-unreadable", "" if message.headers_readable else "1"


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _encoded(text: str) -> bytes:
    # A text out of an event's JSON may hold half of a surrogate pair.
    return text[:LONGEST_TEXT].encode("utf-8", "surrogatepass")


# --- reading back -------------------------------------------------------------------------------


def read_record(key: bytes | None, value: bytes | None, headers: Headers) -> Letter | Unreadable:
    """The dead letter in a record. Never raises, whatever the record is."""
    # The last one: a dead letter topic that is itself read as a source nests our headers.
    starts = [n for n, (name, _) in enumerate(headers) if name == VERSION_HEADER]
    if not starts:
        return Unreadable(NotReadable.FOREIGN, f"there is no header {VERSION_HEADER}")
    start = starts[-1]
    # Headers of others behind ours were added since, and are kept with the original ones.
    ours = [pair for pair in headers[start:] if pair[0].startswith(PREFIX)]
    others = [pair for pair in headers[start:] if not pair[0].startswith(PREFIX)]
    found = OurHeaders(ours)
    try:
        version = found.needed("version")
        if version != VERSION:
            detail = f"the record has version {version}, and this release reads {VERSION}"
            return Unreadable(NotReadable.VERSION, detail)
        return _letter(found, key, value, (*headers[:start], *others))
    except BadHeader as bad:
        return Unreadable(NotReadable.CORRUPT, str(bad), found.told(), found.group())


def _letter(found: OurHeaders, key: bytes | None, value: bytes | None, headers: Headers) -> Letter:
    topic = found.text("origin-topic")
    if not topic:
        raise BadHeader(f"the header {PREFIX}origin-topic is missing")
    message = Message(
        partition=Partition(topic, found.needed("origin-partition", most=PARTITION_MOST)),
        generation=_NOT_OWNED,
        offset=Offset(found.needed("origin-offset")),
        timestamp_ms=found.needed("origin-timestamp", least=-1),
        key=key,
        value=value,
        headers=headers,
        headers_readable=not found.text("headers-unreadable"),
    )
    refusal = Refusal(
        reason=found.reason(),
        detail=found.text("detail"),
        status=found.number("status"),
        code=found.text("code") or None,
        request_id=found.text("request-id") or None,
    )
    letter = DeadLetter(
        message=message,
        refusal=refusal,
        route=found.text("route"),
        trigger=found.text("trigger"),
        action=found.text("action"),
        instance=found.text("instance"),
        entity=found.text("entity"),
        schema=found.text("schema"),
        idempotency_key=found.key(),
        attempts=found.number("attempts") or 0,
        first_attempt_ms=found.moment("first-attempt"),
        last_attempt_ms=found.moment("last-attempt"),
    )
    return Letter(
        letter=letter,
        id=found.text("id"),
        written_ms=found.moment("written"),
        cluster_id=found.text("origin-cluster"),
        shrunk=bool(found.text("shrunk")),
        history=found.history(),
        group=found.text("group"),
    )
