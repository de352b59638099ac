"""`dead-letters drop`: which letters are dealt with, since a person says so?

Nothing is deleted: a mark says that it was dropped, why and when.
"""

from streamer.dead_letters.marks import Handling
from streamer.dead_letters.newest import Index
from streamer.dead_letters.summary import Summary
from streamer.delivery.retry import Backoff
from streamer.replay.desk import Asked, Desk
from streamer.replay.marking import Marker


async def drop_letters(desk: Desk, asked: Asked, why: str, *, dry_run: bool) -> Summary:
    """Marks all open letters that are asked for; every mark is confirmed when it returns."""
    topics = desk.topics(sorted(asked.wanted.topics))
    writer = desk.new_writer()
    marker = Marker(writer, desk.clock.wall_ms, Backoff(0.5, 10.0, desk.random.random))
    summary = Summary()
    try:
        async for standing in desk.letters(asked, topics, Index(), in_order=False):
            summary.add(standing.found)
            if not dry_run:
                marker.mark(standing.found, Handling.DROPPED, why)
                await marker.room()
                if marker.failed is not None:
                    break
        await marker.settled()
    finally:
        await writer.close()
    return summary
