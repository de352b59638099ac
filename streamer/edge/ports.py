"""What does the engine need of the world outside? Each port has the real thing and a fake."""

from collections.abc import Sequence
from typing import Protocol

from streamer.dead_letters.writer import NotWritten, Written
from streamer.decoding.fetched import Fetched, RegistryUnavailable
from streamer.endpoint.token_client import TokenAnswer
from streamer.model import Action, Batch, DeadLetter, Exchange, Owned, SchemaRef
from streamer.source.handover import CommitPlan


class CallPort(Protocol):
    async def send(self, batch: Batch, token: str) -> Exchange:
        """One call; never raises for what the network or the endpoint does."""

    async def drop_cancels(self) -> None:
        """Let go of the connections of all cancels in flight."""


class TokenPort(Protocol):
    async def ask(self, scope: str) -> TokenAnswer: ...


class SchemaPort(Protocol):
    async def fetch(self, ref: SchemaRef) -> Fetched: ...

    async def greet(self) -> RegistryUnavailable | None:
        """Why the registry could not be asked, if it could not."""


class LetterPort(Protocol):
    async def write(self, letter: DeadLetter) -> Written | NotWritten: ...


class SourcePort(Protocol):
    def commit(self, plans: Sequence[CommitPlan]) -> None:
        """Returns at once; the end comes by the sink's `committed`."""

    def settled(self, owned: Owned, messages: int, size: int) -> None:
        """That much less is held of the partition."""

    def took(self) -> None:
        """A hand-over was taken in whole: another may come."""

    def span_full(self, owned: Owned, full: bool) -> None:
        """Settled offsets reach too far beyond the position: take nothing more in, or go on."""


class CallWatch(Protocol):
    def consumed(self, topic: str, messages: int) -> None: ...

    def call_ended(self, action: Action, reports: int, status: str, seconds: float) -> None:
        """A call with so many reports or cancels ended.

        `status`: `2xx` ... `5xx`, or the kind of no answer.
        """
