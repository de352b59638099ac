"""How does the demo keep producing, follow what comes of it, and know that it is done?"""

import time
from collections import Counter, deque
from collections.abc import Callable

from streamer.demo.account import Account
from streamer.demo.display import Display, Picture
from streamer.demo.scenario import Scenario, dead_letter
from streamer.demo.setting import GROUP, TOPICS
from streamer.demo.stage import DemoError, Stage

# Outcomes on the way at once: far below what the embedded broker keeps (5 MB a partition), and
# enough to keep 256 calls in flight.
ON_THE_WAY_AT_MOST = 4_000
# A small demo is spread over so long, that there is something to see.
WATCHABLE_S = 15.0
SLOWEST_PER_S = 500.0
TURN_S = 0.02
SUMMARY_EVERY_S = 0.5
# Far above the longest pause between two retries.
WITHOUT_PROGRESS_S = 45.0
COMMITTED_WITHIN_S = 15.0
RATE_OVER_S = 3.0


class DemoRun:
    """One run, in one thread: each turn writes some events and looks what came of earlier ones."""

    def __init__(
        self,
        stage: Stage,
        scenario: Scenario,
        display: Display,
        goal: int | None,
        told_to_end: Callable[[], bool],
        clock_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`goal`: events to produce; None goes on until `told_to_end()`."""
        self.account = Account()
        self.repeats = 0
        self._stage = stage
        self._scenario = scenario
        self._display = display
        self._goal = goal
        self._told_to_end = told_to_end
        self._clock_s = clock_s
        self._pause = pause
        self._per_s = max(SLOWEST_PER_S, (goal or 0) / WATCHABLE_S)
        self._started_s = self._clock_s()
        self._progress_s = self._started_s
        self._endings: Counter[str] = Counter()
        self._summary_s = 0.0
        self._history: deque[tuple[float, int]] = deque()

    def run(self) -> None:
        """Produce, wait for all of it, end `streamer`, and look once more. Raises DemoError."""
        while not self._produced_all():
            self._turn()
        self._stage.broker.flush()
        while self.account.open:
            self._turn()
        self._wait_for_commits()
        self._stage.stop_streamer()
        # What was sent twice or too late would show now.
        self._look()
        self._summarise()
        self.account.uncommitted = self._lag()

    def _produced_all(self) -> bool:
        if self._told_to_end():
            return True
        return self._goal is not None and self.account.events >= self._goal

    def _turn(self) -> None:
        self._stage.check()
        self._produce()
        self._look()
        self._show()
        stands_s = self._clock_s() - self._progress_s
        if self.account.open and stands_s > WITHOUT_PROGRESS_S:
            raise DemoError(
                f"nothing came through for {stands_s:.0f} s while {self.account.open} outcomes "
                f"are open; streamer's last lines:\n{self._stage.streamer.last_lines()}"
            )
        self._pause(TURN_S)

    def _produce(self) -> None:
        if self._produced_all():
            return
        due = int((self._clock_s() - self._started_s) * self._per_s)
        if self._goal is not None:
            due = min(due, self._goal)
        while self.account.events < due and self.account.open < ON_THE_WAY_AT_MOST:
            event = self._scenario.next()
            self.account.expect(event.outcomes, event.place, tombstone=event.value is None)
            self._stage.broker.write(event.topic, event.key, event.value, event.timestamp_ms)

    def _look(self) -> None:
        before = self.account.open
        for entry in self._stage.ledger.read():
            self.account.saw(entry.outcome)
        for record in self._stage.dead_letters.read():
            self.account.saw(dead_letter(record.topic, record.value))
        if self.account.open < before or not before:
            self._progress_s = self._clock_s()

    def _show(self) -> None:
        now_s = self._clock_s()
        if now_s > self._summary_s + SUMMARY_EVERY_S:
            self._summary_s = now_s
            self._summarise()
        self._display.show(
            Picture(
                elapsed_s=now_s - self._started_s,
                account=self.account,
                goal=self._goal,
                delivered_per_s=self._rate(now_s),
                endings=self._endings,
                repeats=self.repeats,
                newest=tuple(self._stage.ledger.newest),
            )
        )

    def _summarise(self) -> None:
        self._endings, self.repeats = self._stage.ledger.endings()

    def _rate(self, now_s: float) -> float:
        self._history.append((now_s, self.account.reports + self.account.cancels))
        while self._history[0][0] < now_s - RATE_OVER_S:
            self._history.popleft()
        (first_s, first), (last_s, last) = self._history[0], self._history[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def _wait_for_commits(self) -> None:
        """Commits come some tenths of a second after the last answer."""
        deadline = self._clock_s() + COMMITTED_WITHIN_S
        while self._lag() and self._clock_s() < deadline:
            self._stage.check()
            self._pause(TURN_S)

    def _lag(self) -> int:
        return self._stage.broker.lag(GROUP, TOPICS)
