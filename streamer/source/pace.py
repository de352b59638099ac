"""How far may the poll thread be ahead of the event loop?

The thread reads many times faster than the loop takes in. Without a bound it would read until
every window is full, whatever the loop can do with it.
"""

from threading import Event


class Pace:
    """Counts hand-overs. `gave` is the poll thread's, `took` the event loop's; each of the two
    counters has one writer, so that there is no lock."""

    def __init__(self, most_ahead: int) -> None:
        self._most_ahead = most_ahead
        self._given = 0
        self._taken = 0
        self._may_go = Event()
        self._may_go.set()

    @property
    def has_room(self) -> bool:
        """Whether another hand-over may be given."""
        return self._given - self._taken < self._most_ahead

    def gave(self) -> None:
        self._given += 1
        self._may_go.clear()
        # Asked after clearing: what is taken meanwhile sets it again, and is not missed.
        if self.has_room:
            self._may_go.set()

    def took(self) -> None:
        self._taken += 1
        self._may_go.set()

    def wait(self, timeout_s: float) -> None:
        """Until there is room, or the time is over."""
        self._may_go.wait(timeout_s)
