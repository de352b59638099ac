"""Which lane sends next, and what?

A lane is all that goes to one app instance of one endpoint entry; a channel is what of it has one
trigger. Ready reports stand in their channel's queues. Lanes take turns by deficit round robin
(Shreedhar and Varghese 1995) in units of reports, and within a lane its channels take turns, so
that neither a busy site nor a busy trigger starves another.

There are two turns. In the second one stand the channels of which a call hung and came to nothing,
and none got through since: it is asked when the first has nothing to send, and has a quarter of the
calls in flight at most. So sites that hang cannot take all the calls, however many they are, each
with its first failures and its probes.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from itertools import chain

from streamer.delivery.breaker import Breaker, BreakerState
from streamer.delivery.jobs import Job
from streamer.delivery.quota import QuotaMinute
from streamer.delivery.retry import Backoff
from streamer.delivery.spent import SpentQuotas
from streamer.delivery.timers import Timers
from streamer.model import Action, LaneKey

DOUBTED_SHARE = 4
"""One of so many calls in flight is at most of a channel that was doubted,"""
DOUBTED_SURE = 32
"""and while it is fewer than one of so many,"""
DOUBTED_EVERY = 32
"""one of so many calls is, however much the others have to send."""
HUNG_S = 1.0
"""A call that came to nothing took so long: it hung."""
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
        "hung",
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
        """Stands in one of its lane's places."""
        self.outage = Breaker(BREAKER_THRESHOLD, pauses)
        self.denial = Breaker(1, denials)
        """403 holds this trigger in this lane at the first one."""
        self.hung = False
        """A call took long and came to nothing, and none got through since."""
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
    def is_doubted(self) -> bool:
        """Its next call may hang too, and take all of its time-out. What fails at once takes no
        call from anybody."""
        return self.hung

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


class Place:
    """A lane's place in one of the two turns."""

    __slots__ = ("channels", "lane", "standing")

    def __init__(self, lane: "Lane") -> None:
        self.lane = lane
        self.channels: list[Channel] = []
        """In their turn. A list: it is short, and an empty deque takes ten times as much for each
        site seen."""
        self.standing = False
        """Stands in the turn of all lanes."""

    @property
    def may_stand(self) -> bool:
        return bool(self.channels) and not self.lane.is_held


