"""Which lane sends next, and what?

A lane is all that goes to one app instance of one endpoint entry; a channel is what of it has one
trigger. Ready reports stand in their channel's queue. Lanes take turns, and within a lane its
channels do, so that neither a busy site nor a busy trigger starves another.
"""

from collections import deque
from collections.abc import Callable, Iterator

from streamer.delivery.breaker import Breaker, BreakerState
from streamer.delivery.jobs import Job
from streamer.delivery.retry import Backoff
from streamer.model import Action, LaneKey

BREAKER_THRESHOLD = 10
"""Failures in a row: with a tenth of all calls failing at random, one in 10^10 would open it."""


class Channel:
    """The reports of one lane with one trigger."""

    __slots__ = (
        "accepted_at",
        "accepting_s",
        "denial",
        "in_flight",
        "lane",
        "outage",
        "probes",
        "queue",
        "recovered_at",
        "standing",
        "trigger",
        "waiting_retry",
    )

    def __init__(self, lane: "Lane", trigger: str, pauses: Backoff, denials: Backoff) -> None:
        self.lane = lane
        self.trigger = trigger
        self.queue: deque[Job] = deque()
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
        self.waiting_retry = 0

    @property
    def holds(self) -> Breaker | None:
        """The breaker that lets no call through, if one is not closed."""
        if not self.denial.is_closed:
            return self.denial
        if not self.outage.is_closed:
            return self.outage
        return None

    @property
    def is_idle(self) -> bool:
        return not self.queue and not self.waiting_retry and self.holds is None


class Lane:
    """One app instance of one endpoint entry: its channels, and what holds all of them."""

    __slots__ = (
        "channels",
        "held_until",
        "in_flight",
        "key",
        "needs_token",
        "standing",
        "throttles",
        "turn",
    )

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.channels: dict[str, Channel] = {}
        self.turn: deque[Channel] = deque()
        self.in_flight = 0
        """Calls of all its channels."""
        self.standing = False
        """Stands in the turn of all lanes."""
        self.held_until: float | None = None
        """Throttled: no call starts before."""
        self.throttles = 0
        self.needs_token = False
        """Left the turn until a token is there."""

    @property
    def may_stand(self) -> bool:
        return bool(self.turn) and self.held_until is None and not self.needs_token


class Lanes:
    """All lanes with something to send, in turn."""

    def __init__(self, pauses: Backoff, denials: Backoff) -> None:
        self._pauses = pauses
        self._denials = denials
        self._lanes: dict[LaneKey, Lane] = {}
        self._turn: deque[Lane] = deque()
        self._sweep_at = SWEEP_FROM

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def get(self, key: LaneKey) -> Lane | None:
        return self._lanes.get(key)

    def channel(self, key: LaneKey, trigger: str) -> Channel:
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= self._sweep_at:
                self._sweep()
            lane = self._lanes[key] = Lane(key)
        channel = lane.channels.get(trigger)
        if channel is None:
            channel = lane.channels[trigger] = Channel(lane, trigger, self._pauses, self._denials)
        return channel

    def put(self, channel: Channel, job: Job, first: bool = False) -> None:
        """Queue a ready job; `first` keeps the place of one that was put off."""
        if first:
            channel.queue.appendleft(job)
        else:
            channel.queue.append(job)
        self.stand(channel)

    def stand(self, channel: Channel) -> None:
        """Let the channel, and its lane, stand in the turn if they may."""
        lane = channel.lane
        if not channel.standing and channel.queue and _may_stand(channel):
            channel.standing = True
            lane.turn.append(channel)
        self.stand_lane(lane)

    def stand_lane(self, lane: Lane) -> None:
        if not lane.standing and lane.may_stand:
            lane.standing = True
            self._turn.append(lane)

    def next(self, limit: int) -> Channel | None:
        """The channel whose turn it is; it left the turn, and `stand` puts it back.

        `limit`: how many calls may be in flight, of which there are fewer. One that has more than
        its equal share of them lets the others go first: a slow site would have all of them in
        the end. At least one has no more, so the search ends.
        """
        turn = self._turn
        while turn:
            lane = turn.popleft()
            if not lane.may_stand:
                lane.standing = False
                continue
            if turn and lane.in_flight * (len(turn) + 1) > limit:
                turn.append(lane)
                continue
            lane.standing = False
            channel = _next_of(lane)
            self.stand_lane(lane)
            if channel.queue and _may_stand(channel):
                return channel
        return None

    @property
    def anything_stands(self) -> bool:
        return bool(self._turn)

    def sweep_ended(self) -> None:
        """Drop the reports of fenced partitions from all queues."""
        for lane in self._lanes.values():
            for channel in lane.channels.values():
                if any(job.part.ended for job in channel.queue):
                    channel.queue = deque(job for job in channel.queue if not job.part.ended)

    def _sweep(self) -> None:
        """Forget lanes with nothing to remember, so that 100,000 sites seen cost no memory."""
        for key in [key for key, lane in self._lanes.items() if _is_idle(lane)]:
            del self._lanes[key]
        self._sweep_at = max(SWEEP_FROM, 2 * len(self._lanes))


SWEEP_FROM = 10_000


def _next_of(lane: Lane) -> Channel:
    """The lane's channel whose turn it is, by the same rule."""
    turn, in_flight = lane.turn, lane.in_flight
    channel = turn.popleft()
    while turn and channel.in_flight * (len(turn) + 1) > in_flight:
        turn.append(channel)
        channel = turn.popleft()
    channel.standing = False
    return channel


def _may_stand(channel: Channel) -> bool:
    if channel.holds is None:
        return True
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


def take_batch(channel: Channel, most: int, accept: Callable[[Job], bool]) -> list[Job]:
    """Up to `most` jobs of one action from the head of the queue.

    `accept(job)` is False for a job that may not go now (it was put aside by the asker).
    """
    batch: list[Job] = []
    action: Action | None = None
    queue = channel.queue
    while queue and len(batch) < most:
        job = queue[0]
        job_action = Action.CANCEL if job.is_cancel else Action.REPORT
        if action is not None and job_action is not action:
            break
        queue.popleft()
        if accept(job):
            action = job_action
            batch.append(job)
    return batch
