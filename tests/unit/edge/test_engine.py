"""What does the engine do when something happens that nobody planned?"""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from structlog.testing import capture_logs

from streamer.decoding.fetched import RegistryUnavailable
from streamer.delivery.core import Core, CoreSettings, EndpointSettings
from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.portions import PORTION_MESSAGES
from streamer.delivery.retry import Backoff
from streamer.edge.dependencies import Dependencies
from streamer.edge.engine import GATHER_MOST_S, EndpointPorts, Engine
from streamer.edge.schema_fetches import Learn
from streamer.endpoint.token_client import TokenAnswer, TokenGranted
from streamer.model import (
    Answer,
    Batch,
    Event,
    Exchange,
    Generation,
    Message,
    Offset,
    Owned,
    Partition,
    Position,
    Routed,
    SchemaRef,
    Tombstone,
)
from streamer.source.commit_metadata import NOTHING
from streamer.source.handover import Assigned, CommitPlan
from streamer.source.handover import Intake as HandedOver
from streamer.source.offsets import Window
from tests.unit.delivery.bench_core import CountingWatch, report

OWNED = Owned(Partition("t", 0), Generation(1))


class StoppedClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

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


class Endpoint:
    """Accepts everything, and keeps how many reports each call had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def send(self, batch: Batch, token: str) -> Exchange:
        self.sizes.append(len(batch.reports))
        accepted = [
            {"itemMetadata": {"originalIndex": index, "success": True}}
            for index in range(len(batch.reports))
        ]
        return Answer(200, json.dumps({"results": accepted}).encode())

    async def drop_cancels(self) -> None: ...

    async def ask(self, scope: str) -> TokenAnswer:
        return TokenGranted("token", 14400.0)


async def _no_topics(topics: object) -> None: ...


def _engine(
    decode: Callable[[Message], Event],
    route: Callable[[Event | Tombstone], Routed] = lambda _: Routed(()),
    batch_most: int = 1,
    endpoint: Endpoint | None = None,
    clock: StoppedClock | None = None,
) -> Engine:
    watch, clock = CountingWatch(), clock or StoppedClock()
    ports = {} if endpoint is None else {"default": EndpointPorts(endpoint, endpoint)}
    core = Core(
        CoreSettings(commit_interval_s=0.0, batch_most=batch_most),
        {"default": EndpointSettings()},
        frozenset(),
        watch,  # type: ignore[arg-type]  # answers every method
        lambda: 0.5,
        clock.wall_ms,
    )

    def intake(need: Callable[[SchemaRef], None]) -> Intake:
        return Intake(core, decode, route, Ordering.KEY, frozenset(), need)

    return Engine(
        core,
        intake,
        ports,
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


HANDED_OVER = 10 * PORTION_MESSAGES


def _calls_of_a_backlog(batch_most: int, each_message_takes_s: float) -> list[int]:
    """How many reports each call had that was made of one hand-over, in order."""
    clock, endpoint = StoppedClock(), Endpoint()

    def decode(message: Message) -> Event:
        clock.time += each_message_takes_s
        return Event(message, "t", {})

    async def run() -> None:
        engine = _engine(
            decode,
            lambda event: Routed((report(event.message),)),
            batch_most,
            endpoint,
            clock,
        )
        engine.connect(Source())
        engine.assigned([Assigned(OWNED, Position(0), NOTHING, 0)])
        engine.taken_in(_messages(*range(HANDED_OVER)))
        async with asyncio.timeout(10.0):
            while sum(endpoint.sizes) < HANDED_OVER:
                await asyncio.sleep(0)
        await engine.close()

    asyncio.run(run())
    return endpoint.sizes


def test_bulk_calls_of_a_backlog_wait_until_all_that_was_handed_over_was_taken_in() -> None:
    assert _calls_of_a_backlog(100, 0.0) == [100, 100, 100, 20]


def test_bulk_calls_do_not_wait_for_a_hand_over_that_takes_long() -> None:
    first, *_ = _calls_of_a_backlog(100, GATHER_MOST_S)
    assert first < 100


@pytest.mark.parametrize("each_message_takes_s", [0.0, GATHER_MOST_S])
def test_single_calls_wait_for_no_hand_over(each_message_takes_s: float) -> None:
    assert _calls_of_a_backlog(1, each_message_takes_s) == [1] * HANDED_OVER


class BusyEndpoint(Endpoint):
    """Asks to be left alone for ten minutes."""

    async def send(self, batch: Batch, token: str) -> Exchange:
        self.sizes.append(len(batch.reports))
        return Answer(429, b"", 600.0)


def test_an_endpoint_that_asks_for_a_long_wait_is_told() -> None:
    endpoint = BusyEndpoint()

    async def run() -> None:
        engine = _engine(
            lambda message: Event(message, "t", {}),
            lambda event: Routed((report(event.message),)),
            endpoint=endpoint,
        )
        engine.connect(Source())
        engine.assigned([Assigned(OWNED, Position(0), NOTHING, 0)])
        engine.taken_in(_messages(0))
        async with asyncio.timeout(10.0):
            while not any(log["event"] == "asked_to_wait" for log in logs):
                await asyncio.sleep(0)
        await engine.close()

    with capture_logs() as logs:
        asyncio.run(run())
    (told,) = (log for log in logs if log["event"] == "asked_to_wait")
    assert (told["instance"], told["held_s"]) == ("site", 600)
