"""Which lanes are held, by what, and what becomes of reports that wait in them too long?"""

from collections.abc import Iterator, Mapping
from functools import partial

from msgspec import Struct

from streamer.delivery.channels import Channel, HeldBy, Trust
from streamer.delivery.jobs import Job
from streamer.delivery.lanes import Lanes
from streamer.delivery.letters import Letters
from streamer.delivery.timers import Timers
from streamer.delivery.tokens import TokenBook
from streamer.model import LaneKey, Reason, Refusal, Report

HOLD_LOOKS = 20
"""How often `after_s` is looked at within its own length."""
HOLD_LOOK_MOST_S = 60.0


DOUBTED = "doubted"
"""The kind of a trigger of which a call hung: it waits for its turn among all such."""
RETRY = "retry"
"""The kind of a trigger that goes on, while some of its reports wait for their next attempts."""


class HeldLane(Struct, frozen=True):
    """What one lane's trigger waits for, or some of its reports."""

    lane: LaneKey
    trigger: str
    reports: int
    kind: str
    """`breaker`, `token`, `throttled`, `quota`, `doubted`, or `retry`."""
    why: str


_WHY_HELD = {
    HeldBy.THROTTLED: "throttled by the endpoint",
    HeldBy.QUOTA: "its minute's calls are used up or spread (`quota` of the endpoint)",
}


def is_held(channel: Channel) -> bool:
    """Whether something other than its turn among all lanes keeps the channel from sending."""
    return _is_stopped(channel) or channel.trust is Trust.LOST


def _is_stopped(channel: Channel) -> bool:
    return channel.holds is not None or channel.lane.is_held


class HeldLanes:
    """The policy for what waits in held lanes (`delivery.hold`), and a look at them."""

    def __init__(
        self,
        after_s: float | None,
        lanes: Lanes,
        books: Mapping[str, TokenBook],
        letters: Letters,
        timers: Timers,
    ) -> None:
        """`after_s`: how long a report waits before it is dead-lettered; None: without end."""
        self._after_s = after_s
        self._lanes = lanes
        self._books = books
        self._letters = letters
        self._timers = timers

    def is_stuck(self, job: Job) -> bool:
        """Whether the job's lane sends nothing now."""
        if not isinstance(job.subject, Report):
            return False
        lane = self._lanes.get(job.subject.lane)
        channel = None if lane is None else lane.channels.get(job.subject.trigger)
        return channel is not None and is_held(channel)

    def look(self, now: float) -> None:
        """Dead-letter what waited too long in a held lane, and look again after a while."""
        after_s = self._after_s
        if after_s is None:
            return
        held = [
            channel
            for lane in self._lanes
            for channel in lane.channels.values()
            if is_held(channel)
        ]
        # What ends here may let others into lanes that were not there before.
        for channel in held:
            for job in channel.keep(partial(_waits_less, channel, now - after_s)):
                self.dead_letter(job, channel, now)
            self._lanes.close_if_empty(channel)
        look_s = min(HOLD_LOOK_MOST_S, after_s / HOLD_LOOKS)
        self._timers.at(now + look_s, self.look)

    def waited_too_long(self, job: Job, channel: Channel, now: float) -> bool:
        after_s = self._after_s
        if after_s is None or _waits_less(channel, now - after_s, job):
            return False
        return is_held(channel)

    def dead_letter(self, job: Job, channel: Channel, now: float) -> None:
        held = self._held(channel)
        why = "held" if held is None else f"held ({held.kind}: {held.why})"
        detail = (
            f"its lane was {why} for longer than delivery.hold allows; replay it once the lane "
            "goes on: the idempotency key is the one it has here"
        )
        self._letters.refuse(job, Refusal(Reason.LANE_HELD, detail), now)

    # --- for health and the status -------------------------------------------------------------

    def lanes(self) -> list[HeldLane]:
        """Every channel that waits for something other than its turn, or has reports that do."""
        return [
            held
            for lane in self._lanes
            for channel in lane.channels.values()
            if (held := self._held(channel) or _retrying(channel)) is not None
        ]

    def jobs_of(self, held: HeldLane) -> Iterator[Job]:
        """What waits there for something other than its turn."""
        lane = self._lanes.get(held.lane)
        if lane is None:
            return
        channel = lane.channels[held.trigger]
        if held.kind != RETRY:
            yield from channel.waiting_jobs()
        yield from channel.retries.values()

    def _held(self, channel: Channel) -> HeldLane | None:
        lane = channel.lane
        breaker = channel.holds
        if breaker is not None:
            kind, why = "breaker", breaker.why or "probing"
        elif lane.needs_token:
            book = self._books[lane.key.endpoint]
            kind, why = "token", book.why_held(lane.key.instance) or "waits for a token"
        elif lane.held_until is not None:
            kind, why = lane.held_by.value, _WHY_HELD[lane.held_by]
        elif channel.trust is not Trust.SURE and channel.anything_waits:
            kind = DOUBTED
            why = "its last call hung; it waits for its turn among the triggers that hang"
        else:
            return None
        reports = channel.waiting + len(channel.retries)
        return HeldLane(lane.key, channel.trigger, reports, kind, why)


def _retrying(channel: Channel) -> HeldLane | None:
    if not channel.retries:
        return None
    why = "calls that came to nothing are made again after a pause, or after their `Retry-After`"
    return HeldLane(channel.lane.key, channel.trigger, len(channel.retries), RETRY, why)


def _waits_less(channel: Channel, since: float, job: Job) -> bool:
    """Whether it did not wait since then. Not while its partition may be another process's by now;
    and anew once a channel that stood still goes on: it may need as long again to catch up. Where
    nothing stops a channel but that its calls hang, each that gets through shows that it goes on.
    """
    goes_on_at = channel.resumed_at if _is_stopped(channel) else channel.got_through_at
    return max(job.entry.taken_at, goes_on_at) > since or not job.part.may_call
