"""Which schemas are asked for now, and which wait?

At most `AT_ONCE` are asked for at once; one at a time, after a pause, while the registry does not
answer at all. So a thousand messages with a thousand wrong ids neither flood the registry nor hold
the event loop, and an outage costs a request a pause. A schema that it answers an error for pauses
by itself, and those that were never asked for come before those that failed: what cannot be had
does not keep the others from theirs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import Struct

from streamer.decoding.fetched import RegistryUnavailable, SchemaText, SchemaUnknown
from streamer.delivery.retry import Backoff
from streamer.edge.dependencies import Dependencies
from streamer.edge.ports import SchemaPort
from streamer.model import SchemaRef

AT_ONCE = 8


class Learn(Struct, frozen=True, eq=False):
    """Where schemas come from, and whom to tell."""

    port: SchemaPort
    learn: Callable[[SchemaRef, SchemaText | SchemaUnknown], None]
    expire: Callable[[float], None]
    """Forget what was unknown for so long that it is worth asking again."""


class SchemaFetches:
    """`learned(ref)` is called once the decoder knows the schema, or that there is none."""

    def __init__(
        self,
        schemas: Learn,
        pauses: Backoff,
        dependencies: Dependencies,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        learned: Callable[[SchemaRef], None],
    ) -> None:
        self._schemas = schemas
        self._pauses = pauses
        self._dependencies = dependencies
        self._spawn = spawn
        self._learned = learned
        self._wanted: deque[SchemaRef] = deque()
        """Not asked for yet."""
        self._failed: deque[SchemaRef] = deque()
        """To be asked for again, now."""
        self._failures: dict[SchemaRef, int] = {}
        """How often the registry answered an error for it."""
        self._silences = 0
        """Requests in a row, of all, without an answer."""
        self._asking = 0
        self._is_greeted = False

    async def greet(self) -> None:
        """Ask the registry until it answers, so that what is wrong is known before an event
        comes."""
        failures = 0
        while not self._is_greeted and (answer := await self._schemas.port.greet()) is not None:
            failures += 1
            self._dependencies.registry_failed(answer, "its types of schemas")
            await asyncio.sleep(self._pauses.delay_s(failures))
        if not self._is_greeted:
            self._is_greeted = True
            self._dependencies.registry_answered()

    def want(self, ref: SchemaRef) -> None:
        """Ask for the schema until there is an answer."""
        self._wanted.append(ref)
        self._start()

    def _start(self) -> None:
        while self._asking < (1 if self._silences else AT_ONCE):
            waiting = self._wanted or self._failed
            if not waiting:
                return
            self._asking += 1
            self._spawn(self._ask(waiting.popleft()))

    async def _ask(self, ref: SchemaRef) -> None:
        fetched = await self._schemas.port.fetch(ref)
        if not isinstance(fetched, RegistryUnavailable):
            self._asking -= 1
            self._silences = 0
            self._failures.pop(ref, None)
            self._is_greeted = True
            self._dependencies.registry_answered()
            self._schemas.learn(ref, fetched)
            self._learned(ref)
        else:
            self._dependencies.registry_failed(fetched, str(ref))
            if fetched.status is None:
                await self._pause_all()
            else:
                await self._pause(ref)
            self._failed.append(ref)
        self._start()

    async def _pause_all(self) -> None:
        """The registry is silent: what is asked for next waits too."""
        self._silences += 1
        await asyncio.sleep(self._pauses.delay_s(self._silences))
        self._asking -= 1

    async def _pause(self, ref: SchemaRef) -> None:
        """The registry is there: only this one waits."""
        self._asking -= 1
        self._silences = 0
        self._failures[ref] = self._failures.get(ref, 0) + 1
        self._start()
        await asyncio.sleep(self._pauses.delay_s(self._failures[ref]))
