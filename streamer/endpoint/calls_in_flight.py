"""How does a call end in time, and all calls at once when they are dropped?

For clients whose cancelled call closes its connection. A call runs in the scope of one time-out;
dropping it is moving that time-out to now.
"""

import asyncio
from collections.abc import Awaitable

from streamer.endpoint.failures import dropped, timed_out
from streamer.model import Exchange


class _Call:
    __slots__ = ("dropped", "scope")

    def __init__(self, scope: asyncio.Timeout) -> None:
        self.scope = scope
        self.dropped = False


class CallsInFlight:
    """Of one client object, which is thrown away with it."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._calls: set[_Call] = set()
        self._none_left = asyncio.Event()

    async def run(self, call: Awaitable[Exchange]) -> Exchange:
        """Ends `call` in time. It must let `CancelledError` pass, and close its connection then."""
        entry = _Call(asyncio.timeout(self._timeout_s))
        try:
            async with entry.scope:
                self._calls.add(entry)
                return await call
        except TimeoutError:
            if not entry.scope.expired():
                raise  # not this scope's: the call let one of its own out
            return dropped() if entry.dropped else timed_out(self._timeout_s)
        finally:
            self._calls.discard(entry)
            if not self._calls:
                self._none_left.set()

    async def drop(self) -> None:
        """Ends all calls; returns when none is left. No call may be added any more."""
        now = asyncio.get_running_loop().time()
        for call in self._calls:
            if not call.scope.expired():
                call.dropped = True
                call.scope.reschedule(now)
        while self._calls:
            self._none_left.clear()
            await self._none_left.wait()
