"""Is what is dead-lettered at fault, or did it wait as long as the configuration says?"""

from collections import Counter

from streamer.delivery.commands import LetterOrder
from streamer.delivery.core import Core
from streamer.delivery.held import HOLD_LOOK_MOST_S, HOLD_LOOKS, is_held
from streamer.delivery.jobs import Job
from streamer.delivery.tokens import UnknownInstance
from streamer.model import LaneKey, Reason, Report
from tests.simulation.clock import Clock
from tests.simulation.dead_letters import name_of
from tests.simulation.endpoint import Endpoint
from tests.simulation.invariants.broken import Broken
from tests.simulation.invariants.keys import KeyChecks
from tests.simulation.plan import Plan
from tests.simulation.processes import STALL_AFTER_S, Process
from tests.simulation.token_endpoint import TokenEndpoint

ChannelKey = tuple[LaneKey, str]


class LetterChecks:
    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        endpoint: Endpoint,
        tokens: TokenEndpoint,
        keys: KeyChecks,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._endpoint = endpoint
        self._tokens = tokens
        self._keys = keys
        self._ordered: set[tuple[str, int, str]] = set()
        self._floods: Counter[str] = Counter()
        """By process, the refusals of the route that was badly deployed."""
        self._look_s = min(HOLD_LOOK_MOST_S, (plan.hold_after_s or 0.0) / HOLD_LOOKS)
        self._held_before: dict[str, set[ChannelKey]] = {}
        """By process, what was held after its last step."""
        self._overdue: dict[str, dict[Job, float]] = {}
        """By process, what waited too long in a held lane, and since when it was seen to."""

    def ordered(self, process: Process, order: LetterOrder) -> None:
        message, name = order.letter.message, name_of(order)
        first = (process.name, message.generation, name)
        if first in self._ordered:
            return  # its write failed, and is tried again
        self._ordered.add(first)
        match order.letter.refusal.reason:
            case Reason.REFUSED:
                if name not in self._endpoint.refused:
                    raise Broken(f"{name} is dead-lettered, and the endpoint did not refuse it")
                self._flood(process, order)
            case Reason.LANE_HELD:
                self._held(process, order, name)
            case Reason.UNKNOWN_INSTANCE:
                self._unknown(process, order, name)
            case Reason.MAYBE_DELIVERED:
                self._keys.given_up(order)
            case Reason.UNDECODABLE | Reason.EXPRESSION_FAILED:
                pass
            case reason:
                # An outage dead-letters nothing.
                raise Broken(f"{name} is dead-lettered as {reason}")

    def _flood(self, process: Process, order: LetterOrder) -> None:
        """A bad deployment dead-letters little more than the guard lets."""
        plan = self._plan
        if order.letter.route != "other" or self._clock.now > plan.bad_deployment_s:
            return
        most = plan.flood_refusals + plan.max_in_flight * plan.batch_most + 10
        self._floods[process.name] += 1
        if self._floods[process.name] > most:
            raise Broken(f"more than {most} refusals of one route")

    # --- held lanes ----------------------------------------------------------------------------

    def look(self, process: Process) -> None:
        """After each step: who is held, and did all that waited too long leave?"""
        after_s = self._plan.hold_after_s
        if after_s is None:
            return
        now, core = self._clock.now, process.core
        held = _held_lanes(core)
        self._held_before[process.name] = held
        before, overdue = self._overdue.get(process.name, {}), {}
        if all(part.may_call for part in core.partitions.values()):
            # Otherwise it may be another's by now, and is left to it.
            for key, trigger in held:
                lane = core.lanes.get(key)
                assert lane is not None, "it is held"
                channel = lane.channels[trigger]
                only_hangs = channel.holds is None and not lane.is_held
                for job in channel.waiting_jobs():
                    # Anew once the lane goes on: it may need as long again to catch up.
                    goes_on_at = channel.got_through_at if only_hangs else channel.resumed_at
                    if now - max(job.entry.taken_at, goes_on_at) > after_s:
                        overdue[job] = before.get(job, now)
        self._overdue[process.name] = overdue
        for job, since in overdue.items():
            # A lane that its quota holds goes on now and then, and a look may fall on that moment;
            # and a process that stands still for less than a stall looks when it goes on.
            if now - since > 3 * self._look_s + STALL_AFTER_S:
                raise Broken(f"{job.entry.message} is held since {job.entry.taken_at}")

    def _held(self, process: Process, order: LetterOrder, name: str) -> None:
        after_s, now = self._plan.hold_after_s, self._clock.now
        message = order.letter.message
        if after_s is None:
            raise Broken(f"{name} is dead-lettered as held, and is to wait")
        waited_s = now - process.taken_at[message.generation, message.offset]
        if waited_s < after_s:
            raise Broken(f"{name} is dead-lettered as held after {waited_s} s")
        key = (_report(order).lane, order.letter.trigger)
        is_held = key in _held_lanes(process.core)
        if not is_held and key not in self._held_before.get(process.name, ()):
            raise Broken(f"{name} is dead-lettered as held, and its lane is not")

    def _unknown(self, process: Process, order: LetterOrder, name: str) -> None:
        """It was refused a token again and again, and was granted none in between."""
        if self._plan.unknown_instance is not UnknownInstance.DEAD_LETTER:
            raise Broken(f"{name} is dead-lettered as unknown, and is not to be")
        if not self._tokens.is_unknown(process, _report(order).lane):
            raise Broken(f"{name} is dead-lettered as unknown too early")


def _held_lanes(core: Core) -> set[ChannelKey]:
    return {
        (lane.key, trigger)
        for lane in core.lanes
        for trigger, channel in lane.channels.items()
        if is_held(channel)
    }


def _report(order: LetterOrder) -> Report:
    subject = order.job.subject
    assert isinstance(subject, Report)
    return subject
