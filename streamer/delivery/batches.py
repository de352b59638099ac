"""Which of what waits in a channel shares the next call?

Whatever waits when the lane may send, up to a number of reports and of bytes: light load keeps
single calls and heavy load makes full ones, without a timer. All that waits is independent of each
other (of an ordering key at most one is ready), so a call never holds two of one key.
"""

from collections.abc import Callable

from msgspec import Struct

from streamer.delivery.channels import Channel
from streamer.delivery.jobs import Job
from streamer.model import Action, Report

ITEM_BYTES = 640
"""What an item takes beside its payload, at most: an idempotency key of 80 characters, each of
which JSON may write as `\\u0001`, and some 150 bytes of names, entity and time to live."""
CALL_BYTES = 640
"""What a body takes beside its items: names, and a trigger key of 100 characters."""


class BatchBounds(Struct, frozen=True):
    """How much one call takes."""

    reports: int = 1
    size: int = 1_048_576
    """Bytes of its body, unless a single report has more."""


def take_batch(channel: Channel, bounds: BatchBounds, accept: Callable[[Job], bool]) -> list[Job]:
    """The reports, or the cancels, of the channel's next call.

    `accept(job)` is False for a job that may not go now (it was put aside by the asker). Empty:
    none of what waited may go.
    """
    channel.lingers_until = None
    while channel.apart:
        group = channel.apart.pop(0)
        jobs = [job for job in group if accept(job)]
        if len(jobs) > bounds.reports:
            channel.apart.insert(0, jobs[bounds.reports :])
            del jobs[bounds.reports :]
        if jobs:
            return jobs
    return _from_queue(channel, bounds, accept)


def _from_queue(channel: Channel, bounds: BatchBounds, accept: Callable[[Job], bool]) -> list[Job]:
    action = Action.REPORT if channel.sent_last is Action.CANCEL else Action.CANCEL
    for turn in (action, channel.sent_last):
        queue = channel.queue_of(turn)
        batch: list[Job] = []
        size = CALL_BYTES
        while queue and len(batch) < bounds.reports:
            size += size_of(queue[0])
            if batch and size > bounds.size:
                break
            job = queue.popleft()
            if accept(job):
                batch.append(job)
        if batch:
            channel.sent_last = turn
            return batch
    return []


def size_of(job: Job) -> int:
    """How many bytes of a call's body it takes, at most."""
    assert isinstance(job.subject, Report)
    return len(job.subject.payload) + ITEM_BYTES
