"""All lanes: which there are, what holds them for a time, and when they are forgotten.

What they are is in `channels.py`, whose turn it is in `turns.py`.
"""

from collections.abc import Iterator, Mapping

from streamer.delivery.channels import Channel, HeldBy, Lane
from streamer.delivery.jobs import Job
from streamer.delivery.quota import QuotaMinute
from streamer.delivery.retry import Backoff
from streamer.delivery.spent import SpentQuotas
from streamer.delivery.timers import Timers
from streamer.delivery.turns import Turns
from streamer.model import LaneKey

SWEEP_FROM = 10_000
SWEEP_STEP = 1_000
"""Lanes: 3 ms."""
SWEEP_PAUSE_S = 0.01
"""From one step to the next: by then 50 more have come at 5,000 a second."""


class Lanes:
    """By their keys; `turns` says which of them sends."""

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
        self.turns = Turns(quantum, self._is_out_of_quota)
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
        self.turns.stand(channel)

    def put_apart(self, channel: Channel, groups: list[list[Job]]) -> None:
        """Each group goes as a call of its own, in this order and before all else."""
        for group in groups:
            for job in group:
                job.queued_at_s = channel.accepting_s
                job.is_apart = True
        channel.apart[:0] = [group for group in groups if group]
        self.turns.stand(channel)

    def hold(self, lane: Lane, until: float, by: HeldBy) -> None:
        """No call of the lane starts before; what holds it longer stays."""
        if lane.held_until is not None and lane.held_until >= until:
            return
        lane.held_until = until
        lane.held_by = by

        def over(_: float) -> None:
            if lane.held_until == until:
                lane.held_until = None
                self.turns.stand_lane(lane)

        self._timers.at(until, over)

    def linger(self, channel: Channel, until: float) -> None:
        """Let the channel wait for company until then, or until it has a full call."""
        channel.lingers_until = until

        def over(_: float) -> None:
            if channel.lingers_until == until:
                channel.lingers_until = None
                self.turns.stand(channel)

        self._timers.at(until, over)

    def _is_out_of_quota(self, lane: Lane, now: float) -> bool:
        if lane.quota is None:
            return False
        at = lane.quota.next_at(now)
        if at <= now:
            return False
        self.hold(lane, at, HeldBy.QUOTA)
        return True

    def close_if_empty(self, channel: Channel) -> None:
        """Close the breakers of a channel in which nothing is left that could probe them. It is
        trusted no more than before: a call that gets through shows that, and nothing else."""
        if channel.is_empty:
            channel.denial.got_through()
            channel.outage.got_through()

    def sweep_ended(self) -> None:
        """Drop the reports of fenced partitions from all queues."""
        for lane in self._lanes.values():
            for channel in lane.channels.values():
                had_retries = channel.forget_ended_retries()
                if channel.keep(lambda job: not job.part.ended) or had_retries:
                    self.close_if_empty(channel)

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
            if lane is not None and lane.is_idle:
                del self._lanes[key]
                if lane.quota is not None and lane.quota.is_spent(now):
                    self._spent.keep(key, lane.quota, now)
        if self._to_sweep:
            self._timers.at(now + SWEEP_PAUSE_S, self._sweep)
        else:
            self._sweep_at = max(SWEEP_FROM, 2 * len(self._lanes))
