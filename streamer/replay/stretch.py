"""`streamer replay`: how is a stretch of a source topic sent again?

For the day on which the mistake was ours and looked like success. By the same means as letters:
today's routes, in order, under the quota's share, with the keys of then, so that the platform
ignores what it had; or with new ones, which are made of the old ones and the stretch, so that the
same command again doubles nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from streamer.dead_letters.reader import Span
from streamer.dead_letters.stop import Stopped
from streamer.dead_letters.wanted import WrongFilter, day_of, moment_ms
from streamer.delivery.sender import KEY_LIFE_S
from streamer.model import Action, Message, Partition, Report
from streamer.replay.account import Account
from streamer.replay.desk import Desk
from streamer.replay.job import Itemize
from streamer.replay.prepared import Item, Ready
from streamer.replay.preparing import Manner
from streamer.replay.replaying import Cancels, Runner, Show, dry_one


class Stretch(Struct, frozen=True):
    """Messages of one topic by their timestamps, the end not among them."""

    topic: str
    from_ms: int
    to_ms: int

    @property
    def name(self) -> str:
        return f"{self.topic}:{self.from_ms}:{self.to_ms}"

    @property
    def options(self) -> str:
        """The options that mean this very stretch, whenever and wherever they are given."""
        return f"--topic {self.topic} --from {_text(self.from_ms)} --to {_text(self.to_ms)}"

    def __contains__(self, message: Message) -> bool:
        return self.from_ms <= message.timestamp_ms < self.to_ms


def _text(moment_ms: int) -> str:
    moment = datetime.fromtimestamp(moment_ms / 1000).astimezone()
    return moment.isoformat(timespec="milliseconds" if moment_ms % 1000 else "seconds")


def stretch_of(
    topic: str, since: str, until: str, now: Callable[[], datetime], *, new_key: bool = False
) -> Stretch:
    """WrongFilter where a moment is none, or the end is not after the beginning; with `new_key`
    where the same words mean another stretch tomorrow."""
    stretch = _stretch(topic, since, until, now)
    if stretch.to_ms <= stretch.from_ms:
        raise WrongFilter(f"--to {until} is not after --from {since}")
    if new_key and stretch != _stretch(topic, since, until, lambda: now() + timedelta(days=1)):
        raise WrongFilter(
            f"--from {since} --to {until} means another stretch at another time, and the new keys"
            " are made of the stretch: the same command again would send all again. Give it with"
            f" its moments: streamer replay {stretch.options} --new-key"
        )
    return stretch


def _stretch(topic: str, since: str, until: str, now: Callable[[], datetime]) -> Stretch:
    from_ms = moment_ms(since, now)
    return Stretch(topic, from_ms, moment_ms(until, now, day_of(since, now)))


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
    show.say(f"the stretch: {stretch.options}")
    spans = _spans(desk, stretch, show)
    account = Account(sum(map(len, spans.values())))
    account.noun = "messages"
    account.found = 0
    account.after_stop = (
        "nothing is remembered of a stretch: the same command begins it again, under the same keys"
    )
    if not manner.new_key and (warning := _warning(desk, stretch)):
        show.say(warning)
    manner = msgspec.structs.replace(manner, salt=stretch.name, routes=frozenset(routes))
    runner = Runner(desk, manner, share_percent, show)

    async def itemize(record: Message) -> Item | None:
        if record not in stretch:
            account.passed += 1
            return None
        account.found = (account.found or 0) + 1
        return Item(record, record)

    async def catch_up(partition: Partition) -> None:
        """Nothing is written about a source topic's messages."""

    try:
        if dry_run:
            account.is_dry = True
            await _dry_run(desk, spans, itemize, runner, account, show)
        elif spans:
            if manner.cancels:
                for line in await _cancels(desk, stretch, spans, runner):
                    show.say(line)
            await runner.run(account, spans, itemize, catch_up, lambda _: True, marks=False)
    except Stopped:
        account.stopped = desk.stop.why
    finally:
        runner.close()
    account.found_none = not (account.found or account.stopped or account.elsewhere)
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


def _spans(desk: Desk, stretch: Stretch, show: Show) -> dict[Partition, Span]:
    """From the first message that may be of the stretch to the end as it is now: producers give
    the timestamps, so that one of the stretch may stand behind many that are of later."""
    count = desk.reader.topics().get(stretch.topic)
    if count is None:
        raise WrongFilter(f"there is no topic {stretch.topic}")
    partitions = [Partition(stretch.topic, number) for number in range(count)]
    starts = desk.reader.at(dict.fromkeys(partitions, stretch.from_ms))
    kept = {partition: desk.reader.span(partition) for partition in partitions}
    for partition, there in kept.items():
        if there.start and starts[partition] <= there.start:
            show.say(
                f"warning: what stood before {partition}@{there.start} was deleted by retention,"
                " and may have been of the stretch"
            )
    spans = {partition: Span(starts[partition], kept[partition].end) for partition in partitions}
    return {partition: span for partition, span in spans.items() if len(span)}


async def _records(desk: Desk, spans: Mapping[Partition, Span]) -> AsyncIterator[Message]:
    for partition, span in spans.items():
        batches = desk.reader.read(partition, span)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for record in batch:
                yield record


async def _cancels(
    desk: Desk, stretch: Stretch, spans: Mapping[Partition, Span], runner: Runner
) -> Iterable[str]:
    """What the cancels in the stretch would undo. Reads it all before anything is sent."""
    cancels = Cancels()
    if not desk.loaded.table.cancelled:
        return ()
    async for record in _records(desk, spans):
        if record in stretch:
            made = await runner.preparer.prepare(Item(record, record))
            for it in made.reports if isinstance(made, Ready) else ():
                if isinstance(it, Report) and it.action is Action.CANCEL:
                    entity = desk.shown.entity(it.route, it.entity or "")
                    cancels.add(str(record), it.trigger, entity, it.lane.instance)
    return list(cancels.lines(are_sent=True))


async def _dry_run(
    desk: Desk,
    spans: Mapping[Partition, Span],
    itemize: Itemize,
    runner: Runner,
    account: Account,
    show: Show,
) -> None:
    async for record in _records(desk, spans):
        item = await itemize(record)
        if item is not None:
            await dry_one(item, runner.preparer, account, show, desk.shown)
