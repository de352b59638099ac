"""What does the event loop tell the poll thread?"""

from asyncio import Future
from collections import deque
from collections.abc import Sequence
from threading import Event

from msgspec import Struct

from streamer.model import Owned
from streamer.source.handover import CommitPlan, CommitResult


class Commit(Struct, frozen=True, eq=False):
    plans: Sequence[CommitPlan]


class Settled(Struct, frozen=True):
    owned: Owned
    messages: int
    size: int


class SpanFull(Struct, frozen=True):
    owned: Owned
    full: bool


class LastPlans(Struct, frozen=True, eq=False):
    """The answer to `Sink.revoking`."""

    revocation: int
    plans: Sequence[CommitPlan]


class StopIntake(Struct, frozen=True):
    """Hand over nothing more."""


class Stopped(Struct, frozen=True):
    """How the source ended."""

    result: CommitResult | None
    """Of the last commit; None where there was nothing to commit, or no answer in time."""
    closed: bool
    """Whether the group was left in order; a static member's partitions wait for it either way."""


class Stop(Struct, frozen=True, eq=False):
    """Commit these, close the consumer, end the thread."""

    plans: Sequence[CommitPlan]
    ended: "Future[Stopped]"


Order = Commit | Settled | SpanFull | LastPlans | StopIntake | Stop


class Orders:
    """A queue into the poll thread that never blocks the one who puts in."""

    def __init__(self) -> None:
        self._queue: deque[Order] = deque()
        self._event = Event()

    def put(self, order: Order) -> None:
        self._queue.append(order)
        self._event.set()

    def take(self) -> list[Order]:
        """All that was put in and not taken."""
        self._event.clear()
        return [self._queue.popleft() for _ in range(len(self._queue))]

    def wait(self, timeout_s: float) -> None:
        """Until something is there, or the time is over."""
        self._event.wait(timeout_s)
