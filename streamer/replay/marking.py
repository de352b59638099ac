"""How is it remembered what became of letters, confirmed, many at a time?"""

import asyncio
from collections.abc import Callable

from streamer.dead_letters.found import Found
from streamer.dead_letters.marks import Handling, Mark, write_mark
from streamer.dead_letters.record import Record
from streamer.dead_letters.writer import Failed, NotWritten, Writer
from streamer.delivery.retry import Backoff
from streamer.errors import StreamerError
from streamer.model import Partition

AT_ONCE = 1_000
"""Marks on their way."""


class NotMarked(StreamerError):
    """The dead letter topic takes no marks: says why and what to do."""


class Marker:
    """Writes marks; used in one event loop.

    A mark that cannot be written now is tried again, without end; one that never can be ends the
    command: `failed` says why, and `settled` raises it.
    """

    def __init__(self, writer: Writer, wall_ms: Callable[[], int], pauses: Backoff) -> None:
        self._writer = writer
        self._wall_ms = wall_ms
        self._pauses = pauses
        self._tasks: dict[asyncio.Task[None], Partition] = {}
        self.written = 0
        self.waits = ""
        """Why marks wait, while they do."""
        self.failed: NotMarked | None = None
        self.unwritten = 0
        """Marks that never can be."""

    def mark(self, found: Found, handling: Handling, why: str, idempotency_key: str = "") -> None:
        """Begin to write it; `settled` waits for the end."""
        mark = Mark(found.id, handling, why, self._wall_ms(), idempotency_key, found.group)
        partition = found.partition
        record = write_mark(mark, partition.topic, partition.number)
        task = asyncio.get_running_loop().create_task(self._write(record))
        self._tasks[task] = partition
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    @property
    def unconfirmed(self) -> int:
        """Marks that were begun, and are not known to stand."""
        return len(self._tasks)

    @property
    def is_full(self) -> bool:
        """Whether as many are on their way as may be."""
        return len(self._tasks) >= AT_ONCE

    async def room(self) -> None:
        """Wait while too many are on their way."""
        while self.is_full:
            await asyncio.wait(list(self._tasks), return_when=asyncio.FIRST_COMPLETED)

    async def settled(self, partitions: frozenset[Partition] | None = None) -> None:
        """All marks (of these partitions) that were begun are confirmed."""
        waiting = [
            task
            for task, partition in self._tasks.items()
            if partitions is None or partition in partitions
        ]
        if waiting:
            await asyncio.wait(waiting)
        if self.failed is not None:
            raise self.failed

    async def _write(self, record: Record) -> None:
        failures = 0
        while isinstance(outcome := await self._writer.put(record), NotWritten):
            if outcome.kind is not Failed.TRANSIENT:
                self.failed = self.failed or NotMarked(outcome.detail)
                self.unwritten += 1
                return
            failures += 1
            self.waits = outcome.detail
            await asyncio.sleep(self._pauses.delay_s(failures))
        self.written += 1
        self.waits = ""