class Lane:
    """One app instance of one endpoint entry: its channels, and what holds all of them."""

    __slots__ = (
        "channels",
        "deficit",
        "doubted",
        "held_by",
        "held_until",
        "in_flight",
        "key",
        "needs_token",
        "place",
        "quota",
        "since_doubted",
        "throttled_at",
        "throttles",
    )

    def __init__(self, key: LaneKey, quota: QuotaMinute | None, quantum: int) -> None:
        self.key = key
        self.channels: dict[str, Channel] = {}
        self.place = Place(self)
        self.doubted = Place(self)
        """Of the channels that are doubted."""
        self.since_doubted = 0
        """Calls of the others since one of these."""
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
    def stands(self) -> bool:
        return self.place.standing or self.doubted.standing


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
        self._turn: deque[Place] = deque()
        self._doubted: deque[Place] = deque()
        self._since_doubted = 0
        """Calls of the first turn since one of the second."""
        self._sweep_at = SWEEP_FROM
        self._to_sweep: list[LaneKey] = []
        """Those that the sweep under way has not come to."""
        self._spent = SpentQuotas(timers)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, key: LaneKey) -> Lane | None:
        return self._lanes.get(key)

    def channel(self, key: LaneKey, trigger: str, now: float) -> Channel:
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= self._sweep_at and not self._to_sweep:
                # Not at once: whoever asks may be in the midst of a call of a lane that looks idle.
                self._to_sweep = [*reversed(self._lanes)]
                self._timers.at(now, self._sweep)
            lane = self._lanes[key] = Lane(key, self._quota(key), self._quantum)
        channel = lane.channels.get(trigger)
        if channel is None:
            channel = lane.channels[trigger] = Channel(lane, trigger, self._pauses, self._denials)
        return channel

    def _quota(self, key: LaneKey) -> QuotaMinute | None:
        spent = self._spent.take(key)
        if spent is not None:
            return spent
        per_minute = self._quotas.get(key.endpoint)
        return None if per_minute is None else QuotaMinute(per_minute)

    def put(self, channel: Channel, job: Job, first: bool = False) -> None:
        """Queue a ready job; `first` keeps the place of one that was put off."""
        queue = channel.cancels if job.is_cancel else channel.reports
        job.queued_at_s = channel.accepting_s
        job.is_apart = False
        if first:
            queue.appendleft(job)
        else:
            queue.append(job)
        self.stand(channel)

    def put_apart(self, channel: Channel, groups: list[list[Job]]) -> None:
        """Each group goes as a call of its own, in this order and before all else."""
        for group in groups:
            for job in group:
                job.queued_at_s = channel.accepting_s
                job.is_apart = True
        channel.apart[:0] = [group for group in groups if group]
        self.stand(channel)

    def stand(self, channel: Channel) -> None:
        """Let the channel, and its lane, stand in the turn if they may."""
        _stand_in_lane(channel)
        self.stand_lane(channel.lane)

    def stand_lane(self, lane: Lane, first: bool = False) -> None:
        """`first`: in the first turn, before all others."""
        _stand(self._turn, lane.place, first)
        _stand(self._doubted, lane.doubted)

    def trusted(self, channel: Channel) -> None:
        """It is doubted no more: it stands in the first turn, if it stands."""
        _leave_doubted(channel)
        self.stand(channel)

    def served(self, channel: Channel, reports: int) -> None:
        """The channel that `next` gave sent so many: a lane with some left stands first again.
        In the second turn a lane has one call."""
        lane = channel.lane
        if channel.is_doubted:
            lane.since_doubted = 0
            self.stand(channel)
            return
        lane.since_doubted += 1
        lane.deficit -= reports
        has_some_left = lane.deficit > 0
        if not has_some_left:
            lane.deficit += self._quantum
        _stand_in_lane(channel)
        self.stand_lane(lane, first=has_some_left)
        if not lane.place.standing:
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

    def next(self, limit: int, doubted_in_flight: int, now: float) -> Channel | None:
        """The channel whose turn it is; it left the turn, as its lane did, until `served` or
        `stand`.

        `limit`: how many calls may be in flight, of which there are fewer; `doubted_in_flight`: how
        many of them are of channels that were doubted.
        """
        may_doubt = doubted_in_flight < max(1, limit // DOUBTED_SHARE)
        is_sure = doubted_in_flight < max(1, limit // DOUBTED_SURE)
        if self._doubted and is_sure:
            # Where the first turn always has something to send, the second must not wait for ever.
            self._since_doubted += 1
            if self._since_doubted >= DOUBTED_EVERY and (channel := self._next_doubted(limit, now)):
                return channel
        channel = self._next_in(self._turn, limit, now, is_sure)
        if channel is None and may_doubt:
            return self._next_doubted(limit, now)
        return channel

    def _next_doubted(self, limit: int, now: float) -> Channel | None:
        channel = self._next_in(self._doubted, limit, now)
        if channel is not None:
            self._since_doubted = 0
        return channel

    def _next_in(
        self, turn: deque[Place], limit: int, now: float, doubted_too: bool = False
    ) -> Channel | None:
        """With `doubted_too` a lane that had many calls serves one of its doubted channels: where
        its quota gives a call now and then, the others of it would take each.

        A lane that has more than its equal share of the calls in flight lets the others go
        first: a slow site would have all of them in the end. At least one has no more, so the
        search ends."""
        while turn:
            place = turn.popleft()
            lane = place.lane
            if not place.may_stand or self._is_out_of_quota(lane, now):
                place.standing = False
                continue
            if turn and lane.in_flight * (len(turn) + 1) > limit:
                turn.append(place)
                continue
            place.standing = False
            is_due = doubted_too and lane.since_doubted >= DOUBTED_EVERY
            served = lane.doubted if is_due and lane.doubted.channels else place
            channel = _next_of(served)
            if served is not place:
                _stand(turn, place, first=True)
            is_mistaken = channel.is_doubted and served is lane.place
            if not is_mistaken and channel.anything_waits and _may_stand(channel):
                return channel
            # Its call failed, or it is held, since it stood there; that is no reason for the lane
            # to lose its turn.
            _stand_in_lane(channel)
            _stand(turn, place, first=True)
            self.stand_lane(lane)
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
        """In the first turn."""
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

        The calls of their last minute are remembered: a quota holds in every sliding minute. It
        looks at some lanes at a time, the oldest first, since nothing else goes on meanwhile; and
        as it comes when their number has doubled, at two for each new one.
        """
        some = self._to_sweep[-SWEEP_STEP:]
        del self._to_sweep[-SWEEP_STEP:]
        for key in reversed(some):
            lane = self._lanes.get(key)
            if lane is not None and _is_idle(lane):
                del self._lanes[key]
                if lane.quota is not None and lane.quota.is_spent(now):
                    self._spent.keep(key, lane.quota, now)
        if self._to_sweep:
            self._timers.at(now + SWEEP_PAUSE_S, self._sweep)
        else:
            self._sweep_at = max(SWEEP_FROM, 2 * len(self._lanes))


SWEEP_FROM = 10_000
SWEEP_STEP = 1_000
"""Lanes: 3 ms."""
SWEEP_PAUSE_S = 0.01
"""From one step to the next: by then 50 more have come at 5,000 a second."""


def _stand(turn: deque[Place], place: Place, first: bool = False) -> None:
    if place.standing or not place.may_stand:
        return
    place.standing = True
    if first:
        turn.appendleft(place)
    else:
        turn.append(place)


def _next_of(place: Place) -> Channel:
    """The lane's channel whose turn it is, by the same rule."""
    turn, in_flight = place.channels, place.lane.in_flight
    channel = turn.pop(0)
    while turn and channel.in_flight * (len(turn) + 1) > in_flight:
        turn.append(channel)
        channel = turn.pop(0)
    channel.standing = False
    return channel


def _stand_in_lane(channel: Channel) -> None:
    if not channel.standing and channel.anything_waits and _may_stand(channel):
        channel.standing = True
        lane = channel.lane
        (lane.doubted if channel.is_doubted else lane.place).channels.append(channel)


def _leave_doubted(channel: Channel) -> None:
    doubted = channel.lane.doubted.channels
    if channel in doubted:
        doubted.remove(channel)
        channel.standing = False


def forget_if_empty(channel: Channel) -> None:
    """Close the breakers of a channel in which nothing is left that could probe them."""
    if not channel.anything_waits and not channel.retries and not channel.in_flight:
        channel.denial.got_through()
        channel.outage.got_through()
        channel.hung = False
        _leave_doubted(channel)


def _may_stand(channel: Channel) -> bool:
    if channel.holds is None:
        return channel.lingers_until is None
    if BreakerState.OPEN in (channel.denial.state, channel.outage.state):
        return False
    return channel.probes == 0


def _is_idle(lane: Lane) -> bool:
    return (
        not lane.stands
        and not lane.in_flight
        and lane.held_until is None
        and not lane.needs_token
        and all(channel.is_idle for channel in lane.channels.values())
    )
