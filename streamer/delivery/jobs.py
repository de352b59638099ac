"""What is known of a report, a message and a partition while they are under way?"""

from bisect import bisect_right
from collections import deque
from collections.abc import Hashable
from heapq import heappop, heappush
from operator import attrgetter

from streamer.delivery.barriers import Barrier
from streamer.delivery.deferred import Deferred
from streamer.delivery.flood import FloodGuard
from streamer.model import (
    Action,
    BadMessage,
    LaneKey,
    Message,
    Offset,
    Owned,
    Position,
    RefusedReport,
    Report,
)
from streamer.source.commit_metadata import settlement_hash
from streamer.source.offsets import Window

EntityKey = tuple[LaneKey, str, str]
"""Lane, trigger, entity."""


class CancelMark:
    """A cancel that later reports of its entity must respect until the position has passed it."""

    __slots__ = ("number", "offset", "settlement")

    def __init__(self, number: int, offset: Offset, settlement: int) -> None:
        self.number = number
        """Counts the cancels of its entity, from 1."""
        self.offset = offset
        self.settlement = settlement

    def __lt__(self, other: "CancelMark") -> bool:
        return self.offset < other.offset


_number = attrgetter("number")


class EntityOrder:
    """Unsettled reports of one entity, and the cancels that are not passed by the position.

    A cancel waits for all that was before it, so that whoever waits for the last one waits for
    everything: each keeps two edges, however many there are.
    """

    __slots__ = ("cancels", "held_until", "key", "last_cancel", "numbered", "reports")

    def __init__(self, key: EntityKey) -> None:
        self.key = key
        self.reports: dict[Job, None] = {}
        """Those after the last cancel."""
        self.last_cancel: Job | None = None
        """None once it is settled."""
        self.cancels: list[CancelMark] = []
        self.numbered = 0
        self.held_until = 0
        """All cancels up to this number were `Pin.HELD`, and stay so: whoever follows them need
        not ask again, however long the position stands."""

    def mark(self, offset: Offset, settlement: int) -> CancelMark:
        """Remember one more cancel."""
        self.numbered += 1
        mark = CancelMark(self.numbered, offset, settlement)
        self.cancels.append(mark)
        return mark

    def cancels_not_held(self, until: int) -> list[CancelMark]:
        """The cancels up to this number that are not known to be held."""
        first = bisect_right(self.cancels, self.held_until, key=_number)
        return self.cancels[first : bisect_right(self.cancels, until, key=_number)]


class OwnedPartition:
    """One assignment of one partition: its window, and the order of what came from it."""

    __slots__ = (
        "barriers",
        "commit_waiters",
        "deferred",
        "ended",
        "entities",
        "in_flight",
        "marks",
        "owned",
        "parked",
        "payload_bytes",
        "postponed",
        "stopping",
        "tails",
        "timeline",
        "verified",
        "window",
    )

    def __init__(self, owned: Owned, window: Window) -> None:
        self.owned = owned
        self.window = window
        self.ended = False
        """Fenced: what still happens to its reports changes nothing here."""
        self.stopping = False
        """Being revoked or drained: no call starts."""
        self.verified = True
        """False after a stall, until a commit under this assignment succeeded."""
        self.in_flight = 0
        """Calls and dead letter writes that hold reports of this partition."""
        self.tails: dict[Hashable, Job] = {}
        """The last unsettled report by ordering key."""
        self.entities: dict[EntityKey, EntityOrder] = {}
        self.barriers: dict[Hashable, Barrier] = {}
        """What was refused and may be of any instance or entity keeps others back here."""
        self.marks: list[tuple[CancelMark, EntityOrder]] = []
        """Heap by offset of all cancels in `entities`."""
        self.commit_waiters: list[Job] = []
        """Reports that start once a cancel's settlement is committed."""
        self.parked: list[Job] = []
        """Reports that were ready while `verified` was false, and cancels that were ready while
        nothing was heard of the group."""
        self.deferred = Deferred()
        """Messages whose schema is not here yet, and those that must not pass them."""
        self.payload_bytes = 0
        """Of the payloads that were made of what is not settled."""
        self.postponed: deque[Message] = deque()
        """Taken into the window, and not looked at: there is no room for what may come of them."""
        self.timeline: deque[tuple[Offset, int]] = deque()
        """(offset, timestamp in ms) of the first message of each hand-over."""

    @property
    def may_call(self) -> bool:
        return self.verified and not self.stopping and not self.ended

    def oldest_unsettled_ms(self) -> int | None:
        """The timestamp of the hand-over that the position stands in."""
        timeline, position = self.timeline, self.window.position
        while len(timeline) > 1 and timeline[1][0] <= position:
            timeline.popleft()
        return timeline[0][1] if timeline else None

    def forget_all(self) -> None:
        """It was fenced: whoever still holds it (a call, a timer) keeps none of its messages."""
        self.tails.clear()
        self.entities.clear()
        self.barriers.clear()
        self.marks.clear()
        self.commit_waiters.clear()
        self.parked.clear()
        self.deferred.clear()
        self.postponed.clear()
        self.timeline.clear()

    def remember(self, entity: EntityOrder, offset: Offset, settlement: int) -> None:
        heappush(self.marks, (entity.mark(offset, settlement), entity))

    def forget_passed(self, position: Position) -> None:
        """Drop the cancels that the committed position has passed."""
        while self.marks and self.marks[0][0].offset < position:
            mark, entity = heappop(self.marks)
            entity.cancels.remove(mark)
            if not entity.cancels and not entity.reports:
                self.entities.pop(entity.key, None)


