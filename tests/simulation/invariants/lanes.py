"""Does each lane keep its quota, and does it get its turn?

The bound of fairness. Lanes take turns in units of reports (deficit round robin): with Q the most
of a call, a lane that comes to its turn has a deficit of at most Q and sends until it is used up,
so at most 2Q - 1 reports. While two lanes both have something to send, and nothing holds either,
neither gets more than 3Q reports ahead of the other: a turn of 2Q - 1, and a turn that the other
lost because the trigger it stood there with had nothing left.
"""

from collections import defaultdict, deque

from streamer.delivery.breaker import BreakerState
from streamer.delivery.commands import Call
from streamer.delivery.lanes import Channel, Lane
from streamer.delivery.quota import USED_SHARE
from streamer.model import LaneKey
from tests.simulation.clock import Clock
from tests.simulation.invariants.broken import Broken
from tests.simulation.plan import Plan
from tests.simulation.platform import MINUTE_S
from tests.simulation.processes import Process


class QuotaChecks:
    """No lane of a process starts more calls than its quota in any sliding minute."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._most = None if plan.quota is None else max(1, int(plan.quota * USED_SHARE))
        self._clock = clock
        self._started: dict[tuple[str, LaneKey], deque[float]] = defaultdict(deque)

    def look(self, process: Process, call: Call) -> None:
        if self._most is None:
            return
        started, now = self._started[process.name, call.batch.lane], self._clock.now
        while started and started[0] + MINUTE_S <= now:
            started.popleft()
        started.append(now)
        if len(started) > self._most:
            raise Broken(f"{len(started)} calls of {call.batch.lane} within a minute")


class TurnChecks:
    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._most_ahead = 3 * plan.batch_most
        self._max_in_flight = plan.max_in_flight
        self._clock = clock
        self._ahead: dict[tuple[str, LaneKey, LaneKey], int] = {}
        """By process, lane and another: how many reports the other sent more since both could."""

    def started(self, process: Process, call: Call) -> None:
        if process.in_flight > self._max_in_flight:
            raise Broken(f"{process.in_flight} calls in flight")
        if self._max_in_flight > 4:
            return  # rarely so many that anyone waits for a turn
        core, now = process.core, self._clock.now
        lanes = list(core.lanes)
        standing = 1 + sum(lane.standing for lane in lanes)
        waiting = {
            lane.key
            for lane in lanes
            if could_send(lane, now) and lane.in_flight * standing <= core.limit.limit
        }
        # The sender had no more than its share before this call.
        mine, reports = call.batch.lane, len(call.batch.reports)
        if could_send(call.channel.lane, now):
            waiting.add(mine)
        for lane in lanes:
            forth, back = (process.name, lane.key, mine), (process.name, mine, lane.key)
            if lane.key == mine:
                continue
            if lane.key not in waiting or mine not in waiting:
                self._ahead[forth] = self._ahead[back] = 0
                continue
            self._ahead[forth] = max(0, self._ahead.get(forth, 0) + reports)
            self._ahead[back] = max(0, self._ahead.get(back, 0) - reports)
            if self._ahead[forth] > self._most_ahead:
                raise Broken(f"{mine} sent {self._ahead[forth]} reports more than {lane.key}")

    def nothing_more_to_send(self, process: Process) -> None:
        """The process makes no further call: then none may be possible."""
        core, now = process.core, self._clock.now
        if core.sender.in_flight >= core.limit.limit:
            return
        for lane in core.lanes:
            if could_send(lane, now):
                raise Broken(f"{lane.key} has something to send, and nothing holds it")


def could_send(lane: Lane, now: float) -> bool:
    """Whether it has something that nothing but its turn keeps from going."""
    if lane.needs_token or (lane.held_until is not None and lane.held_until > now):
        return False
    if not any(
        channel.anything_waits and _is_open(channel, now) for channel in lane.channels.values()
    ):
        return False
    return lane.quota is None or lane.quota.next_at(now) <= now


def _is_open(channel: Channel, now: float) -> bool:
    if channel.holds is None:
        return channel.lingers_until is None or channel.lingers_until <= now
    states = (channel.denial.state, channel.outage.state)
    return BreakerState.OPEN not in states and channel.probes == 0
