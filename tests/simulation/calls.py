"""How do calls reach the endpoint, and how do their answers come back?"""

from collections.abc import Callable, Sequence
from itertools import count

from streamer.delivery.bulk_answers import CallRefused, judge_call
from streamer.delivery.commands import Call
from streamer.delivery.core import CoreSettings
from streamer.delivery.outcomes import Outcome
from streamer.endpoint.requests import Request, compose
from streamer.model import Action, Exchange, Owned, Partition
from tests.simulation.clock import Clock
from tests.simulation.endpoint import NO_ANSWER, Endpoint
from tests.simulation.plan import Plan
from tests.simulation.processes import Process

Judged = Sequence[Outcome] | CallRefused

TIMEOUT_S = CoreSettings().call_timeout_s
LATE_S = 20.0
"""How long after its time-out the call of a report may arrive: its key makes it harmless."""
HANGING_S = 6.0
"""Less than a session: what a dead process left in the network has arrived before its partitions
are given to another (the guarantees say what holds where that is not so)."""


class Calls:
    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        endpoint: Endpoint,
        starts: Callable[[Process, Call, Request], None],
        answered: Callable[[Process, Call, Judged], None],
        cancel_hangs: Callable[[Partition], None],
        cancel_done: Callable[[Process], None],
    ) -> None:
        """`starts` and `answered` look at what happens; `cancel_hangs` and `cancel_done` may
        make it worse."""
        self._plan = plan
        self._clock = clock
        self._endpoint = endpoint
        self._starts = starts
        self._looks_answered = answered
        self._cancel_hangs = cancel_hangs
        self._cancel_done = cancel_done
        self._number = count()

    def make(self, process: Process, call: Call) -> None:
        clock = self._clock
        request = compose(call.batch)
        process.in_flight += 1
        process.reports_in_flight.update(_owners(call))
        self._starts(process, call, request)
        if self._is_late(call):
            self._time_out(process, call)
            return
        latency_s = self._latency_s(call)
        exchange: list[Exchange] = []
        dropped: list[bool] = []

        def arrived() -> None:
            if not dropped:
                exchange.append(self._endpoint.answer(call.batch, request))
                if call.batch.action is Action.CANCEL:
                    self._cancel_done(process)

        def answered() -> None:
            if not dropped:
                process.cancels_in_flight.pop(number, None)
                self._answered(process, call, exchange[0])

        number = next(self._number)
        if call.batch.action is Action.CANCEL:
            process.cancels_in_flight[number] = self._how_to_drop(process, call, number, dropped)
        arrives_at = clock.now + latency_s * clock.random.random()
        clock.at(arrives_at, arrived)
        clock.at(clock.now + latency_s, lambda: process.fact(0.0, answered))

    def _is_late(self, call: Call) -> bool:
        # What a cancel does after its time-out nobody promises (the guarantees say so).
        is_report = call.batch.action is Action.REPORT
        return self._plan.late > 0 and is_report and self._clock.random.random() < self._plan.late

    def _time_out(self, process: Process, call: Call) -> None:
        """It is given up, and arrives all the same, whatever became of its report meanwhile."""
        clock = self._clock
        # A key that may be forgotten by then is counted with its call's time-out, and no longer.
        latest_s = TIMEOUT_S if self._plan.key_life_s is not None else TIMEOUT_S + LATE_S
        arrives_after_s = clock.random.uniform(TIMEOUT_S / 2, latest_s)
        clock.at(clock.now + arrives_after_s, lambda: self._endpoint.arrives_late(call.batch))

        def timed_out() -> None:
            self._answered(process, call, NO_ANSWER)

        clock.at(clock.now + TIMEOUT_S, lambda: process.fact(0.0, timed_out))

    def _latency_s(self, call: Call) -> float:
        random = self._clock.random
        if random.random() >= self._plan.hanging:
            return random.choice([0.05, 0.05, 0.05, 0.5])
        if call.batch.action is Action.CANCEL:
            # It may arrive when another process has gone on long since.
            self._cancel_hangs(call.batch.reports[0].message.partition)
        return random.uniform(0.5, HANGING_S)

    def _answered(self, process: Process, call: Call, exchange: Exchange) -> None:
        _ended(process, call)
        answer = judge_call(call.batch.action, len(call.batch.reports), exchange)
        process.core.answered(call, answer, self._clock.now)
        self._looks_answered(process, call, answer)

    def _how_to_drop(
        self, process: Process, call: Call, number: int, dropped: list[bool]
    ) -> Callable[[], None]:
        def drop() -> None:
            dropped.append(True)
            process.cancels_in_flight.pop(number, None)

            def told() -> None:
                _ended(process, call)
                process.core.dropped(call, self._clock.now)

            process.fact(0.01, told)

        return drop


def _owners(call: Call) -> list[Owned]:
    """The assignments of its reports."""
    messages = [report.message for report in call.batch.reports]
    return [Owned(message.partition, message.generation) for message in messages]


def _ended(process: Process, call: Call) -> None:
    process.in_flight -= 1
    process.reports_in_flight.subtract(_owners(call))
