"""At which moment does a partition without a committed offset start?

`kafka.start` names a moment: `latest` is now, `earliest` is the beginning of time. It counts once
for a group: each commit's metadata carries the moment on, and whoever finds a partition without
an offset takes it from there. So replicas, added partitions and topics that a pattern found later
miss nothing, although none of them was there when the group started.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from streamer.model import Partition, Position
from streamer.source.commit_metadata import MetadataRead

EARLIEST_MS = 0

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = re.compile(r"-([0-9]{1,9})(ms|s|m|h|d)")


def start_moment_ms(start: str, now_ms: int) -> int:
    """`latest`, `earliest`, `-2h` or an ISO 8601 moment with its zone, as milliseconds since the
    epoch. ValueError where it is none of these."""
    start = start.strip()
    if start == "latest":
        return now_ms
    if start == "earliest":
        return EARLIEST_MS
    if (ago := _AGO.fullmatch(start)) is not None:
        return max(EARLIEST_MS, now_ms - int(ago[1]) * _UNITS_MS[ago[2]])
    moment = datetime.fromisoformat(start)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return max(EARLIEST_MS, int(moment.timestamp() * 1000))


class Committed(Struct, frozen=True):
    """What the group has committed for a partition."""

    partition: Partition
    position: Position | None
    """None: the group has no offset for it."""
    metadata: MetadataRead = MetadataRead()


class Moment(Struct, frozen=True):
    """A moment to start at, and where it was taken from."""

    ms: int
    source: str
    """`topic`: offsets of the same topic; `subscription`: those of other topics with the same
    subscription; `configuration`: `kafka.start` of this process, since nothing else told."""


def moment_for(
    topic: str, committed: Iterable[Committed], subscription: str, configured_ms: int
) -> Moment:
    """The moment for partitions of `topic`, from all that the group has committed."""
    own: list[int] = []
    others: list[int] = []
    for one in committed:
        moment = one.metadata.started_at_ms
        if moment is None:
            continue
        if one.partition.topic == topic:
            own.append(moment)
        elif one.metadata.subscription == subscription:
            others.append(moment)
    if own:
        return Moment(min(own), "topic")
    if others:
        return Moment(min(others), "subscription")
    return Moment(configured_ms, "configuration")
