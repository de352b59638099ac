"""Does each lane keep its quota, and does it get its turn?

The bound of fairness. Lanes take turns in units of reports (deficit round robin): with Q the most
of a call, a lane that comes to its turn has a deficit of at most Q and sends until it is used up,
so at most 2Q - 1 reports. While two lanes both have something to send, and nothing holds either,
neither gets more than 3Q reports ahead of the other: a turn of 2Q - 1, and a turn that the other
lost because the trigger it stood there with had nothing left.

That is of the first row. What is not sure has rows of its own and a part of the calls in flight.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from streamer.delivery.breaker import BreakerState
from streamer.delivery.bulk_answers import CallRefused
from streamer.delivery.channels import Channel, Lane, Trust
from streamer.delivery.commands import Call
from streamer.delivery.outcomes import Accepted, Outcome, Refused
from streamer.delivery.quota import USED_SHARE
from streamer.delivery.turns import most_doubted
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
        # Where more may be in flight, rarely anyone waits for a turn.
        self._looks_at_turns = plan.max_in_flight <= 4
        self._clock = clock
        self._ahead: dict[str, dict[LaneKey, Counter[LaneKey]]] = {}
        """By process and lane: how many reports each other sent more since both could."""

    def started(self, process: Process, call: Call) -> None:
        if process.in_flight > self._max_in_flight:
            raise Broken(f"{process.in_flight} calls in flight")
        limit, lanes = process.core.limit.limit, process.core.lanes
        is_sure = call.trust is Trust.SURE
        doubted = lanes.turns.doubted_in_flight
        if not is_sure and doubted > most_doubted(limit):
            raise Broken(f"{doubted} calls in flight of what failed last")
        if not self._looks_at_turns or not is_sure:
            return
        standing = 1 + sum(lane.places[Trust.SURE].standing for lane in lanes)
        mine, reports = call.channel.lane, len(call.batch.reports)
        ahead = self._ahead_of_those_that_wait(process)
        for lane in lanes:
            if lane is mine or lane.key not in ahead or mine.key not in ahead:
                continue
            by = ahead[lane.key]
            if lane.places[Trust.SURE].in_flight * standing > limit:
                # It has more than its share of the calls in flight, and lets all others go first,
                # whatever it had left of its turn.
                by.clear()
            else:
                by[mine.key] += reports
            ahead[mine.key][lane.key] = max(0, ahead[mine.key][lane.key] - reports)
            if by[mine.key] > self._most_ahead:
                raise Broken(f"{mine.key} sent {by[mine.key]} reports more than {lane.key}")

    def answered(self, call: Call, answer: Sequence[Outcome] | CallRefused) -> None:
        """What gets through shows that its channel does not hang."""
        got_through = isinstance(answer, CallRefused) or any(
            isinstance(outcome, Accepted | Refused) for outcome in answer
        )
        if got_through and call.channel.trust is not Trust.SURE:
            raise Broken(f"{call.batch.lane} is doubted, although a call of it got through")

    def _ahead_of_those_that_wait(self, process: Process) -> dict[LaneKey, Counter[LaneKey]]:
        """Whoever could send nothing, be it for a moment, begins anew."""
        before = self._ahead.get(process.name, {})
        waiting = {
            lane.key: before.get(lane.key) or Counter()
            for lane in process.core.lanes
            if could_send(lane, self._clock.now, may_doubt=False) and not _is_doubted(lane)
        }
        for by in waiting.values():
            for other in by.keys() - waiting.keys():
                del by[other]
        self._ahead[process.name] = waiting
        return waiting

    def nothing_more_to_send(self, process: Process) -> None:
        """The process makes no further call: then none may be possible."""
        core, now = process.core, self._clock.now
        if self._looks_at_turns:
            self._ahead_of_those_that_wait(process)
        if core.sender.in_flight >= core.limit.limit:
            return
        may_doubt = core.lanes.turns.doubted_in_flight < most_doubted(core.limit.limit)
        for lane in core.lanes:
            if could_send(lane, now, may_doubt):
                raise Broken(f"{lane.key} has something to send, and nothing holds it")


def _is_doubted(lane: Lane) -> bool:
    """What comes back from another row stands last in the first."""
    return any(channel.trust is not Trust.SURE for channel in lane.channels.values())


def could_send(lane: Lane, now: float, may_doubt: bool) -> bool:
    """Whether it has something that nothing but its turn keeps from going; with `may_doubt`
    what is doubted counts too."""
    if lane.needs_token or (lane.held_until is not None and lane.held_until > now):
        return False
    if not any(
        channel.anything_waits
        and _is_open(channel, now)
        and (may_doubt or channel.trust is Trust.SURE)
        for channel in lane.channels.values()
    ):
        return False
    return lane.quota is None or lane.quota.next_at(now) <= now


def _is_open(channel: Channel, now: float) -> bool:
    if channel.holds is None:
        return channel.lingers_until is None or channel.lingers_until <= now
    states = (channel.denial.state, channel.outage.state)
    return BreakerState.OPEN not in states and channel.probes == 0
