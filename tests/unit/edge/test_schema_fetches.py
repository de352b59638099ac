"""Which schemas are asked for, and how many at once?"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from streamer.decoding.fetched import Fetched, RegistryUnavailable, SchemaUnknown
from streamer.delivery.retry import Backoff
from streamer.edge.clock import SystemClock
from streamer.edge.dependencies import Dependencies
from streamer.edge.schema_fetches import AT_ONCE, Learn, SchemaFetches
from streamer.model import Reason, Refusal, SchemaRef

UNKNOWN = Refusal(Reason.UNKNOWN_SCHEMA, "no such schema")


class Registry:
    """Answers when it is told to; counts who asks at once."""

    def __init__(self) -> None:
        self.is_up = True
        self.asking = 0
        self.most_at_once = 0
        self.asked: list[SchemaRef] = []

    async def fetch(self, ref: SchemaRef) -> Fetched:
        self.asked.append(ref)
        self.asking += 1
        self.most_at_once = max(self.most_at_once, self.asking)
        for _ in range(3):
            await asyncio.sleep(0)
        self.asking -= 1
        return SchemaUnknown(UNKNOWN) if self.is_up else RegistryUnavailable("down")

    async def greet(self) -> RegistryUnavailable | None:
        return None


class Asking:
    def __init__(self, registry: Registry, pause_s: float = 0.001) -> None:
        self.learned: list[SchemaRef] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.fetches = SchemaFetches(
            Learn(registry, lambda ref, fetched: None, lambda now: None),
            Backoff(pause_s, pause_s, lambda: 0.5),
            Dependencies(SystemClock()),
            self.spawn,
            self.learned.append,
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.learned) < count:
                await asyncio.sleep(0)

    async def close(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def refs(count: int) -> list[SchemaRef]:
    return [SchemaRef("id", str(number)) for number in range(count)]


async def test_a_thousand_schemas_are_asked_for_a_few_at_a_time() -> None:
    registry = Registry()
    asking = Asking(registry)
    for ref in refs(1_000):
        asking.fetches.want(ref)

    await asking.until(1_000)

    assert registry.most_at_once == AT_ONCE
    assert sorted(asking.learned) == sorted(refs(1_000))


async def test_while_the_registry_is_away_one_request_at_a_time_asks_and_then_all_come() -> None:
    registry = Registry()
    registry.is_up = False
    asking = Asking(registry)
    for ref in refs(50):
        asking.fetches.want(ref)
    async with asyncio.timeout(30):
        while len(registry.asked) < 3 * AT_ONCE:
            await asyncio.sleep(0)
    registry.most_at_once = registry.asking

    async with asyncio.timeout(30):
        while len(registry.asked) < 6 * AT_ONCE:
            await asyncio.sleep(0)
    during = registry.most_at_once
    registry.is_up = True
    await asking.until(50)

    assert during == 1
    assert sorted(asking.learned) == sorted(refs(50))


class Failing(Registry):
    """Answers an error, or nothing, for some."""

    def __init__(self, bad: set[SchemaRef], status: int | None) -> None:
        super().__init__()
        self.bad = bad
        self.status = status

    async def fetch(self, ref: SchemaRef) -> Fetched:
        fetched = await super().fetch(ref)
        return RegistryUnavailable("bad", self.status) if ref in self.bad else fetched


@pytest.mark.parametrize("status", [500, None])
@pytest.mark.parametrize("bad", [0, 7])
async def test_one_that_the_registry_cannot_answer_does_not_keep_the_others_from_theirs(
    bad: int, status: int | None
) -> None:
    registry = Failing({refs(20)[bad]}, status)
    asking = Asking(registry)
    for ref in refs(20):
        asking.fetches.want(ref)

    await asking.until(19)

    assert SchemaRef("id", str(bad)) not in asking.learned
    await asking.close()


async def test_beside_a_hundred_that_the_registry_answers_500_for_one_is_fetched_at_once() -> None:
    bad, fine = refs(100), SchemaRef("id", "fine")
    registry = Failing(set(bad), 500)
    asking = Asking(registry, pause_s=3_600)
    for ref in bad:
        asking.fetches.want(ref)
    async with asyncio.timeout(30):
        while len(registry.asked) < 100 or registry.asking:
            await asyncio.sleep(0)

    asking.fetches.want(fine)
    await asking.until(1)

    assert asking.learned == [fine]
    assert len(registry.asked) == 101, "each that failed pauses for an hour"
    await asking.close()


async def test_those_that_were_never_asked_for_come_before_those_that_failed() -> None:
    bad, fine = refs(20), SchemaRef("id", "fine")
    registry = Failing(set(bad), None)
    asking = Asking(registry)
    for ref in bad:
        asking.fetches.want(ref)
    async with asyncio.timeout(30):
        while len(registry.asked) < 40:
            await asyncio.sleep(0)
    asked = len(registry.asked)

    asking.fetches.want(fine)
    await asking.until(1)

    # The one that is being asked for, and the one whose turn it is.
    assert len(registry.asked) <= asked + 2
    await asking.close()


async def test_one_that_failed_is_fetched_once_the_registry_has_it() -> None:
    registry = Failing(set(refs(30)), 503)
    asking = Asking(registry)
    for ref in refs(30):
        asking.fetches.want(ref)
    async with asyncio.timeout(30):
        while len(registry.asked) < 90:
            await asyncio.sleep(0)

    registry.bad = set()
    await asking.until(30)

    assert sorted(asking.learned) == sorted(refs(30))
