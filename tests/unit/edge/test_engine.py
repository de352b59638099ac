"""What does the engine do when something happens that nobody planned?"""

import asyncio
from collections.abc import Callable, Sequence

from streamer.decoding.fetched import RegistryUnavailable
from streamer.delivery.core import Core, CoreSettings, EndpointSettings
from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.retry import Backoff
from streamer.edge.dependencies import Dependencies
from streamer.edge.engine import Engine
from streamer.edge.schema_fetches import Learn
from streamer.model import (
    Event,
    Generation,
    Message,
    Offset,
    Owned,
    Partition,
    Position,
    Routed,
    SchemaRef,
)
from streamer.source.commit_metadata import NOTHING
from streamer.source.handover import Assigned, CommitPlan
from streamer.source.handover import Intake as HandedOver
from streamer.source.offsets import Window
from tests.unit.delivery.bench_core import CountingWatch

OWNED = Owned(Partition("t", 0), Generation(1))


class StoppedClock:
    def now(self) -> float:
        return 0.0

    def wall_ms(self) -> int:
        return 0


class NoSchemas:
    async def greet(self) -> RegistryUnavailable | None:
        return None


class Source:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.plans: list[CommitPlan] = []

    def commit(self, plans: Sequence[CommitPlan]) -> None:
        self.plans += plans

    def settled(self, owned: Owned, messages: int, size: int) -> None: ...

    def span_full(self, owned: Owned, full: bool) -> None: ...

    def took(self) -> None: ...


async def _no_topics(topics: object) -> None: ...


def _engine(decode: Callable[[Message], Event]) -> Engine:
    watch, clock = CountingWatch(), StoppedClock()
    core = Core(
        CoreSettings(commit_interval_s=0.0),
        {"default": EndpointSettings()},
        frozenset(),
        watch,  # type: ignore[arg-type]  # answers every method
        lambda: 0.5,
        clock.wall_ms,
    )

    def intake(need: Callable[[SchemaRef], None]) -> Intake:
        return Intake(core, decode, lambda _: Routed(()), Ordering.KEY, frozenset(), need)

    return Engine(
        core,
        intake,
        {},
        None,  # type: ignore[arg-type]  # no dead letter is written
        Learn(NoSchemas(), lambda ref, fetched: None, lambda now: None),  # type: ignore[arg-type]
        lambda assigned: Window(assigned, "cluster", "subscription"),
        watch,  # type: ignore[arg-type]
        clock,
        Backoff(1.0, 1.0, lambda: 0.5),
        Dependencies(clock),
        _no_topics,
    )


def _messages(*offsets: int) -> HandedOver:
    return HandedOver(
        [Message(OWNED.partition, OWNED.generation, Offset(n), 0, None, b"v") for n in offsets], ()
    )


def test_a_message_that_could_not_be_taken_in_ends_the_process_and_is_never_committed() -> None:
    def decode(message: Message) -> Event:
        if message.offset == 1:
            raise RuntimeError("nobody planned this")
        return Event(message, "t", {})

    async def run() -> tuple[Engine, Source]:
        engine, source = _engine(decode), Source()
        engine.connect(source)
        loop = asyncio.get_running_loop()
        loop.call_soon(engine.assigned, [Assigned(OWNED, Position(0), NOTHING, 0)])
        loop.call_soon(engine.taken_in, _messages(0, 1, 2))
        loop.call_soon(engine.taken_in, _messages(3, 4))
        await asyncio.wait_for(engine.wait_for_end(), 10.0)
        for _ in range(20):
            await asyncio.sleep(0)
        await engine.close()
        return engine, source

    engine, source = asyncio.run(run())
    assert isinstance(engine.error, RuntimeError)
    assert [plan.position for plan in source.plans if plan.position > 1] == []
