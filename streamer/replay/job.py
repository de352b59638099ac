"""How does a replay run from its beginning to its end, or to where it was stopped?

    survey -> feeder (its thread) -> queue -> prepared, in order -> delivery -> marks -> account

It ends when all partitions that this process has are read to the end of their spans and nothing
is under way; when a person stops it; when a route's flood guard holds; or when Kafka or the
topic's rights let it go no further.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from streamer.dead_letters.reader import ReadFailed, Span
from streamer.errors import StreamerError
from streamer.model import Message, Owned, Partition
from streamer.replay.account import Account
from streamer.replay.delivery import Delivery
from streamer.replay.feeder import Feeder
from streamer.replay.marking import Marker, NotMarked
from streamer.replay.prepared import Item, Left, Ready
from streamer.replay.preparing import Preparer

JOINED_WITHIN_S = 45.0
"""A group's coordinator may take a session of somebody who died before it assigns anything."""
LOOK_S = 0.1
LEFT_WITHIN_S = 5.0
PORTION = 100
"""Letters that are prepared before they are given on."""


@dataclass(frozen=True, slots=True)
class _Assigned:
    owned: Sequence[Owned]


@dataclass(frozen=True, slots=True)
class _Read:
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class _Ended:
    owned: Owned


_Fact = _Assigned | _Read | _Ended

Itemize = Callable[[Message], Awaitable[Item | None]]
"""The item that a record is, if it is to be replayed."""
CatchUp = Callable[[Partition], Awaitable[None]]
"""Learn what was written to the partition since, before its next records are judged."""
CATCH_UP_EVERY_S = 2.0
"""What a person drops while a replay goes on is not sent, unless its call began before that."""


