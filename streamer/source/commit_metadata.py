"""What is the text that goes with a commit, and when may it be believed?

    streamer-1.BASE64

where the base64 (no padding) holds: a checksum over all of the text's content, digests of the
cluster id and of topic and partition, the position that it belongs to, the moment the group
started at, the fingerprint of the subscription, the done-set (`done_set.py`), and as its mark a
digest of the topic's id, where the broker tells ids and there is room.

It is believed only if it names this cluster, this topic and partition and exactly the offset it
came with: tools that mirror groups copy the text to offsets that they translated. What is not
believed is read as empty, with a word that says why. A reader of a new version has to be released
before its writer, since an unknown version is read as empty too.
"""

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterable
from enum import StrEnum
from hashlib import blake2b
from struct import Struct as Layout

from msgspec import Struct
from msgspec.structs import replace

from streamer.model import Offset, Partition, Position
from streamer.source.done_set import (
    MARK_BYTES,
    Corrupt,
    DenseSet,
    DoneSet,
    Part,
    Run,
    mark_of,
    pack,
    unpack,
    without_mark,
)
from streamer.source.done_set_choice import Choice, choose, size_of

__all__ = [
    "BROKER_LIMIT",
    "NOTHING",
    "CommitContext",
    "Encoded",
    "MetadataRead",
    "NoRoom",
    "Rejected",
    "Restored",
    "encode",
    "read",
    "room",
    "settlement_hash",
]

BROKER_LIMIT = 4096  # the broker's offset.metadata.max.bytes default

SPARE = 96
"""Bytes that only what must be carried may fill, so that it always finds some room: ten reports
of the message at the position, which could otherwise wait for room that only they can make."""

_VERSION = 1
_PREFIX = f"streamer-{_VERSION}."
_SHAPE = re.compile(r"streamer-([0-9]{1,4})\.(.*)", re.DOTALL)
_LONGEST = 65_536
"""Characters; 16 times the broker's default. Whatever is longer was not written here."""

_DIGEST_BYTES = 8
_HEAD = Layout(">8s8sqqB")
"""Cluster, partition, position, start moment, length of the fingerprint."""

Restored = DoneSet
"""The done-set that a commit carried, as a restart finds it.

All of it has to be carried on by every later commit until the position has passed it, not only
what a report once waited for: a cancel in it is not looked at again, so a later report of its
entity starts without asking, and the cancel must not come back after the next crash.
"""

NOTHING = Restored()


class CommitContext(Struct, frozen=True):
    """What a partition's metadata says beside the done-set; the same for all its commits."""

    cluster_id: str
    partition: Partition
    started_at_ms: int
    """The moment this group started at on this topic; milliseconds since the epoch."""
    subscription: str
    """Fingerprint of the subscription and of `kafka.start`: short hex."""
    topic_digest: int | None = None
    """Of the topic's id, by which a topic that is made again is told from the one before; None:
    the broker tells no ids."""


Choose = Callable[[int], Choice | None]


class Encoded(Struct, frozen=True):
    """A text for a commit."""

    text: str
    carried: DoneSet | DenseSet
    """What a restart will find in it."""
    reach: Offset | None
    """What is settled beyond this offset had no influence on it; None where all had room."""


class NoRoom(Struct, frozen=True):
    """What must be carried does not fit into the limit."""

    needed: int
    """The limit in bytes that would be enough."""


class Rejected(StrEnum):
    """Why a commit's metadata was not believed; a metric's label."""

    ABSENT = "absent"
    """There is none: nothing is wrong."""
    FOREIGN = "foreign"
    """Somebody else's text."""
    VERSION = "version"
    """Ours, of a version that this release cannot read."""
    CORRUPT = "corrupt"
    CLUSTER = "cluster"
    """Written for another cluster."""
    PARTITION = "partition"
    """Written for another topic or partition."""
    POSITION = "position"
    """Written for another position: somebody set the offset since."""


class MetadataRead(Struct, frozen=True):
    """What a commit's metadata said; empty where `rejected` says why."""

    restored: Restored = NOTHING
    started_at_ms: int | None = None
    subscription: str | None = None
    rejected: Rejected | None = None
    topic_digest: int | None = None
    """As in `CommitContext`; None where it was not known, or left out for want of room."""


