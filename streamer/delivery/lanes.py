"""Which lane sends next, and what?

A lane is all that goes to one app instance of one endpoint entry; a channel is what of it has one
trigger. Ready reports stand in their channel's queues. Lanes take turns by deficit round robin
(Shreedhar and Varghese 1995) in units of reports, and within a lane its channels take turns, so
that neither a busy site nor a busy trigger starves another.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from itertools import chain

from streamer.delivery.breaker import Breaker, BreakerState
from streamer.delivery.jobs import Job
from streamer.delivery.quota import QuotaMinute
from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.model import Action, LaneKey

BREAKER_THRESHOLD = 10
"""Failures in a row: with a tenth of all calls failing at random, one in 10^10 would open it."""


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
        self.standing = False
        """Stands in its lane's turn."""
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
    def anything_waits(self) -> bool:
        return bool(self.reports or self.cancels or self.apart)

    @property
    def waiting(self) -> int:
        """How many reports and cancels wait for their turn."""
        return len(self.reports) + len(self.cancels) + sum(len(group) for group in self.apart)

    @property
    def is_idle(self) -> bool:
        return not self.anything_waits and not self.retries and self.holds is None

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
        "held_by",
        "held_until",
        "in_flight",
        "key",
        "needs_token",
        "quota",
        "standing",
        "throttled_at",
        "throttles",
        "turn",
    )

    def __init__(self, key: LaneKey, quota: QuotaMinute | None, quantum: int) -> None:
        self.key = key
        self.channels: dict[str, Channel] = {}
        self.turn: list[Channel] = []
        """A list: it is short, and an empty deque takes ten times as much for each site seen."""
        self.in_flight = 0
        """Calls of all its channels."""
        self.standing = False
        """Stands in the turn of all lanes."""
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
    def may_stand(self) -> bool:
        return bool(self.turn) and self.held_until is None and not self.needs_token


