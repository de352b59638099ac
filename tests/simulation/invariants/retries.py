"""Is what was not settled by a call sent again as it should be?

- A call that was refused whole is taken apart: what the answer named goes apart from the rest, and
  where it named nothing no part is larger than half. So one bad item of 100 costs 14 calls more.
- What was put back because of its lane goes again in the order in which it went.
- A lane sends nothing before the time that a 429 named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from streamer.delivery.bulk_answers import CallRefused
from streamer.delivery.commands import Call
from streamer.delivery.outcomes import Outcome, Throttled, Unauthorized
from streamer.model import LaneKey, Report
from tests.simulation.clock import Clock
from tests.simulation.invariants.broken import Broken
from tests.simulation.processes import Process

Started = tuple[str, int, str, str]
"""One report under one assignment of one process: process, generation, message, route."""


@dataclass(frozen=True, eq=False)
class _Part:
    """What a part of a refused call may hold when it is sent."""

    reports: frozenset[Started]
    most: int
    upsets: int


@dataclass(frozen=True)
class _Place:
    """Where a report stood in a call that was put back."""

    call: int
    index: int
    upsets: int


class RetryChecks:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = count()
        self._parts: dict[Started, _Part] = {}
        self._places: dict[Started, _Place] = {}
        self._not_before: dict[tuple[str, LaneKey], float] = {}

    # --- what was answered ---------------------------------------------------------------------

    def answered(
        self, process: Process, call: Call, answer: Sequence[Outcome] | CallRefused
    ) -> None:
        self._retry_after(process, call, answer)
        if _puts_aside(process):
            return
        reports = [_started(process, report) for report in call.batch.reports]
        if isinstance(answer, CallRefused):
            self._taken_apart(process, reports, {reports[index] for index in answer.named})
        elif all(isinstance(outcome, Throttled | Unauthorized) for outcome in answer):
            number = next(self._numbers)
            for index, report in enumerate(reports):
                self._places[report] = _Place(number, index, process.upsets)

    def _retry_after(
        self, process: Process, call: Call, answer: Sequence[Outcome] | CallRefused
    ) -> None:
        for outcome in () if isinstance(answer, CallRefused) else answer:
            if isinstance(outcome, Throttled) and outcome.retry_after_s is not None:
                lane = (process.name, call.batch.lane)
                until = self._clock.now + outcome.retry_after_s
                self._not_before[lane] = max(until, self._not_before.get(lane, until))

    def _taken_apart(self, process: Process, reports: list[Started], named: set[Started]) -> None:
        if named == set(reports):
            return
        groups = [named, set(reports) - named] if named else [set(reports)]
        for group in groups:
            most = len(group) if named else (len(group) + 1) // 2
            part = _Part(frozenset(group), most, process.upsets)
            self._parts.update(dict.fromkeys(group, part))

    # --- what is sent next ---------------------------------------------------------------------

    def look(self, process: Process, call: Call) -> None:
        not_before = self._not_before.get((process.name, call.batch.lane), 0.0)
        if self._clock.now < not_before:
            raise Broken(f"{call.batch.lane} sends again before {not_before}")
        reports = [_started(process, report) for report in call.batch.reports]
        self._of_a_part(process, reports)
        self._in_order(process, reports)

    def _of_a_part(self, process: Process, reports: list[Started]) -> None:
        parts = {part for name in reports if (part := self._parts.pop(name, None)) is not None}
        for part in parts:
            # What was put aside meanwhile comes back among the others.
            if part.upsets != process.upsets:
                continue
            if len(reports) > part.most or not part.reports.issuperset(reports):
                raise Broken(f"{len(reports)} in a call of a part of at most {part.most}")

    def _in_order(self, process: Process, reports: list[Started]) -> None:
        last: dict[int, int] = {}
        for name in reports:
            place = self._places.pop(name, None)
            if place is None or place.upsets != process.upsets:
                continue
            if place.index < last.get(place.call, -1):
                raise Broken(f"{name} comes after those that it went before")
            last[place.call] = place.index


def _puts_aside(process: Process) -> bool:
    """Whether reports may go another way than to the queue they came from."""
    core = process.core
    return bool(core.letters.holding) or not all(it.may_call for it in core.partitions.values())


def _started(process: Process, report: Report) -> Started:
    message = report.message
    return (process.name, message.generation, str(message), report.route)