class Job:
    """Implements the feeder's sink; everything is called in the event loop."""

    def __init__(
        self,
        spans: Mapping[Partition, Span],
        preparer: Preparer,
        itemize: Itemize,
        catch_up: CatchUp,
        account: Account,
        marker: Marker | None,
    ) -> None:
        self._spans = spans
        self._preparer = preparer
        self._itemize = itemize
        self._catch_up = catch_up
        self._account = account
        self._marker = marker
        self._facts: asyncio.Queue[_Fact] = asyncio.Queue()
        self._owned: dict[Partition, Owned] = {}
        self._unread: set[Owned] = set()
        """Owned, and not handed over and prepared to the end."""
        self._learning = asyncio.Lock()
        """The reader is used by one at a time."""
        self._told_to: dict[Partition, int] = {}
        """Up to which offset the account knows of what is left out: a partition that comes back is
        read again."""
        self.cannot_learn = ""
        """Why it is not known what became of letters meanwhile; empty: it is."""
        self._was_assigned = False
        self._stop = asyncio.Event()
        self._error: BaseException | None = None
        self._busy = False
        self.feeder: Feeder
        self.delivery: Delivery

    def connect(self, feeder: Feeder, delivery: Delivery) -> None:
        self.feeder = feeder
        self.delivery = delivery

    # --- from the feeder ------------------------------------------------------------------------

    def assigned(self, owned: Sequence[Owned]) -> None:
        # None at first may mean that another replay is to let go of some.
        self._was_assigned = self._was_assigned or bool(owned)
        self._owned.update({one.partition: one for one in owned})
        self._unread.update(owned)
        self._facts.put_nowait(_Assigned(owned))

    def read(self, messages: Sequence[Message]) -> None:
        self._facts.put_nowait(_Read(messages))

    def ended(self, owned: Owned) -> None:
        self._facts.put_nowait(_Ended(owned))

    def revoking(self, owned: Sequence[Owned], finished: Callable[[], None]) -> None:
        self._forget(owned)

        def done(_: object) -> None:
            self._spawn(self._marks_then(owned, finished))

        self.delivery.engine.revoking(owned, done)

    async def _marks_then(self, owned: Sequence[Owned], finished: Callable[[], None]) -> None:
        if self._marker is not None:
            with suppress(NotMarked):
                await self._marker.settled(frozenset(one.partition for one in owned))
        finished()

    def gone(self, owned: Sequence[Owned], lost: bool) -> None:
        self._forget(owned)
        if lost:
            self.delivery.engine.lost(owned)
        else:
            self.delivery.engine.revoked(owned)
        self.delivery.forget(one.partition for one in owned)

    def broken(self, why: str) -> None:
        self.stop(why)

    def _forget(self, owned: Sequence[Owned]) -> None:
        for one in owned:
            if self._owned.get(one.partition) == one:
                del self._owned[one.partition]
            self._unread.discard(one)

    # --- preparing, in order --------------------------------------------------------------------

    async def _prepare(self) -> None:
        while True:
            self._busy = False
            fact = await self._facts.get()
            self._busy = True
            match fact:
                case _Assigned(owned=owned):
                    for one in owned:
                        await self._open(one)
                case _Read(messages=messages):
                    for start in range(0, len(messages), PORTION):
                        await self._send(messages[start : start + PORTION])
                case _Ended(owned=one):
                    self._unread.discard(one)

    async def _open(self, owned: Owned) -> None:
        span = self._spans.get(owned.partition)
        if span is None or not self._is_ours(owned):
            return
        await self._learn(owned.partition)
        if self._is_ours(owned):
            self.delivery.assigned(owned, span.start)

    async def _learn(self, partition: Partition) -> None:
        async with self._learning:
            await self._catch_up(partition)

    async def _keep_up(self) -> None:
        """Learn again and again what others write, until it is cancelled."""
        while True:
            await asyncio.sleep(CATCH_UP_EVERY_S)
            try:
                for partition in list(self.delivery.core.partitions):
                    await self._learn(partition)
                await self._preparer.read_on()
            except ReadFailed as failed:
                self.cannot_learn = str(failed)
            else:
                self.cannot_learn = ""

    async def _send(self, messages: Sequence[Message]) -> None:
        if self._marker is not None:
            # What cannot be remembered now is not sent without end.
            await self._marker.room()
        ready: list[Ready] = []
        passed = size = 0
        for message in messages:
            made = await self._one(message)
            if made is not None:
                ready.append(made)
            else:
                passed += 1
                size += message.size
        ours = [it for it in ready if self._is_ours(_owner(it.item.record))]
        gone = [it.item.record for it in ready if not self._is_ours(_owner(it.item.record))]
        self.feeder.settled(passed + len(gone), size + sum(it.size for it in gone))
        if ours and not self._stop.is_set():
            for one in ours:
                if self._is_news(one.item.record):
                    self._account.expect(one)
            self.delivery.send(ours)
        for message in messages:
            if self._is_ours(_owner(message)):
                told = self._told_to.get(message.partition, 0)
                self._told_to[message.partition] = max(told, message.offset + 1)

    async def _one(self, message: Message) -> Ready | None:
        if not self._is_wanted(message):
            return None
        item = await self._itemize(message)
        if item is None:
            return None
        made = await self._preparer.prepare(item)
        if isinstance(made, Left):
            if self._is_news(message):
                self._account.leave(made)
            return None
        return made

    def _is_news(self, message: Message) -> bool:
        """Whether the account was not told of it yet. Of a stretch nothing is remembered: what is
        read again is sent again, and counted so."""
        is_stretch = self._marker is None
        return is_stretch or message.offset >= self._told_to.get(message.partition, 0)

    def _is_wanted(self, message: Message) -> bool:
        return not self._stop.is_set() and self._is_ours(_owner(message))

    def _is_ours(self, owned: Owned) -> bool:
        return self._owned.get(owned.partition) == owned

    # --- its life -------------------------------------------------------------------------------

    def stop(self, why: str) -> None:
        """Send nothing more; what is under way is waited for. The first reason counts."""
        if not self._stop.is_set():
            self._account.stopped = why
            self._stop.set()

    async def run(self, drain_s: float, look: Callable[[], None]) -> None:
        """Until its end; `look` is called now and then, for whoever shows how far it is."""
        self._tasks: set[asyncio.Task[None]] = set()
        working = [asyncio.create_task(self._prepare()), asyncio.create_task(self._keep_up())]
        self.feeder.start()
        try:
            await self._until_done(working, look)
            self._account.elsewhere = self._elsewhere() if self._was_assigned else 0
            await self._end(drain_s)
        finally:
            for task in working:
                task.cancel()
            self.feeder.stop()
            await asyncio.gather(*working, return_exceptions=True)
            await asyncio.to_thread(self.feeder.join, LEFT_WITHIN_S)
            await self.delivery.engine.close()

    async def _until_done(
        self, working: "Sequence[asyncio.Task[None]]", look: Callable[[], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        join_until = loop.time() + JOINED_WITHIN_S
        while not self._is_done() and not self._stop.is_set():
            look()
            for task in working:
                if task.done():
                    self._fail(task.exception())
            if self.delivery.engine.error is not None:
                self._fail(self.delivery.engine.error)
            if self._marker is not None and self._marker.failed is not None:
                self.stop(str(self._marker.failed))
            if not self._was_assigned and loop.time() > join_until:
                self.stop(
                    "no partition was given to this replay: another one has them all, or Kafka does"
                    f" not answer {self.feeder.last_error}".rstrip()
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_S)
        look()

    def _fail(self, error: BaseException | None) -> None:
        if isinstance(error, StreamerError):
            self.stop(str(error))
        elif error is not None:
            raise error

    def _is_done(self) -> bool:
        return (
            self._was_assigned
            and not self._unread
            and self._facts.empty()
            and not self._busy
            and self.delivery.under_way == 0
            and (self._marker is None or not self._marker.unconfirmed)
        )

    async def _end(self, drain_s: float) -> None:
        """Wait for what is in flight, and for its marks: until then the group is not left, so that
        nobody else is given what may still be accepted."""
        self._account.stood_at = self._places() if self._stop.is_set() else []
        if self.delivery.under_way:
            await self.delivery.engine.drain(drain_s)
        if self._marker is not None:
            try:
                async with asyncio.timeout(drain_s):
                    await self._marker.settled()
            except NotMarked as failed:
                self.stop(str(failed))
            except TimeoutError:
                self.stop(f"it could not be remembered what was replayed: {self._marker.waits}")
            self._account.unmarked = self._marker.unconfirmed + self._marker.unwritten

    def _places(self) -> list[str]:
        parts = self.delivery.core.partitions
        return [
            f"{partition}@{part.window.position}"
            for partition, part in sorted(parts.items())
            if Owned(partition, part.owned.generation) in self._unread or part.window.held_messages
        ]

    def _elsewhere(self) -> int:
        return sum(1 for it, span in self._spans.items() if len(span) and it not in self._owned)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _owner(message: Message) -> Owned:
    return Owned(message.partition, message.generation)
