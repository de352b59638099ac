"""What is to be looked at again, and when?"""

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[float], None]


class Timers:
    """Actions by due time; equal times fire in the order in which they were set.

    Times are seconds of the clock that the core is given. Actions are not cancelled: each looks
    whether it still has something to do.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._sequence = count()

    def __len__(self) -> int:
        """How many actions are set."""
        return len(self._heap)

    def at(self, due: float, action: Action) -> None:
        heapq.heappush(self._heap, (due, next(self._sequence), action))

    @property
    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def fire(self, now: float) -> None:
        """Run what is due; what an action sets for `now` or before runs too."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2](now)
