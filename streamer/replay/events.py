"""Which event is in a message, when somebody asks who can wait for its schema?"""

import asyncio
from collections.abc import Callable

from streamer.assembly import Schemas
from streamer.dead_letters.stop import Stop
from streamer.dead_letters.wanted import WrongFilter
from streamer.decoding.fetched import RegistryUnavailable
from streamer.delivery.retry import Backoff
from streamer.errors import StreamerError
from streamer.model import BadMessage, Event, Message, SchemaNeeded, SchemaRef, Tombstone
from streamer.routing.language.expressions import Expression, Language
from streamer.routing.language.failures import Failure, Kind
from streamer.routing.language.scope import Scope
from streamer.routing.language.syntax import Checked, check

Readable = Event | Tombstone | BadMessage

TRIES = 3


class RegistrySilent(StreamerError):
    """The registry does not answer, and without it no event can be read."""


class EventReader:
    """Decodes, and fetches what is missing for it."""

    def __init__(
        self,
        schemas: Schemas,
        wants_key: Callable[[str], bool],
        pauses: Backoff,
        stop: Stop,
        told: Callable[[str], None] | None = None,
    ) -> None:
        """`told(why)`: the registry does not answer; with it, it is asked without end, and without
        it `TRIES` times. Once `stop` was asked to, a read that waits for it ends with `Stopped`."""
        self._schemas = schemas
        self._wants_key = wants_key
        self._pauses = pauses
        self._stop = stop
        self._told = told

    async def read(self, message: Message) -> Readable:
        """Raises RegistrySilent where the schema cannot be had."""
        while True:
            decoded = self._schemas.decoder.decode(
                message, self._wants_key(message.partition.topic)
            )
            if not isinstance(decoded, SchemaNeeded):
                return decoded
            await self._fetch(decoded.ref)

    async def _fetch(self, ref: SchemaRef) -> None:
        failures = 0
        while True:
            fetched = await self._stop.race(self._schemas.port.fetch(ref))
            if not isinstance(fetched, RegistryUnavailable):
                self._schemas.learn(ref, fetched)
                return
            failures += 1
            if self._told is None and failures >= TRIES:
                raise RegistrySilent(fetched.detail)
            if self._told is not None:
                self._told(fetched.detail)
            await self._stop.race(asyncio.sleep(self._pauses.delay_s(failures)))


class EventFilter:
    """An expression over the event that says whether a letter is wanted."""

    def __init__(self, text: str) -> None:
        """WrongFilter, with all that is wrong with it, where it is no expression."""
        checked = check(text)
        if not isinstance(checked, Checked):
            problems = "; ".join(f"{it.place}: {it.found}; {it.do}" for it in checked)
            raise WrongFilter(f"the expression {text!r} at {problems}")
        self._expression: Expression = Language().expression(checked)
        self.undecodable = 0
        """Letters that hold no event, and so are not wanted."""
        self.asked = 0
        """Events that it was asked of."""
        self.missing = 0
        """Of them, so many that have not what it names; they are not wanted."""
        self.missed = ""
        """What the first of these has not."""
        self.failed = 0
        self.failure = ""
        """How it failed first, where it failed for other than a missing field."""

    def wants(self, event: Readable) -> bool:
        if not isinstance(event, Event):
            self.undecodable += 1
            return False
        self.asked += 1
        scope = Scope(event.message, event.avro_key, decoded_key=event.avro_key is not None)
        try:
            return bool(self._expression(event.fields, scope))
        except Failure as failure:
            told = f"{failure.found}; {failure.do}"
            if failure.kind is Kind.MISSING:
                self.missing += 1
                self.missed = self.missed or told
            else:
                self.failed += 1
                self.failure = self.failure or told
            return False
