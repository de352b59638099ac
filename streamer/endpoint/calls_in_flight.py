"""How does a call end in time, and all calls at once when they are dropped?

For clients whose cancelled call closes its connection. A call runs in the scope of one time-out.
Dropping it is cancelling its task at once: moved to now, the time-out would come a turn of the loop
later, in which a call whose connection was just made is sent.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from streamer.endpoint.failures import dropped, timed_out
from streamer.model import Exchange


class _Call:
    __slots__ = ("_before", "_task", "dropped")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._before = task.cancelling()
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True
        self._task.cancel()

    def is_cancelled_beside(self) -> bool:
        """Takes our own cancellation back; whether there is another."""
        return self._task.uncancel() > self._before


class CallsInFlight:
    """Of one client object, which is thrown away with it."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._calls: set[_Call] = set()
        self._none_left = asyncio.Event()

    async def run(self, call: Awaitable[Exchange]) -> Exchange:
        """Ends `call` in time. It must let `CancelledError` pass, and close its connection then."""
        task = asyncio.current_task()
        assert task is not None
        entry, scope = _Call(task), asyncio.timeout(self._timeout_s)
        try:
            async with scope:
                self._calls.add(entry)
                return await call
        except TimeoutError:
            if not scope.expired():
                raise  # not this scope's: the call let one of its own out
            return timed_out(self._timeout_s)
        except asyncio.CancelledError:
            if not entry.dropped or entry.is_cancelled_beside():
                raise
            return dropped()
        finally:
            self._calls.discard(entry)
            if not self._calls:
                self._none_left.set()

    def let_go(self) -> None:
        """Ends all calls, from the loop's next turn on. No call may be added any more."""
        for call in self._calls:
            if not call.dropped:
                call.drop()

    async def drop(self) -> None:
        """Ends all calls; returns when none is left. No call may be added any more."""
        self.let_go()
        while self._calls:
            self._none_left.clear()
            await self._none_left.wait()
