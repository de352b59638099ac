"""What passes between the poll thread and the event loop, in each direction?

The poll thread gives facts to a `Sink`, always called in the event loop, in order. The loop gives
the thread commit requests and counts of what was settled. Nothing else is shared.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from streamer.errors import SourceError
from streamer.model import Message, Owned, Partition, Position
from streamer.source.commit_metadata import Restored


class Assigned(Struct, frozen=True):
    """A partition that this process owns from now on, before its first message."""

    owned: Owned
    position: Position
    """Where reading starts."""
    restored: Restored
    """What the committed metadata said was settled beyond the position."""
    started_at_ms: int
    """The moment this group started at on this topic: carried on in each commit's metadata."""
    topic_digest: int | None = None
    """Of the id of the topic that the position is of; None: it is not known."""


class PartitionEnd(Struct, frozen=True):
    """The consumer read to the end: everything before `position` was handed over or is nothing."""

    owned: Owned
    position: Position


class Intake(Struct, frozen=True):
    """One hand-over of the poll thread: messages in order by partition, then the ends reached."""

    messages: Sequence[Message]
    ends: Sequence[PartitionEnd]


class CommitPlan(Struct, frozen=True):
    """What to commit for one partition. Made by its window, which is told of the result."""

    owned: Owned
    position: Position
    metadata: str
    number: int
    """Counts the window's plans, so that a result is matched with what the plan held."""


class CommitFailure(Struct, frozen=True):
    """Why a partition's commit did not succeed."""

    partition: Partition
    code: str
    """librdkafka's name, such as `REBALANCE_IN_PROGRESS` or `OFFSET_METADATA_TOO_LARGE`."""
    metadata_too_large: bool = False


class CommitResult(Struct, frozen=True):
    """How one commit request ended: every plan succeeded but those in `failures`."""

    plans: tuple[CommitPlan, ...]
    failures: tuple[CommitFailure, ...]


class Sink(Protocol):
    """The event loop's side; every method is called in the loop, in the order of the facts."""

    def assigned(self, assignments: Sequence[Assigned]) -> None: ...

    def taken_in(self, intake: Intake) -> None:
        """The source is told by `Source.took` when all of it was dealt with; until then it gives
        few more."""

    def revoking(
        self, owned: Sequence[Owned], finished: Callable[[Sequence[CommitPlan]], None]
    ) -> None:
        """Start no new call of these; call `finished` with the last plans (changed partitions
        only) once no call of theirs is in flight. The poll thread waits for it, within a bound;
        a call after that bound is ignored."""

    def revoked(self, owned: Sequence[Owned]) -> None:
        """They are gone, their last commit succeeded or not: fence."""

    def lost(self, owned: Sequence[Owned]) -> None:
        """They are gone already: fence at once, drop cancels in flight."""

    def committed(self, result: CommitResult) -> None: ...

    def heard(self, at: float) -> None:
        """When the group's coordinator answered last; told about once a second while it does."""

    def failed(self, error: SourceError) -> None:
        """The client ended for good; nothing more will come."""