class Lanes:
    """All lanes with something to send, in turn."""

    def __init__(
        self,
        pauses: Backoff,
        denials: Backoff,
        timers: Timers,
        quotas: Mapping[str, int | None],
        quantum: int = 1,
    ) -> None:
        """`quotas`: calls a minute and instance by endpoint entry; `quantum`: how many reports a
        lane sends in one turn, at least as many as a call has at most."""
        self._pauses = pauses
        self._denials = denials
        self._timers = timers
        self._quotas = quotas
        self._quantum = quantum
        self._lanes: dict[LaneKey, Lane] = {}
        self._turn: deque[Lane] = deque()
        self._sweep_at = SWEEP_FROM
        self._spent: dict[LaneKey, QuotaMinute] = {}
        """Of lanes that were forgotten within the minute."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, key: LaneKey) -> Lane | None:
        return self._lanes.get(key)

    def channel(self, key: LaneKey, trigger: str, now: float) -> Channel:
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= self._sweep_at:
                # Not at once: whoever asks may be in the midst of a call of a lane that looks idle.
                self._sweep_at = 2 * len(self._lanes)
                self._timers.at(now, self._sweep)
            lane = self._lanes[key] = Lane(key, self._quota(key), self._quantum)
        channel = lane.channels.get(trigger)
        if channel is None:
            channel = lane.channels[trigger] = Channel(lane, trigger, self._pauses, self._denials)
        return channel

    def _quota(self, key: LaneKey) -> QuotaMinute | None:
        spent = self._spent.pop(key, None)
        if spent is not None:
            return spent
        per_minute = self._quotas.get(key.endpoint)
        return None if per_minute is None else QuotaMinute(per_minute)

    def put(self, channel: Channel, job: Job, first: bool = False) -> None:
        """Queue a ready job; `first` keeps the place of one that was put off."""
        queue = channel.cancels if job.is_cancel else channel.reports
        job.queued_at_s = channel.accepting_s
        if first:
            queue.appendleft(job)
        else:
            queue.append(job)
        self.stand(channel)

    def put_apart(self, channel: Channel, groups: list[list[Job]]) -> None:
        """Each group goes as a call of its own, in this order and before all else."""
        channel.apart[:0] = [group for group in groups if group]
        self.stand(channel)

    def stand(self, channel: Channel) -> None:
        """Let the channel, and its lane, stand in the turn if they may."""
        _stand_in_lane(channel)
        self.stand_lane(channel.lane)

    def stand_lane(self, lane: Lane, first: bool = False) -> None:
        if not lane.standing and lane.may_stand:
            lane.standing = True
            if first:
                self._turn.appendleft(lane)
            else:
                self._turn.append(lane)

    def served(self, channel: Channel, reports: int) -> None:
        """The channel that `next` gave sent so many: a lane with some left stands first again."""
        lane = channel.lane
        lane.deficit -= reports
        has_some_left = lane.deficit > 0
        if not has_some_left:
            lane.deficit += self._quantum
        _stand_in_lane(channel)
        self.stand_lane(lane, first=has_some_left)
        if not lane.standing:
            lane.deficit = self._quantum

    def hold(self, lane: Lane, until: float, by: HeldBy) -> None:
        """No call of the lane starts before; what holds it longer stays."""
        if lane.held_until is not None and lane.held_until >= until:
            return
        lane.held_until = until
        lane.held_by = by

        def over(_: float) -> None:
            if lane.held_until == until:
                lane.held_until = None
                self.stand_lane(lane)

        self._timers.at(until, over)

    def linger(self, channel: Channel, until: float) -> None:
        """Let the channel wait for company until then, or until `in_full`."""
        channel.lingers_until = until

        def over(_: float) -> None:
            if channel.lingers_until == until:
                channel.lingers_until = None
                self.stand(channel)

        self._timers.at(until, over)

    def next(self, limit: int, now: float) -> Channel | None:
        """The channel whose turn it is; it and its lane left the turn until `served` or `stand`.

        `limit`: how many calls may be in flight, of which there are fewer. A lane that has more
        than its equal share of them lets the others go first: a slow site would have all of them
        in the end. At least one has no more, so the search ends.
        """
        turn = self._turn
        while turn:
            lane = turn.popleft()
            if not lane.may_stand or self._is_out_of_quota(lane, now):
                lane.standing = False
                continue
            if turn and lane.in_flight * (len(turn) + 1) > limit:
                turn.append(lane)
                continue
            lane.standing = False
            channel = _next_of(lane)
            if channel.anything_waits and _may_stand(channel):
                return channel
            # It is held since it stood there; that is no reason for the lane to lose its turn.
            self.stand_lane(lane, first=True)
        return None

    def _is_out_of_quota(self, lane: Lane, now: float) -> bool:
        if lane.quota is None:
            return False
        at = lane.quota.next_at(now)
        if at <= now:
            return False
        self.hold(lane, at, HeldBy.QUOTA)
        return True

    @property
    def anything_stands(self) -> bool:
        return bool(self._turn)

    def sweep_ended(self) -> None:
        """Drop the reports of fenced partitions from all queues."""
        for lane in self._lanes.values():
            for channel in lane.channels.values():
                had_retries = channel.forget_ended_retries()
                if channel.keep(lambda job: not job.part.ended) or had_retries:
                    forget_if_empty(channel)

    def _sweep(self, now: float) -> None:
        """Forget lanes with nothing to remember, so that 100,000 sites seen cost no memory.

        The calls of their last minute are remembered: a quota holds in every sliding minute.
        """
        self._spent = {key: quota for key, quota in self._spent.items() if quota.is_spent(now)}
        for key in [key for key, lane in self._lanes.items() if _is_idle(lane)]:
            quota = self._lanes.pop(key).quota
            if quota is not None and quota.is_spent(now):
                self._spent[key] = quota
        self._sweep_at = max(SWEEP_FROM, 2 * len(self._lanes))


SWEEP_FROM = 10_000


def _next_of(lane: Lane) -> Channel:
    """The lane's channel whose turn it is, by the same rule."""
    turn, in_flight = lane.turn, lane.in_flight
    channel = turn.pop(0)
    while turn and channel.in_flight * (len(turn) + 1) > in_flight:
        turn.append(channel)
        channel = turn.pop(0)
    channel.standing = False
    return channel


def _stand_in_lane(channel: Channel) -> None:
    if not channel.standing and channel.anything_waits and _may_stand(channel):
        channel.standing = True
        channel.lane.turn.append(channel)


def forget_if_empty(channel: Channel) -> None:
    """Close the breakers of a channel in which nothing is left that could probe them."""
    if not channel.anything_waits and not channel.retries and not channel.in_flight:
        channel.denial.got_through()
        channel.outage.got_through()


def _may_stand(channel: Channel) -> bool:
    if channel.holds is None:
        return channel.lingers_until is None
    if BreakerState.OPEN in (channel.denial.state, channel.outage.state):
        return False
    return channel.probes == 0


def _is_idle(lane: Lane) -> bool:
    return (
        not lane.standing
        and not lane.in_flight
        and lane.held_until is None
        and not lane.needs_token
        and all(channel.is_idle for channel in lane.channels.values())
    )
