"""Does the demo's loop keep step, notice what went wrong, and end only when all is known?"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import cast

import pytest

from streamer.demo.account import Kind, Outcome
from streamer.demo.broker import Written
from streamer.demo.display import Picture
from streamer.demo.run import ON_THE_WAY_AT_MOST, DemoRun
from streamer.demo.sandbox_ledger import Entry
from streamer.demo.scenario import DemoEvent, Scenario
from streamer.demo.stage import DemoError, Stage
from streamer.demo.wire import load, schema_directory


@dataclass
class FakeStage:
    """Broker, streamer, sandbox and dead letter topics at once: events become what they should
    at the next look, as far as `becomes` lets them."""

    becomes: Callable[[Outcome], list[Outcome]] = field(default=lambda outcome: [outcome])
    lag_at_the_end: int = 0
    seen: list[Outcome] = field(default_factory=list)
    written: int = 0
    stopped: bool = False
    newest: deque[Entry] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.broker = self.ledger = self.streamer = self
        self.dead_letters = FakeDeadLetters(self)
        self._dead: list[Outcome] = []

    def enter(self, event: DemoEvent) -> None:
        for outcome in event.outcomes:
            self.seen += self.becomes(outcome)

    def write(self, topic: str, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        self.written += 1

    def read(self) -> Iterator[Entry]:
        seen, self.seen = self.seen, []
        self.dead_letters.outcomes += [it for it in seen if it.kind is Kind.DEAD_LETTER]
        return (cast(Entry, FakeEntry(it)) for it in seen if it.kind is not Kind.DEAD_LETTER)

    def endings(self) -> tuple[Counter[str], int]:
        return Counter({"200": self.written}), 2

    def lag(self, group: str, topics: tuple[str, ...]) -> int:
        return self.lag_at_the_end

    def flush(self) -> None: ...

    def check(self) -> None: ...

    def last_lines(self) -> str:
        return "its last words"

    def stop_streamer(self) -> None:
        self.stopped = True


@dataclass
class FakeEntry:
    outcome: Outcome


@dataclass
class FakeDeadLetters:
    stage: FakeStage
    outcomes: list[Outcome] = field(default_factory=list)

    def read(self) -> Iterator[Written]:
        outcomes, self.outcomes = self.outcomes, []
        return (Written(it.where, None, self.stage_values[it]) for it in outcomes)

    stage_values: dict[Outcome, bytes | None] = field(default_factory=dict)


class FakeScenario(Scenario):
    """The real story, told to the fake stage as well."""

    stage: FakeStage

    def next(self) -> DemoEvent:
        event = super().next()
        for outcome in event.outcomes:
            self.stage.dead_letters.stage_values[outcome] = event.value
        self.stage.enter(event)
        return event


class Silent:
    def __init__(self) -> None:
        self.pictures: list[Picture] = []

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None: ...

    def say(self, line: str) -> None: ...

    def show(self, picture: Picture) -> None:
        self.pictures.append(picture)


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


def demo_run(
    stage: FakeStage, goal: int | None, told_to_end: Callable[[], bool] = lambda: False
) -> DemoRun:
    scenario = FakeScenario(
        load(schema_directory()), Random(5), lambda: 1_800_000_000_000, spoil_every=50
    )
    scenario.stage = stage
    time = Time()
    return DemoRun(cast(Stage, stage), scenario, Silent(), goal, told_to_end, time, time.pause)


def test_a_run_produces_its_events_and_the_account_adds_up() -> None:
    stage = FakeStage()
    run = demo_run(stage, 1_000)

    run.run()

    assert run.account.adds_up
    assert run.account.events == stage.written == 1_000
    assert run.account.dead_letters == 1_000 // 50
    assert run.repeats == 2
    assert stage.stopped


def test_a_report_that_comes_twice_shows_in_the_account() -> None:
    def twice(outcome: Outcome) -> list[Outcome]:
        return [outcome] * (2 if outcome.where == "member_joined" else 1)

    run = demo_run(FakeStage(becomes=twice), 500)

    run.run()

    assert run.account.doubled > 0
    assert not run.account.adds_up


def test_what_never_comes_ends_the_demo_with_a_sentence() -> None:
    def lost(outcome: Outcome) -> list[Outcome]:
        return [] if outcome.where == "invoice_paid" else [outcome]

    run = demo_run(FakeStage(becomes=lost), 500)

    with pytest.raises(DemoError, match=r"nothing came through for .* outcomes are open"):
        run.run()


def test_offsets_that_stay_open_show_in_the_account() -> None:
    run = demo_run(FakeStage(lag_at_the_end=3), 100)

    run.run()

    assert run.account.uncommitted == 3
    assert not run.account.adds_up


def test_the_producer_waits_while_too_much_is_on_the_way() -> None:
    stage = FakeStage(becomes=lambda outcome: [])
    run = demo_run(stage, 1_000_000)

    with pytest.raises(DemoError):
        run.run()

    # One event may make two outcomes.
    assert ON_THE_WAY_AT_MOST <= run.account.open <= ON_THE_WAY_AT_MOST + 1


def test_a_run_without_a_goal_ends_when_it_is_told_to() -> None:
    stage = FakeStage()
    run = demo_run(stage, None, told_to_end=lambda: stage.written > 700)

    run.run()

    assert stage.written > 700
    assert run.account.adds_up
