"""`streamer replay`: how is a stretch of a source topic sent again?

For the day on which the mistake was ours and looked like success. By the same means as letters:
today's routes, in order, under the quota's share, with the keys of then, so that the platform
ignores what it had; or with new ones, which are made of the old ones and the stretch, so that the
same command again doubles nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from streamer.dead_letters.reader import Span
from streamer.dead_letters.wanted import WrongFilter, day_of, moment_ms
from streamer.delivery.sender import KEY_LIFE_S
from streamer.model import Message, Partition
from streamer.replay.account import Account
from streamer.replay.desk import Desk
from streamer.replay.prepared import Item
from streamer.replay.preparing import Manner
from streamer.replay.replaying import Runner, Show, dry_one


class Stretch(Struct, frozen=True):
    """Messages of one topic by their timestamps, the end not among them."""

    topic: str
    from_ms: int
    to_ms: int

    @property
    def name(self) -> str:
        return f"{self.topic}:{self.from_ms}:{self.to_ms}"


def stretch_of(topic: str, since: str, until: str, now: Callable[[], datetime]) -> Stretch:
    """WrongFilter where a moment is none, or the end is not after the beginning."""
    from_ms = moment_ms(since, now)
    to_ms = moment_ms(until, now, day_of(from_ms))
    if to_ms <= from_ms:
        raise WrongFilter(f"--to {until} is not after --from {since}")
    return Stretch(topic, from_ms, to_ms)


def utc_now() -> datetime:
    return datetime.now(UTC)


async def replay_stretch(
    desk: Desk,
    stretch: Stretch,
    routes: Sequence[str],
    manner: Manner,
    share_percent: float,
    show: Show,
    *,
    dry_run: bool,
) -> Account:
    _check_routes(desk, stretch.topic, routes)
    spans = _spans(desk, stretch)
    account = Account(sum(map(len, spans.values())))
    account.noun = "messages"
    if not manner.new_key and (warning := _warning(desk, stretch)):
        show.say(warning)
    manner = msgspec.structs.replace(manner, salt=stretch.name, routes=frozenset(routes))
    runner = Runner(desk, manner, share_percent, show)

    async def itemize(record: Message) -> Item | None:
        return Item(record, record)

    async def catch_up(partition: Partition) -> None:
        """Nothing is written about a source topic's messages."""

    try:
        if dry_run:
            account.is_dry = True
            await _dry_run(desk, spans, runner, account, show)
        elif spans:
            await runner.run(account, spans, itemize, catch_up, marks=False)
    finally:
        runner.close()
    return account


def _warning(desk: Desk, stretch: Stretch) -> str:
    """Before anything is sent; empty where no key can have expired."""
    routes = desk.loaded.table.routes_of_topic(stretch.topic)
    lives = [route.parts.idempotency_ttl_ms or int(KEY_LIFE_S * 1000) for route in routes]
    if desk.clock.wall_ms() < stretch.from_ms + min(lives):
        return ""
    return (
        "warning: the stretch begins so long ago that the endpoint may have forgotten its keys:"
        " what was accepted then runs twice now"
    )


def _check_routes(desk: Desk, topic: str, routes: Sequence[str]) -> None:
    names = [route.name for route in desk.loaded.table.routes_of_topic(topic)]
    if not names:
        raise WrongFilter(f"no route reads the topic {topic}")
    for route in routes:
        if route not in names:
            known = ", ".join(names[:20])
            raise WrongFilter(f"no route {route} reads the topic {topic}; there are {known}")


def _spans(desk: Desk, stretch: Stretch) -> dict[Partition, Span]:
    count = desk.reader.topics().get(stretch.topic)
    if count is None:
        raise WrongFilter(f"there is no topic {stretch.topic}")
    partitions = [Partition(stretch.topic, number) for number in range(count)]
    starts = desk.reader.at(dict.fromkeys(partitions, stretch.from_ms))
    ends = desk.reader.at(dict.fromkeys(partitions, stretch.to_ms))
    spans = {partition: Span(starts[partition], ends[partition]) for partition in partitions}
    return {partition: span for partition, span in spans.items() if len(span)}


async def _dry_run(
    desk: Desk, spans: dict[Partition, Span], runner: Runner, account: Account, show: Show
) -> None:
    for partition, span in spans.items():
        batches = desk.reader.read(partition, span)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for record in batch:
                await dry_one(Item(record, record), runner.preparer, account, show)
