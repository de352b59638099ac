"""What happens next in a simulated world, and when?"""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random


class Clock:
    """Actions by due time. Every choice of a world is drawn from `random`, so a seed replays."""

    def __init__(self, random: Random) -> None:
        self.now = 0.0
        self.random = random
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = count()

    def at(self, due: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (due, next(self._sequence), action))

    def within(self, most_s: float, action: Callable[[], None]) -> None:
        """At a moment drawn from the next `most_s` seconds."""
        self.at(self.now + self.random.uniform(0, most_s), action)

    @property
    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def step(self) -> None:
        """Do what is due next."""
        due, _, action = heapq.heappop(self._heap)
        self.now = max(self.now, due)
        action()
