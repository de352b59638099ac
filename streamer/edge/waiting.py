"""What has the poll thread handed over that the core has not taken in yet?

Messages cost little while they are bytes, and much once they are decoded, routed and lined up. So
they wait here, and go on in small portions when the core has nothing else that could be sent: a
backlog of any length then neither fills the memory nor keeps the event loop from its calls.
"""

from collections import deque

from streamer.delivery.portions import Portion
from streamer.source.handover import Intake


class Waiting:
    """Hand-overs in their order."""

    def __init__(self) -> None:
        self._queue: deque[Intake] = deque()
        self._taken = 0
        """Messages of the first that were taken already."""

    def put(self, handed_over: Intake) -> None:
        self._queue.append(handed_over)

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def is_midway(self) -> bool:
        """Whether some of a hand-over was taken, and not all of it."""
        return self._taken > 0

    def take(self) -> tuple[Intake, bool]:
        """A portion of the next messages, and whether they were the last of a hand-over; the ends
        that were reached come with the last. There must be something."""
        first = self._queue[0]
        start = end = self._taken
        portion = Portion()
        while end < len(first.messages) and portion.has_room:
            portion.take(first.messages[end])
            end += 1
        if end < len(first.messages):
            self._taken = end
            return Intake(first.messages[start:end], ()), False
        self._queue.popleft()
        self._taken = 0
        return Intake(first.messages[start:], first.ends), True
