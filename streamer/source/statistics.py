"""What do librdkafka's statistics say about the group and the ends of the partitions?"""

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


class _Statistics(Struct, frozen=True):
    topics: dict[str, _TopicPart] = {}
    cgrp: _GroupPart = _GroupPart()


_decoder = msgspec.json.Decoder(_Statistics)


class Statistics(Struct, frozen=True):
    """One report of librdkafka."""

    group_state: str = ""
    join_state: str = ""
    ends: dict[Partition, Position] = {}
    """The position at each partition's end, up to which it can be read now: of open transactions
    nothing counts."""

    @property
    def joined(self) -> bool:
        """Whether this process is a member of its group, with partitions or without."""
        return self.group_state == "up" and self.join_state == "steady"


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
    return Statistics(raw.cgrp.state, raw.cgrp.join_state, ends)
