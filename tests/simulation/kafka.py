"""What does the simulation know of Kafka? A log, a group with generations, and its commits."""

from bisect import bisect_left
from dataclasses import dataclass, field

from streamer.model import LaneKey, Partition
from streamer.source.commit_metadata import settlement_hash

NOBODY = ""


@dataclass(frozen=True)
class Spec:
    """What a route would make of a message: enough to build a report from."""

    route: str
    trigger: str
    lane: LaneKey
    """`NOBODY` where its instance cannot be told."""
    cancel: bool = False
    entity: str | None = None
    """None in a refused one of the cancelled trigger: it cannot be told."""
    refused: bool = False
    """An expression of the route fails."""
    size: int = 20
    """Bytes of its payload."""

    @property
    def settlement(self) -> int:
        """What names it in a commit's metadata."""
        endpoint, instance = self.lane
        if not self.cancel or self.refused:
            return settlement_hash(f"r\x00{self.route}\x00{instance}")
        of = "" if endpoint == "default" else f"\x00{endpoint}"
        return settlement_hash(f"c\x00{self.trigger}\x00{instance}\x00{self.entity}{of}")


@dataclass(frozen=True)
class Record:
    """A record of the log. `kind`: `event`, `bad` (never decodes), `late` (schema comes later)."""

    partition: Partition
    offset: int
    key: bytes | None
    kind: str
    specs: tuple[Spec, ...]

    def name_of(self, spec: Spec) -> str:
        """Names the report wherever it is seen."""
        return f"{self.partition}@{self.offset}/{spec.route}"


@dataclass
class Committed:
    position: int = 0
    metadata: str = ""


@dataclass
class Broker:
    """The log, and the offsets that the group committed."""

    log: dict[Partition, list[Record]] = field(default_factory=dict)
    at: dict[tuple[Partition, int], Record] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)
    committed: dict[Partition, Committed] = field(default_factory=dict)

    def add(self, partition: Partition) -> None:
        self.log[partition] = []
        self.ends[partition] = 0
        self.committed[partition] = Committed()

    def append(self, record: Record) -> None:
        self.log[record.partition].append(record)
        self.at[record.partition, record.offset] = record
        self.ends[record.partition] = record.offset + 1

    def mark(self, partition: Partition) -> None:
        """An offset without a message, as a transaction's end leaves it."""
        self.ends[partition] += 1

    def read(self, partition: Partition, position: int, most: int | None = None) -> list[Record]:
        """Records from the position on; all of them without `most`."""
        if position >= self.ends[partition]:
            return []
        log = self.log[partition]
        first = bisect_left(log, position, key=lambda record: record.offset)
        return log[first : None if most is None else first + most]

    def uncommitted(self, partition: Partition) -> list[Record]:
        return self.read(partition, self.committed[partition].position)

    @property
    def is_committed_to_its_end(self) -> bool:
        return all(self.committed[part].position >= end for part, end in self.ends.items())
