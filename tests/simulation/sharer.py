"""What is a process with one lane, of which others in other processes share the quota?

The real core, with an edge as small as it can be: calls take 30 to 80 ms, everything else is done
at once.
"""

from collections.abc import Callable
from itertools import count

from streamer.delivery.commands import Call
from streamer.delivery.core import Core, CoreSettings, EndpointSettings
from streamer.delivery.order import Ordering
from streamer.delivery.outcomes import Accepted, Outcome, Throttled
from streamer.model import (
    Action,
    Generation,
    LaneKey,
    Message,
    Offset,
    Owned,
    Partition,
    Position,
    Report,
    Routed,
)
from streamer.source.commit_metadata import NOTHING
from streamer.source.handover import Assigned, CommitResult
from streamer.source.offsets import Window
from tests.simulation.clock import Clock
from tests.simulation.platform import EndpointQuota
from tests.simulation.processes import Silent

QUOTA = 200
LANE = LaneKey("default", "site")
BACKLOG = 20
LATENCY_S = (0.03, 0.08)


class Sharer:
    """A process with one lane. What it did is in `accepted`, `throttled` and `waited`."""

    def __init__(
        self, clock: Clock, quota: EndpointQuota, says_retry_after: bool, batch_most: int = 1
    ) -> None:
        self._clock = clock
        self._quota = quota
        self._says_retry_after = says_retry_after
        settings = CoreSettings(ordering=Ordering.NONE, batch_most=batch_most)
        endpoints = {"default": EndpointSettings(quota_per_minute=QUOTA)}
        self.core = Core(settings, endpoints, frozenset(), Silent(), clock.random.random, lambda: 0)
        self.core.tick(clock.now)
        self._owned = Owned(Partition("t", 0), Generation(1))
        window = Window(Assigned(self._owned, Position(0), NOTHING, 0), "c", "s")
        self._part = self.core.assigned(self._owned, window)
        self._offset = count()
        self._ready_at: dict[Message, float] = {}
        self._rings: set[float] = set()
        self.is_saturated = False
        self.is_gone = False
        self.started: list[float] = []
        self.accepted: list[float] = []
        self.throttled: list[float] = []
        self.waited: list[tuple[float, float]] = []
        """(when a report was ready, how long until its first call started)."""
        self.beat()

    def beat(self) -> None:
        """The time, more often than what would look like a stall."""
        if not self.is_gone:
            self.fact(lambda: None)
            self._clock.at(self._clock.now + 5.0, self.beat)

    def event(self) -> None:
        self.fact(self._take_in)

    def fact(self, action: Callable[[], None]) -> None:
        if self.is_gone:
            return
        self.core.tick(self._clock.now)
        action()
        self._carry_out()

    def _take_in(self) -> None:
        offset = Offset(next(self._offset))
        message = Message(self._owned.partition, self._owned.generation, offset, 0, None, b"")
        report = Report(message, "r", LANE, "due", Action.REPORT, None, b"{}", str(offset))
        self._part.window.take_in(offset, message.size)
        self._ready_at[message] = self._clock.now
        self.core.take_in(self._part, message, Routed((report,)), self._clock.now)

    def _carry_out(self) -> None:
        clock, core = self._clock, self.core
        while self.is_saturated and self._part.window.held_messages < BACKLOG:
            self._take_in()
        while (call := core.next_call(clock.now)) is not None:
            self._call(call)
        commands = core.take_commands()
        for order in commands.tokens:
            core.books["default"].granted(order.scope, "token", None, clock.now)
        if commands.commit:
            result = CommitResult(tuple(commands.commit), ())
            clock.at(clock.now, lambda: self.fact(lambda: core.committed(result, clock.now)))
        if commands.tokens:
            self._carry_out()
        due = core.next_due
        if due is not None and due not in self._rings:
            self._rings.add(due)
            clock.at(max(due, clock.now), lambda: self._ring(due))

    def _ring(self, due: float) -> None:
        self._rings.discard(due)
        self.fact(lambda: None)

    def _call(self, call: Call) -> None:
        clock = self._clock
        self.started.append(clock.now)
        for report in call.batch.reports:
            ready = self._ready_at.pop(report.message, None)
            if ready is not None:
                self.waited.append((ready, clock.now - ready))
        outcome: list[Outcome] = []

        def arrived() -> None:
            if self._quota.admits(LANE, clock.now):
                outcome.append(Accepted())
                self.accepted.append(clock.now)
            else:
                after_s = self._quota.free_in_s(LANE, clock.now)
                outcome.append(Throttled(after_s if self._says_retry_after else None))
                self.throttled.append(clock.now)

        def answered() -> None:
            answer = outcome * len(call.jobs)
            self.fact(lambda: self.core.answered(call, answer, clock.now))

        latency_s = clock.random.uniform(*LATENCY_S)
        clock.at(clock.now + latency_s / 2, arrived)
        clock.at(clock.now + latency_s, answered)
