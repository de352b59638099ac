"""What is written to the dead letter topic?"""

from streamer.delivery.commands import LetterOrder
from streamer.model import Reason
from tests.simulation.clock import Clock
from tests.simulation.plan import Plan
from tests.simulation.processes import Process

SLOW_S = 6.0


class DeadLetters:
    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self.written: dict[str, Reason] = {}
        """By message and route (none for what did not decode)."""

    def write(self, process: Process, order: LetterOrder) -> None:
        random, clock = self._clock.random, self._clock
        failed = random.random() < self._plan.letter_failures

        def ended() -> None:
            if failed:
                process.core.letter_failed(order, "transient", "no broker", clock.now)
            else:
                self.written[name_of(order)] = order.letter.refusal.reason
                process.core.letter_written(order, clock.now)

        process.fact(SLOW_S if random.random() < self._plan.hanging else 0.1, ended)


def name_of(order: LetterOrder) -> str:
    return f"{order.letter.message}/{order.letter.route}"
