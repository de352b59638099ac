"""`dead-letters drop`: which letters are dealt with, since a person says so?

Nothing is deleted: a mark says that it was dropped, why and when.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

from msgspec import Struct

from streamer.dead_letters.marks import Handling
from streamer.dead_letters.stop import Stopped
from streamer.dead_letters.summary import Summary
from streamer.delivery.retry import Backoff
from streamer.replay.desk import Asked, Desk
from streamer.replay.marking import Marker
from streamer.replay.replayers import members_of

WAITS_TOLD_S = 5.0
"""After so long a person is told what is waited for."""


class Dropped(Struct, frozen=True):
    """What was dropped."""

    summary: Summary
    found_none: bool
    """No letter is what the filters ask for, not even one that was dealt with."""
    stopped: str
    """Why it ended before its end; empty: it did not."""
    unconfirmed: int
    """Of those that were dropped, marks that Kafka had not confirmed when it was stopped."""


async def drop_letters(
    desk: Desk, asked: Asked, why: str, note: Callable[[str], None], *, dry_run: bool
) -> Dropped:
    """Marks all open letters that are asked for; every mark is confirmed when it returns, unless it
    was stopped. `note`: what is said beside the output."""
    topics = await desk.topics(sorted(asked.wanted.topics))
    writer = desk.new_writer()
    marker = Marker(writer, desk.clock.wall_ms, Backoff(0.5, 10.0, desk.random.random))
    summary, noted, stopped = Summary(), asked.noted, ""
    letters = desk.letters(asked, topics, desk.new_index(), noted, in_order=False)

    async def marks(waited_for: Coroutine[None, None, None]) -> None:
        waiting = asyncio.ensure_future(waited_for)
        try:
            await asyncio.wait([waiting], timeout=WAITS_TOLD_S)
            if not waiting.done() and marker.waits:
                note(f"waits until marks can be written: {marker.waits}")
            await waiting
        finally:
            waiting.cancel()

    try:
        try:
            async for standing in letters:
                summary.add(standing.found)
                if not dry_run:
                    marker.mark(standing.found, Handling.DROPPED, why)
                    if marker.is_full:
                        await desk.stop.race(marks(marker.room()))
                    if marker.failed is not None:
                        break
            await desk.stop.race(marks(marker.settled()))
        except Stopped:
            stopped = desk.stop.why
            with suppress(TimeoutError):
                async with asyncio.timeout(desk.loaded.settings.delivery.drain_timeout.s):
                    await marker.settled()
    finally:
        await writer.close()
    for line in noted.lines():
        note(line)
    if summary.total and not dry_run and await asyncio.to_thread(members_of, desk):
        note(
            f"a replay is under way (group {desk.group_id}): it sends none of these any more once"
            " it has read of it, within some seconds; a call that began before is not taken back"
        )
    return Dropped(summary, noted.found_none, stopped, marker.unconfirmed)
