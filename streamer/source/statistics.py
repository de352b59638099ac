"""What do librdkafka's statistics say about the group and the ends of the partitions?"""

from struct import Struct as Layout

import msgspec
from msgspec import Struct

from streamer.model import Partition, Position


class _PartitionPart(Struct, frozen=True):
    hi_offset: int = -1001
    ls_offset: int = -1001


class _TopicPart(Struct, frozen=True):
    partitions: dict[str, _PartitionPart] = {}


class _GroupPart(Struct, frozen=True):
    state: str = ""
    join_state: str = ""


class _BrokerPart(Struct, frozen=True):
    state: str = ""
    rxidle: int = -1


class _Statistics(Struct, frozen=True):
    topics: dict[str, _TopicPart] = {}
    cgrp: _GroupPart = _GroupPart()
    brokers: dict[str, _BrokerPart] = {}


_decoder = msgspec.json.Decoder(_Statistics)


class Statistics(Struct, frozen=True):
    """One report of librdkafka."""

    group_state: str = ""
    join_state: str = ""
    """`steady` where there are partitions. A member under KIP-848 that has none stays `init`, so
    that this does not tell whether there is one: see `is_member`."""
    coordinator_silent_s: float | None = None
    """Since the group's coordinator answered last, whatever it was asked: it is asked for
    heartbeats all the time. None where there is no connection to it."""
    ends: dict[Partition, Position] = {}
    """The position at each partition's end, up to which it can be read now: of open transactions
    nothing counts."""


def read_statistics(text: str) -> Statistics:
    """Statistics from librdkafka's JSON (STATISTICS.md of its repository)."""
    raw = _decoder.decode(text)
    ends = {}
    for topic, part in raw.topics.items():
        for number, marks in part.partitions.items():
            end = marks.ls_offset if marks.ls_offset >= 0 else marks.hi_offset
            # Partition -1 stands for messages without one.
            if end >= 0 and number != "-1":
                ends[Partition(topic, int(number))] = Position(end)
    return Statistics(raw.cgrp.state, raw.cgrp.join_state, _silent_s(raw), ends)


def _silent_s(raw: _Statistics) -> float | None:
    coordinator = raw.brokers.get("GroupCoordinator", _BrokerPart())
    if raw.cgrp.state != "up" or coordinator.state != "UP" or coordinator.rxidle < 0:
        return None
    return coordinator.rxidle / 1e6


_GROUP_METADATA = Layout("=7si")  # rd_kafka_consumer_group_metadata_write: magic, generation


def is_member(group_metadata: bytes, statistics: Statistics) -> bool:
    """Whether this process is in its group, with partitions or without.

    `group_metadata` is what the client gives for transactions. It holds the generation (KIP-848:
    the member's epoch), which the broker gives to members only.
    """
    if len(group_metadata) >= _GROUP_METADATA.size:
        magic, generation = _GROUP_METADATA.unpack_from(group_metadata)
        if magic == b"CGMDv2:":
            return bool(generation > 0)
    return statistics.join_state == "steady"
