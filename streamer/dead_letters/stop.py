"""Was the command asked to end before its end?"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

from streamer.errors import StreamerError

_T = TypeVar("_T")


class Stopped(StreamerError):
    """It was; raised where nothing was begun that must be ended in order."""


class Stop:
    """What a person's signal sets, and whatever goes on for long looks at."""

    def __init__(self) -> None:
        self.why = ""
        """Empty: it was not asked to."""
        self._told: list[Callable[[str], None]] = []
        self._asked = asyncio.Event()

    def ask(self, why: str) -> None:
        self.why = why
        self._asked.set()
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

    async def race(self, work: Coroutine[None, None, _T]) -> _T:
        """What the work gives; Stopped, and the work cancelled, where it was asked to end before.
        For what may wait for others without end. Used in the event loop."""
        working, asked = asyncio.ensure_future(work), asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait((working, asked), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self.look()
            return await working
        finally:
            for task in (working, asked):
                task.cancel()