def settlement_hash(settlement_id: str) -> int:
    """64 bits that name one report of a message, the same in every process.

    Two reports of one message that shared a hash would be taken for settled together; at 64 bits
    that is one in 10^17 for a message of ten reports.
    """
    digest = blake2b(settlement_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def room(context: CommitContext, limit: int = BROKER_LIMIT) -> int:
    """Bytes that the done-set may take under the broker's limit; negative if none fits at all."""
    # The client's binding adds a NUL, which the broker counts.
    characters = limit - 1 - len(_PREFIX)
    mark = 0 if context.topic_digest is None else MARK_BYTES
    return characters * 3 // 4 - _head_bytes(context) - mark


def encode(
    context: CommitContext,
    position: Position,
    must: DoneSet,
    runs: Iterable[Run],
    parts: Iterable[Part],
    limit: int = BROKER_LIMIT,
    dense: Choose = lambda room: None,
) -> Encoded | NoRoom:
    """The text for a commit of `position`: all of `must`, then what is nearest the position.

    `runs` and `parts` are all that is settled beyond the position, ascending; they are read only
    as far as they fit. The text is ASCII and has at most `limit - 1` characters.

    `dense(room)`: the same in many small holes, or None where there are few (`choose_dense`); it
    is not asked where something must be carried.
    """
    available = room(context, limit)
    needed = size_of(position, must)
    if needed > available and context.topic_digest is not None:
        # What must be carried goes first: without the id the offset is believed as ever.
        unmarked = replace(context, topic_digest=None)
        return encode(unmarked, position, must, runs, parts, limit, dense)
    if needed > available:
        more = _head_bytes(context) + needed
        return NoRoom(needed=len(_PREFIX) + (more * 4 + 2) // 3 + 1)
    spare = available - SPARE
    choice = dense(spare) if not must and spare > needed else None
    if choice is None:
        choice = choose(position, must, runs, parts, max(needed, spare))
    fingerprint = context.subscription.encode()
    head = _HEAD.pack(
        _digest(context.cluster_id),
        _digest(str(context.partition)),
        position,
        context.started_at_ms,
        len(fingerprint),
    )
    content = head + fingerprint + pack(position, choice.done, context.topic_digest)
    text = b64encode(_checksum(content) + content).rstrip(b"=").decode()
    return Encoded(_PREFIX + text, choice.done, choice.reach)


def read(
    text: str | None, committed: Position, cluster_id: str, partition: Partition
) -> MetadataRead:
    """What the metadata of a commit of `committed` says. Never raises, whatever the text is."""
    if not text:
        return MetadataRead(rejected=Rejected.ABSENT)
    shape = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
    if shape is None:
        return MetadataRead(rejected=Rejected.FOREIGN)
    if shape[1] != str(_VERSION):
        return MetadataRead(rejected=Rejected.VERSION)
    content = _opened(shape[2])
    if content is None:
        return MetadataRead(rejected=Rejected.CORRUPT)
    cluster, place, position, started_at_ms, length = _HEAD.unpack_from(content)
    if cluster != _digest(cluster_id):
        return MetadataRead(rejected=Rejected.CLUSTER)
    if place != _digest(str(partition)):
        return MetadataRead(rejected=Rejected.PARTITION)
    if position != committed:
        return MetadataRead(rejected=Rejected.POSITION)
    body = _HEAD.size + length
    try:
        subscription = content[_HEAD.size : body].decode()
        restored = unpack(committed, content[body:])
    except (Corrupt, UnicodeDecodeError):
        return MetadataRead(rejected=Rejected.CORRUPT)
    mark = mark_of(content[body:])
    if mark is not None:
        restored = without_mark(committed, restored, mark)
    return MetadataRead(restored, started_at_ms, subscription, topic_digest=mark)


def _head_bytes(context: CommitContext) -> int:
    return _DIGEST_BYTES + _HEAD.size + len(context.subscription.encode())


def _digest(name: str) -> bytes:
    # Digests, since a topic's name alone may have 249 of the 4,095 characters.
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def _checksum(content: bytes) -> bytes:
    return blake2b(_PREFIX.encode() + content, digest_size=_DIGEST_BYTES).digest()


def _opened(encoded: str) -> bytes | None:
    """The content if the base64 is exactly ours and the checksum is right."""
    try:
        sealed = a2b_base64(encoded + "=" * (-len(encoded) % 4), strict_mode=True)
    except (Base64Error, ValueError):
        return None
    # Several texts decode to the same bytes (the last character has unused bits).
    if b64encode(sealed).rstrip(b"=").decode() != encoded:
        return None
    checksum, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
    if len(content) < _HEAD.size or checksum != _checksum(content):
        return None
    return content
