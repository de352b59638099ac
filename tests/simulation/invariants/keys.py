"""Is nothing accepted twice because its key was forgotten, and nothing given up before?

Attempts are known to the assignment that made them: what another has made, it cannot know, and the
guarantees say so.
"""

from streamer.delivery.commands import Call, LetterOrder
from streamer.model import Generation, Report
from tests.simulation.calls import TIMEOUT_S
from tests.simulation.clock import Clock
from tests.simulation.dead_letters import name_of
from tests.simulation.invariants.broken import Broken
from tests.simulation.plan import Plan


class KeyChecks:
    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._first: dict[tuple[Generation, str], float] = {}
        """When the first attempt of each report started, under each assignment."""

    def started(self, call: Call) -> None:
        for report in call.batch.reports:
            name = f"{report.message}/{report.route}"
            self._first.setdefault((report.message.generation, name), self._clock.now)

    def twice(self, before: Report, again: Report) -> None:
        """The platform accepted a report that it had accepted, and whose key it had forgotten."""
        if before.message.generation == again.message.generation:
            raise Broken(f"{again.message}/{again.route} is accepted twice")

    def given_up(self, order: LetterOrder) -> None:
        """A report is dead-lettered, since it may have been accepted, and its key be forgotten."""
        life_s, name = self._plan.key_life_s, name_of(order)
        first = self._first.get((order.letter.message.generation, name))
        if life_s is None or first is None:
            raise Broken(f"{name} is given up, and its key is known")
        if self._clock.now < first + life_s - TIMEOUT_S:
            raise Broken(f"{name} is given up after {self._clock.now - first} s")
