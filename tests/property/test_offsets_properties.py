"""Does a window keep its promises over any history of settlements, commits and restarts?

The model is naive: a list of what exists, what of each message was ever settled, and what the
broker has. It knows nothing of runs, windows or room. One driver searches for short histories
that break a promise, the other plays long ones, in which the metadata is full most of the time.
"""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamer.model import Generation, Offset, Owned, Partition, Position
from streamer.source.commit_metadata import MetadataRead, read
from streamer.source.handover import Assigned, CommitPlan
from streamer.source.offsets import Pin, Window
from tests.effort import examples

CLUSTER = "cluster"
PARTITION = Partition("billing.invoices", 3)
STARTED_AT_MS = 1_700_000_000_000


def read_back(position: Position, text: str) -> MetadataRead:
    return read(text, position, CLUSTER, PARTITION)


class History:
    """A partition, its broker and the windows that read it one after the other.

    What a step works on is picked by a number, so that any sequence of steps is possible.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.exists: list[Offset] = []
        self.end = 0
        # What was ever delivered: redelivery does not undo it.
        self.whole: set[Offset] = set()
        self.parts: dict[Offset, set[int]] = {}
        self.broker_position = Position(0)
        self.broker_text = ""
        self.pinned: set[tuple[Offset, int]] = set()
        self.generation = 0
        self.assign()

    def assign(self) -> None:
        said = read_back(self.broker_position, self.broker_text)
        assert said.rejected is None or not self.broker_text
        self.generation += 1
        owned = Owned(PARTITION, Generation(self.generation))
        assigned = Assigned(owned, self.broker_position, said.restored, STARTED_AT_MS)
        self.window = Window(assigned, CLUSTER, "fingerprint", self.limit)
        self.lowest_position = self.broker_position
        self.held: set[Offset] = set()
        self.in_flight: CommitPlan | None = None
        self.reading = sum(offset < self.broker_position for offset in self.exists)
        assert self.whole.issuperset(self.exists[: self.reading])

    # --- traffic ---

    def read_on(self, gap: int, count: int) -> None:
        for _ in range(count):
            if self.reading == len(self.exists):
                self.exists.append(Offset(self.end + gap))
                self.end += gap + 1
            self._take_in(self.exists[self.reading])
            self.reading += 1

    def _take_in(self, offset: Offset) -> None:
        if self.window.take_in(offset, 10):
            self.held.add(offset)
            assert self.window.settled_parts(offset) <= self.parts.get(offset, set())
        else:
            assert offset in self.whole

    def read_to_the_end(self, gap: int) -> None:
        if self.reading == len(self.exists):
            self.end += gap
            self.window.reached(Position(self.end))

    def settle(self, pick: int, step: int, most: int) -> None:
        if self.held:
            held = sorted(self.held)
            for offset in held[pick % len(held) :: step][:most]:
                self.window.settle(offset)
                self.held.remove(offset)
                self.whole.add(offset)

    def settle_parts(self, pick: int, most: int, settlement: int) -> None:
        if self.held:
            held = sorted(self.held)
            for offset in held[pick % len(held) :][:most]:
                self.window.settle_part(offset, settlement)
                self.parts.setdefault(offset, set()).add(settlement)

    def pin(self, pick: int, settlement: int) -> None:
        if self.exists:
            offset = self.exists[pick % len(self.exists)]
            settled = offset in self.whole or settlement in self.parts.get(offset, set())
            if self.window.pin(offset, settlement) is Pin.HELD:
                assert settled
                self.pinned.add((offset, settlement))

    # --- commits ---

    def plan(self) -> None:
        plan = self.window.plan()
        if plan is not None:
            assert self.in_flight is None
            self.in_flight = plan
            self._check(plan)

    def plan_anyway(self) -> None:
        if self.in_flight is None:
            self.in_flight = self.window.plan_anyway()
            self._check(self.in_flight)

    def _check(self, plan: CommitPlan) -> None:
        below = [offset for offset in self.exists if offset < plan.position]
        assert not self.held.intersection(below)
        assert self.whole.issuperset(below)
        assert plan.position >= self.broker_position
        assert self.window.stuck or len(plan.metadata) <= self.limit - 1
        if plan.metadata:
            said = read_back(plan.position, plan.metadata)
            assert said.rejected is None
            assert said.started_at_ms == STARTED_AT_MS
            for offset, some in said.restored.parts.items():
                assert offset in self.whole or some <= self.parts[offset]

    def commit_ends(self, applied: bool, success: bool) -> None:
        if self.in_flight is not None:
            if applied or success:
                self._apply(self.in_flight)
            if success:
                self.window.committed(self.in_flight.number)
            else:
                self.window.not_committed(self.in_flight.number, metadata_too_large=False)
            self.in_flight = None

    def broker_refuses_the_metadata(self) -> None:
        if self.in_flight is not None and self.in_flight.metadata:
            self.window.not_committed(self.in_flight.number, metadata_too_large=True)
            self.in_flight = None

    def crash(self, applied: bool) -> None:
        if applied and self.in_flight is not None:
            self._apply(self.in_flight)
        self.assign()

    def _apply(self, plan: CommitPlan) -> None:
        self.broker_position, self.broker_text = plan.position, plan.metadata

    # --- promises ---

    def check(self) -> None:
        position = self.window.position
        assert position >= self.lowest_position, "the position never goes back"
        self.lowest_position = position
        if self.held:
            assert position == int(min(self.held)), "it is the lowest unsettled offset"
        assert self.window.held_messages == len(self.held)
        assert self.window.held_bytes == 10 * len(self.held)
        restored = read_back(self.broker_position, self.broker_text).restored
        for offset in self.exists:
            assert offset in self.whole or not restored.covers(offset), "only what was settled"
        for offset, settlement in self.pinned:
            shown = offset < self.broker_position or restored.shows(offset, settlement)
            assert shown, "a cancel for which a report started is never redelivered"


picks = st.integers(0, 1_000_000)
sizes = st.integers(1, 60)
reports = st.integers(1, 3)


class WindowHistory(RuleBasedStateMachine):
    @initialize(limit=st.sampled_from([300, 340, 420, 4096, 90]))
    def begin(self, limit: int) -> None:
        self.history = History(limit)

    @rule(gap=st.sampled_from([0, 1, 200]), count=sizes)
    def read_on(self, gap: int, count: int) -> None:
        self.history.read_on(gap, count)

    @rule(gap=st.integers(0, 3))
    def read_to_the_end(self, gap: int) -> None:
        self.history.read_to_the_end(gap)

    @rule(pick=picks, step=st.sampled_from([1, 2, 5, 1000]), most=sizes)
    def settle(self, pick: int, step: int, most: int) -> None:
        self.history.settle(pick, step, most)

    @rule(pick=picks, most=sizes, settlement=reports)
    def settle_parts(self, pick: int, most: int, settlement: int) -> None:
        self.history.settle_parts(pick, most, settlement)

    @rule(pick=picks, settlement=reports)
    def pin(self, pick: int, settlement: int) -> None:
        self.history.pin(pick, settlement)

    @rule()
    def plan(self) -> None:
        self.history.plan()

    @rule()
    def plan_anyway(self) -> None:
        self.history.plan_anyway()

    @rule(applied=st.booleans(), success=st.booleans())
    def commit_ends(self, applied: bool, success: bool) -> None:
        self.history.commit_ends(applied, success)

    @rule()
    def broker_refuses_the_metadata(self) -> None:
        self.history.broker_refuses_the_metadata()

    @rule(applied=st.booleans())
    def crash(self, applied: bool) -> None:
        self.history.crash(applied)

    @invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "history"):
            self.history.check()


TestWindowHistory = WindowHistory.TestCase
TestWindowHistory.settings = settings(max_examples=examples(100), stateful_step_count=60)


@pytest.mark.parametrize("seed", range(30))
def test_the_promises_hold_over_long_histories_with_a_full_metadata(seed: int) -> None:
    chance = random.Random(seed)
    history = History(chance.choice([290, 320, 400]))
    for _ in range(250):
        pick = chance.randrange(1_000_000)
        match chance.choices(
            ["read", "near", "far", "parts", "pin", "plan", "end", "refuse", "crash"],
            [4, 4, 2, 1, 6, 8, 8, 0.05, 0.3],
        )[0]:
            case "read":
                if len(history.held) < 60:
                    history.read_on(chance.choice([0, 1, 200]), chance.randrange(1, 20))
            case "near":
                # Offset 1 at the earliest, for the most part: the position stays where it is.
                history.settle(chance.randrange(0 if pick % 8 == 0 else 1, 4), 2, pick % 20)
            case "far":
                history.settle(max(0, len(history.held) - 1 - pick % 3), 1, 1)
            case "parts":
                history.settle_parts(pick, 2, 1 + pick % 3)
            case "pin":
                newest = len(history.exists) - 1 - pick % 6
                history.pin(max(0, newest) if pick % 2 else pick, 1)
            case "plan":
                history.plan()
            case "end":
                history.commit_ends(applied=pick % 2 == 0, success=pick % 5 != 0)
            case "refuse":
                history.broker_refuses_the_metadata()
            case "crash":
                history.crash(applied=pick % 2 == 0)
        history.check()
