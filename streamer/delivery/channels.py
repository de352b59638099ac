"""What is sent where? A lane is all that goes to one app instance of one endpoint entry; a channel
is what of it has one trigger.

Ready reports stand in their channel's queues. A channel that may send stands in one of its lane's
places, of which there is one for each degree of trust; `turns.py` says when each has its turn.
"""

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, IntEnum
from itertools import chain

from streamer.delivery.breaker import Breaker, BreakerState
from streamer.delivery.jobs import Job
from streamer.delivery.quota import QuotaMinute
from streamer.delivery.retry import Backoff
from streamer.model import Action, LaneKey

BREAKER_THRESHOLD = 10
"""Failures in a row: with a tenth of all calls failing at random, one in 10^10 would open it."""


class Trust(IntEnum):
    """Is the channel's next call likely to hang, and to take all of its time-out?

    What fails at once takes no call from anybody: that is its breaker's affair alone.
    """

    SURE = 0
    SHAKEN = 1
    """A call hung and came to nothing, and none got through since."""
    LOST = 2
    """And so did one that was made after it."""


class Channel:
    """The reports of one lane with one trigger."""

    __slots__ = (
        "accepted_at",
        "accepting_s",
        "apart",
        "cancels",
        "denial",
        "got_through_at",
        "in_flight",
        "lane",
        "lingers_until",
        "outage",
        "probes",
        "recovered_at",
        "reports",
        "resumed_at",
        "retries",
        "sent_last",
        "standing",
        "trigger",
        "trust",
    )

    def __init__(self, lane: "Lane", trigger: str, pauses: Backoff, denials: Backoff) -> None:
        self.lane = lane
        self.trigger = trigger
        self.reports: deque[Job] = deque()
        self.cancels: deque[Job] = deque()
        self.apart: list[list[Job]] = []
        """Parts of calls that were refused as a whole: each goes as a call of its own."""
        self.sent_last = Action.CANCEL
        self.lingers_until: float | None = None
        """The first report waits for company until then (`delivery.batch.linger`)."""
        self.trust = Trust.SURE
        self.standing = False
        """Stands in its lane's place of this trust."""
        self.outage = Breaker(BREAKER_THRESHOLD, pauses)
        self.denial = Breaker(1, denials)
        """403 holds this trigger in this lane at the first one."""
        self.in_flight = 0
        """Calls."""
        self.probes = 0
        """Calls in flight that were started while a breaker was half open."""
        self.accepted_at: float | None = None
        self.accepting_s = 0.0
        """For how long reports were accepted: the clock of the retry budget."""
        self.recovered_at = 0.0
        """When one of its breakers closed last."""
        self.got_through_at = float("-inf")
        self.resumed_at = float("-inf")
        """When a call got through last, and when one last did after it had stood still."""
        self.retries: dict[int, Job] = {}
        """Those that wait for the moment of their next attempt, by a number."""

    @property
    def holds(self) -> Breaker | None:
        """The breaker that lets no call through, if one is not closed."""
        if not self.denial.is_closed:
            return self.denial
        if not self.outage.is_closed:
            return self.outage
        return None

    @property
    def may_stand(self) -> bool:
        """Whether it has something to send, and nothing of its own keeps it from that."""
        if not self.anything_waits:
            return False
        if self.holds is None:
            return self.lingers_until is None
        if BreakerState.OPEN in (self.denial.state, self.outage.state):
            return False
        return self.probes == 0

    @property
    def anything_waits(self) -> bool:
        return bool(self.reports or self.cancels or self.apart)

    @property
    def waiting(self) -> int:
        """How many reports and cancels wait for their turn."""
        return len(self.reports) + len(self.cancels) + sum(len(group) for group in self.apart)

    @property
    def is_idle(self) -> bool:
        return not self.anything_waits and not self.retries and self.holds is None

    @property
    def is_empty(self) -> bool:
        """Nothing is left in it that could show whether it goes again."""
        return not self.anything_waits and not self.retries and not self.in_flight

    def queue_of(self, action: Action) -> deque[Job]:
        return self.cancels if action is Action.CANCEL else self.reports

    def waiting_jobs(self) -> Iterator[Job]:
        return chain(self.reports, self.cancels, *self.apart)

    def keep(self, wanted: Callable[[Job], bool]) -> list[Job]:
        """Leave in the queues what is wanted; gives the others. Retries are not looked at."""
        removed: list[Job] = []
        for queue in (self.reports, self.cancels):
            removed += _keep(queue, wanted)
        for group in self.apart:
            removed += [job for job in group if not wanted(job)]
            group[:] = [job for job in group if wanted(job)]
        self.apart = [group for group in self.apart if group]
        return removed

    def forget_ended_retries(self) -> bool:
        """Keep no report of a fenced partition until its next attempt; whether there was one."""
        ended = [number for number, job in self.retries.items() if job.part.ended]
        for number in ended:
            del self.retries[number]
        return bool(ended)


def _keep(queue: deque[Job], wanted: Callable[[Job], bool]) -> list[Job]:
    removed = [job for job in queue if not wanted(job)]
    if removed:
        kept = [job for job in queue if wanted(job)]
        queue.clear()
        queue.extend(kept)
    return removed


class Place:
    """Where the lane's channels of one trust stand; a place itself stands in a row of them."""

    __slots__ = ("channels", "in_flight", "lane", "standing")

    def __init__(self, lane: "Lane") -> None:
        self.lane = lane
        self.channels: list[Channel] = []
        """In their turn. A list: it is short, and an empty deque takes ten times as much for each
        site seen."""
        self.in_flight = 0
        """Calls that were started from here."""
        self.standing = False
        """Stands in its row."""

    @property
    def may_stand(self) -> bool:
        return bool(self.channels) and not self.lane.is_held


class HeldBy(Enum):
    """What keeps a lane from its turn until a time."""

    THROTTLED = "throttled"
    """The endpoint answered 429."""
    QUOTA = "quota"
    """Its minute's calls are used up, or spread."""


class Lane:
    """One app instance of one endpoint entry: its channels, and what holds all of them."""

    __slots__ = (
        "channels",
        "deficit",
        "doubted_last",
        "held_by",
        "held_until",
        "in_flight",
        "key",
        "needs_token",
        "places",
        "quota",
        "since_doubted",
        "throttled_at",
        "throttles",
    )

    def __init__(self, key: LaneKey, quota: QuotaMinute | None, quantum: int) -> None:
        self.key = key
        self.channels: dict[str, Channel] = {}
        self.places = tuple([Place(self) for _ in Trust])
        """By trust."""
        self.since_doubted = 0
        """Calls from its sure place since one from another,"""
        self.doubted_last = Trust.LOST
        """and which of the others that was."""
        self.in_flight = 0
        """Calls of all its channels."""
        self.deficit = quantum
        """How many reports it may still send before it goes to the end of the turn."""
        self.quota = quota
        """None: it has none."""
        self.held_until: float | None = None
        """No call starts before."""
        self.held_by = HeldBy.THROTTLED
        self.throttles = 0
        """How often in a row the endpoint answered 429 to a call that started after the last."""
        self.throttled_at = float("-inf")
        self.needs_token = False
        """Left the turn until a token is there."""

    @property
    def is_held(self) -> bool:
        """Whether something keeps all of its channels from their turns."""
        return self.held_until is not None or self.needs_token

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember of it but its quota."""
        return (
            not self.is_held
            and not self.in_flight
            and not any(place.standing for place in self.places)
            and all(channel.is_idle for channel in self.channels.values())
        )