class Entry:
    """A message under way: settled when nothing of it is open."""

    __slots__ = ("message", "open", "part", "payload_bytes", "taken_at")

    def __init__(
        self,
        message: Message,
        part: OwnedPartition,
        open_count: int,
        taken_at: float,
        payload_bytes: int = 0,
    ) -> None:
        self.message = message
        self.payload_bytes = payload_bytes
        self.part = part
        self.open = open_count
        self.taken_at = taken_at


class Job:
    """One report (or what could not become one) on its way to its settlement."""

    __slots__ = (
        "attempts",
        "blockers",
        "chain",
        "entity",
        "entry",
        "failed_at_s",
        "failures",
        "first_attempt_at",
        "first_attempt_ms",
        "followers",
        "follows_cancel",
        "guard",
        "is_apart",
        "keeps_back",
        "last_attempt_ms",
        "letter_failures",
        "may_have_arrived",
        "next_attempt_at",
        "part",
        "queued_at_s",
        "subject",
    )

    def __init__(
        self, subject: Report | RefusedReport | BadMessage, entry: Entry, guard: FloodGuard
    ) -> None:
        self.subject = subject
        self.entry = entry
        self.part = entry.part
        self.guard = guard
        self.blockers = 0
        """Reports that must be settled before this one starts."""
        self.followers: list[Job] = []
        self.chain: Hashable = None
        """The ordering key under which it stands in `OwnedPartition.tails`."""
        self.entity: EntityOrder | None = None
        self.follows_cancel = 0
        """The number of its entity's last cancel before it: the settlements of all up to this one
        must be committed before it starts. 0: there is none, or they are."""
        self.keeps_back: tuple[Hashable, ...] = ()
        """The barriers that it stands in."""
        self.attempts = 0
        self.first_attempt_at: float | None = None
        self.first_attempt_ms: int | None = None
        self.last_attempt_ms: int | None = None
        self.failed_at_s: float | None = None
        """What its channel's clock (`Channel.accepting_s`) said at the first failure, and later by
        as much as it waited for its turn since."""
        self.queued_at_s = 0.0
        """What that clock said when it came to wait for its turn."""
        self.is_apart = False
        """It waits, or went, as a part of a call that was taken apart, with nobody else."""
        self.failures = 0
        self.may_have_arrived = False
        """An attempt ended so that the endpoint may have accepted it."""
        self.letter_failures = 0
        self.next_attempt_at = 0.0
        """Of one that stands in `Channel.retries`."""

    @property
    def settlement(self) -> int:
        subject = self.subject
        if isinstance(subject, BadMessage):
            return 0
        return settlement_hash(subject.settlement_id)

    @property
    def is_cancel(self) -> bool:
        subject = self.subject
        return not isinstance(subject, BadMessage) and subject.action is Action.CANCEL


def report_of(job: Job) -> Report:
    """What is sent; only for jobs that became a report."""
    assert isinstance(job.subject, Report)
    return job.subject
