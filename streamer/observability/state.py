"""What is the state of this process now? One snapshot for gauges, health and the status page.

A snapshot is taken in the event loop, which owns the state, and is a plain value afterwards.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from streamer.delivery.core import Core
from streamer.delivery.intake import Intake
from streamer.delivery.jobs import OwnedPartition
from streamer.delivery.sender import HeldLane
from streamer.model import Partition

HELD_SHOWN = 50
"""Lanes named in a snapshot at the most, those with the most reports first."""


class SourceState(Protocol):
    """What the source tells of itself; may be called from any thread."""

    @property
    def last_turn(self) -> float:
        """When the poll thread turned last (the engine's clock)."""

    @property
    def joined(self) -> bool:
        """In the group, or waiting for a first topic to match."""

    @property
    def stuck(self) -> str | None:
        """Why nothing is read, if nothing is."""

    def ends(self) -> Mapping[Partition, int]:
        """The end offset of each assigned partition, as far as it is known."""

    def paused(self) -> frozenset[Partition]:
        """Partitions that are paused because a window is full."""


class PartitionState(Struct, frozen=True):
    topic: str
    partition: int
    generation: int
    position: int
    committed: int
    end: int | None
    window: int
    """Messages taken in and not settled."""
    undelivered: int
    lag: int
    lag_s: float
    paused: bool
    waits_for_schema: int
    waits_for_commit: int
    stuck: str


class LaneState(Struct, frozen=True):
    endpoint: str
    instance: str
    trigger: str
    reports: int
    why: str


class Snapshot(Struct, frozen=True):
    """Everything that a person asks first, in the order in which it is asked."""

    joined: bool
    stuck: str
    """Empty, or why nothing is read from Kafka."""
    calls_in_flight: int
    calls_limit: int
    held: dict[str, int]
    """Reports that wait for something other than their turn, by kind."""
    lanes: list[LaneState]
    floods: dict[str, int]
    app_held: dict[str, str]
    """By endpoint entry: empty, or why no token is to be had."""
    schemas_awaited: list[str]
    letters_unwritten: str
    """Empty, or why a dead letter cannot be written."""
    partitions: list[PartitionState]
    poll_age_s: float
    loop_age_s: float


def snapshot(
    core: Core, intake: Intake, source: SourceState, loop_turn: float, now: float, wall_ms: int
) -> Snapshot:
    """Look at everything once; called in the event loop."""
    lanes = core.sender.held_lanes()
    ends, paused = source.ends(), source.paused()
    return Snapshot(
        joined=source.joined,
        stuck=source.stuck or "",
        calls_in_flight=core.sender.in_flight,
        calls_limit=core.limit.limit,
        held=_held(core, lanes),
        lanes=[
            LaneState(lane.lane.endpoint, lane.lane.instance, lane.trigger, lane.reports, lane.why)
            for lane in sorted(lanes, key=lambda lane: -lane.reports)[:HELD_SHOWN]
        ],
        floods=core.letters.holding,
        app_held={name: book.state.app_held for name, book in core.books.items()},
        schemas_awaited=[str(ref) for ref in intake.awaited],
        letters_unwritten=next(iter(core.letters.unwritten.values()), ""),
        partitions=[
            _partition(part, ends.get(part.owned.partition), paused, wall_ms)
            for part in core.partitions.values()
        ],
        poll_age_s=max(0.0, now - source.last_turn),
        loop_age_s=max(0.0, now - loop_turn),
    )


def _held(core: Core, lanes: list[HeldLane]) -> dict[str, int]:
    held: Counter[str] = Counter(
        {
            "breaker": 0,
            "token": 0,
            "throttled": 0,
            "flood": sum(core.letters.holding.values()),
            "dead-letter": len(core.letters.unwritten),
            "schema": 0,
            "commit": 0,
        }
    )
    for lane in lanes:
        held[lane.kind] += lane.reports
    for part in core.partitions.values():
        held["schema"] += len(part.deferred)
        held["commit"] += len(part.commit_waiters)
    return dict(held)


def _partition(
    part: OwnedPartition, end: int | None, paused: frozenset[Partition], wall_ms: int
) -> PartitionState:
    window = part.window
    partition = part.owned.partition
    unread = max(0, end - window.next_to_read) if end is not None else 0
    oldest_ms = part.oldest_unsettled_ms() if window.held_messages else None
    return PartitionState(
        topic=partition.topic,
        partition=partition.number,
        generation=part.owned.generation,
        position=window.position,
        committed=window.committed_position,
        end=end,
        window=window.held_messages,
        undelivered=unread + window.held_messages,
        lag=max(0, end - window.committed_position) if end is not None else 0,
        lag_s=max(0.0, (wall_ms - oldest_ms) / 1000) if oldest_ms is not None else 0.0,
        paused=partition in paused,
        waits_for_schema=len(part.deferred),
        waits_for_commit=len(part.commit_waiters),
        stuck=window.stuck or "",
    )
