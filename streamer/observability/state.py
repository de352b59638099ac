"""What is the state of this process now? One snapshot for gauges, health and the status page.

A snapshot is taken in the event loop, which owns the state, and is a plain value afterwards.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from streamer.delivery.breaker import BreakerState
from streamer.delivery.core import Core
from streamer.delivery.held import DOUBTED, RETRY, HeldLane
from streamer.delivery.intake import Intake
from streamer.delivery.jobs import Job, OwnedPartition
from streamer.model import Partition
from streamer.observability.newest_letters import LetterState
from streamer.observability.standing import Standing

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
    stopped_by: "LaneState | None" = None
    """Where the report at the position waits for something other than its turn, and the partition
    is paused."""


class LaneState(Struct, frozen=True):
    endpoint: str
    instance: str
    trigger: str
    reports: int
    kind: str
    why: str
    for_s: float | None = None
    """Seconds until a call may go out again; None where that has no time of its own."""


class Snapshot(Struct, frozen=True):
    """Everything that a person asks first, in the order in which it is asked."""

    joined: bool
    stuck: str
    """Empty, or why nothing is read from Kafka."""
    calls_in_flight: int
    calls_limit: int
    held: dict[str, int]
    """Reports that wait for something other than their turn, by kind."""
    breakers: dict[str, int]
    """Triggers of lanes whose breaker is not closed, by kind."""
    lanes_known: int
    lanes_held: dict[str, int]
    """Triggers of lanes that are held, by kind. One with reports that wait for a retry is none."""
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
    tasks: int = 0
    """Of the event loop."""
    newest_letters: Sequence[LetterState] = ()
    """What went to the dead letter topics last, newest first."""


def snapshot(
    core: Core,
    intake: Intake,
    source: SourceState,
    standing: Standing,
    loop_turn: float,
    now: float,
    wall_ms: int,
    tasks: int = 0,
    newest_letters: Sequence[LetterState] = (),
) -> Snapshot:
    """Look at everything once; called in the event loop."""
    standing.keep({part.owned for part in core.partitions.values()})
    lanes = core.held.lanes()
    ends, paused = source.ends(), source.paused()
    stoppers = _stoppers(core, lanes, paused, now)
    return Snapshot(
        joined=source.joined,
        stuck=source.stuck or "",
        calls_in_flight=core.sender.in_flight,
        calls_limit=core.limit.limit,
        held=_held(core, lanes),
        breakers=_breakers(core),
        lanes_known=len(core.lanes),
        lanes_held=dict(Counter(lane.kind for lane in lanes if lane.kind != RETRY)),
        lanes=[
            _lane(core, lane, now)
            for lane in sorted(lanes, key=lambda lane: -lane.reports)[:HELD_SHOWN]
        ],
        floods=core.letters.holding,
        app_held={name: book.state.app_held for name, book in core.books.items()},
        schemas_awaited=[str(ref) for ref in intake.awaited],
        letters_unwritten=next(iter(core.letters.unwritten.values()), ""),
        partitions=[
            _partition(
                part, ends.get(part.owned.partition), paused, stoppers, standing, now, wall_ms
            )
            for part in core.partitions.values()
        ],
        poll_age_s=max(0.0, now - source.last_turn),
        loop_age_s=max(0.0, now - loop_turn),
        tasks=tasks,
        newest_letters=newest_letters,
    )


def _held(core: Core, lanes: list[HeldLane]) -> dict[str, int]:
    held: Counter[str] = Counter(
        {
            "breaker": 0,
            "token": 0,
            "throttled": 0,
            "quota": 0,
            DOUBTED: 0,
            RETRY: 0,
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


def _breakers(core: Core) -> dict[str, int]:
    channels = [channel for lane in core.lanes for channel in lane.channels.values()]
    return {
        "outage": sum(not channel.outage.is_closed for channel in channels),
        "denied": sum(not channel.denial.is_closed for channel in channels),
    }


def _lane(core: Core, held: HeldLane, now: float, job: Job | None = None) -> LaneState:
    """`job`: the one of its reports that is meant, if it is one."""
    key, until = held.lane, _held_until(core, held, now, job)
    for_s = None if until is None else round(max(0.0, until - now), 1)
    return LaneState(
        key.endpoint, key.instance, held.trigger, held.reports, held.kind, held.why, for_s
    )


def _held_until(core: Core, held: HeldLane, now: float, job: Job | None) -> float | None:
    """None while its probe is under way, and where it waits for a token."""
    lane = core.lanes.get(held.lane)
    if lane is None or held.kind == "token":
        return None
    channel = lane.channels[held.trigger]
    until, breaker = lane.held_until, channel.holds
    if breaker is not None and breaker.state is BreakerState.OPEN:
        until = breaker.probe_at
    elif breaker is not None and channel.probes:
        return None
    jobs = channel.retries.values() if held.kind == RETRY else ()
    attempt_at = min((it.next_attempt_at for it in jobs), default=None)
    if job is not None:
        attempt_at = job.next_attempt_at if job.next_attempt_at > now else None
    return max((it for it in (until, attempt_at) if it is not None), default=None)


def _stoppers(
    core: Core, lanes: Iterable[HeldLane], paused: frozenset[Partition], now: float
) -> dict[Partition, LaneState]:
    """By paused partition, where the report at its position waits."""
    stopped = {
        (partition, int(part.window.position))
        for partition, part in core.partitions.items()
        if partition in paused
    }
    found: dict[Partition, LaneState] = {}
    for lane in lanes if stopped else ():
        for job in core.held.jobs_of(lane):
            message = job.entry.message
            if (message.partition, int(message.offset)) in stopped:
                found[message.partition] = _lane(core, lane, now, job)
    return found


def _partition(
    part: OwnedPartition,
    end: int | None,
    paused: frozenset[Partition],
    stoppers: Mapping[Partition, LaneState],
    standing: Standing,
    now: float,
    wall_ms: int,
) -> PartitionState:
    window = part.window
    partition = part.owned.partition
    unread = max(0, end - window.next_to_read) if end is not None else 0
    oldest_ms = part.oldest_unsettled_ms() if window.held_messages else None
    taken_in_s = (wall_ms - oldest_ms) / 1000 if oldest_ms is not None else 0.0
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
        lag_s=max(taken_in_s, standing.age_s(part.owned, window.next_to_read, unread, now)),
        paused=partition in paused,
        waits_for_schema=len(part.deferred),
        waits_for_commit=len(part.commit_waiters),
        stuck=window.stuck or "",
        stopped_by=stoppers.get(partition),
    )
