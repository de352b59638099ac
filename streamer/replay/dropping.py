"""`dead-letters drop`: which letters are dealt with, since a person says so?

Nothing is deleted: a mark says that it was dropped, why and when.
"""

from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from streamer.dead_letters.marks import Handling
from streamer.dead_letters.stop import Stopped
from streamer.dead_letters.summary import Summary
from streamer.delivery.retry import Backoff
from streamer.replay.desk import Asked, Desk
from streamer.replay.marking import Marker


class Dropped(Struct, frozen=True):
    """What was dropped."""

    summary: Summary
    found_none: bool
    """No letter is what the filters ask for, not even one that was dealt with."""
    stopped: str
    """Why it ended before its end; empty: it did not."""


async def drop_letters(
    desk: Desk, asked: Asked, why: str, note: Callable[[str], None], *, dry_run: bool
) -> Dropped:
    """Marks all open letters that are asked for; every mark is confirmed when it returns. `note`:
    what is said beside the output."""
    topics = desk.topics(sorted(asked.wanted.topics))
    writer = desk.new_writer()
    marker = Marker(writer, desk.clock.wall_ms, Backoff(0.5, 10.0, desk.random.random))
    summary, noted = Summary(), asked.noted
    letters = desk.letters(asked, topics, desk.new_index(), noted, in_order=False)
    try:
        with suppress(Stopped):
            async for standing in letters:
                summary.add(standing.found)
                if not dry_run:
                    marker.mark(standing.found, Handling.DROPPED, why)
                    await marker.room()
                    if marker.failed is not None:
                        break
        await marker.settled()
    finally:
        await writer.close()
    for line in noted.lines():
        note(line)
    return Dropped(summary, noted.found_none, desk.stop.why)
