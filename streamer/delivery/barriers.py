"""Who waits for reports of which it cannot be told whom they are about?

A refused report whose instance or entity could not be told may be about any: until its dead letter
is confirmed it keeps back what comes after it and may be of the same key or entity.
"""

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.delivery.jobs import Job


class Barrier:
    """Jobs that keep others back, and those others. Each waits for the ones before it only."""

    __slots__ = ("_keepers", "_left", "_numbered", "_waiting")

    def __init__(self) -> None:
        self._keepers: deque[tuple[int, Job]] = deque()
        self._left: set[Job] = set()
        self._waiting: deque[tuple[int, Job]] = deque()
        """With the number of the last keeper before it."""
        self._numbered = 0

    def keep_back(self, keeper: "Job") -> None:
        """From now on whoever comes waits until `keeper` has left."""
        self._numbered += 1
        self._keepers.append((self._numbered, keeper))

    def wait(self, job: "Job") -> None:
        """The job waits for all keepers that are there now."""
        if self._keepers:
            job.blockers += 1
            self._waiting.append((self._numbered, job))

    def leave(self, keeper: "Job") -> "list[Job]":
        """The keeper is settled; gives the jobs that wait for nothing any more."""
        self._left.add(keeper)
        while self._keepers and self._keepers[0][1] in self._left:
            self._left.discard(self._keepers.popleft()[1])
        freed = []
        while self._waiting and (not self._keepers or self._waiting[0][0] < self._keepers[0][0]):
            job = self._waiting.popleft()[1]
            job.blockers -= 1
            if job.blockers == 0:
                freed.append(job)
        return freed

    @property
    def is_idle(self) -> bool:
        return not self._keepers
