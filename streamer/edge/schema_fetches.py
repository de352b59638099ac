"""Which schemas are asked for now, and which wait?

At most `AT_ONCE` are asked for at once; one at a time, after a pause, while the registry does not
answer. So a thousand messages with a thousand wrong ids neither flood the registry nor hold the
event loop, and an outage costs a request a pause.
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
        self._asking = 0
        self._failures = 0
        """In a row, of all requests."""
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
        while self._wanted and self._asking < (1 if self._failures else AT_ONCE):
            self._asking += 1
            self._spawn(self._ask(self._wanted.popleft()))

    async def _ask(self, ref: SchemaRef) -> None:
        fetched = await self._schemas.port.fetch(ref)
        if isinstance(fetched, RegistryUnavailable):
            self._failures += 1
            self._dependencies.registry_failed(fetched, str(ref))
            # Last: an answer that only this one cannot get must not keep the others from theirs.
            self._wanted.append(ref)
            await asyncio.sleep(self._pauses.delay_s(self._failures))
            self._asking -= 1
        else:
            self._failures = 0
            self._is_greeted = True
            self._asking -= 1
            self._dependencies.registry_answered()
            self._schemas.learn(ref, fetched)
            self._learned(ref)
        self._start()
