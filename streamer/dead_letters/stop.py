"""Was the command asked to end before its end?"""

from collections.abc import Callable

from streamer.errors import StreamerError


class Stopped(StreamerError):
    """It was; raised where nothing was begun that must be ended in order."""


class Stop:
    """What a person's signal sets, and whatever goes on for long looks at."""

    def __init__(self) -> None:
        self.why = ""
        """Empty: it was not asked to."""
        self._told: list[Callable[[str], None]] = []

    def ask(self, why: str) -> None:
        self.why = why
        for tell in self._told:
            tell(why)

    def tell(self, whom: Callable[[str], None]) -> None:
        """Who ends in order by itself is told, now or later."""
        self._told.append(whom)
        if self.why:
            whom(self.why)

    def look(self) -> None:
        """Stopped where it was asked to."""
        if self.why:
            raise Stopped(f"stopped before its end: {self.why}")
