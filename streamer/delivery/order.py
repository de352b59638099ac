"""Which report waits for which?

A report counts its blockers: earlier ones that must be settled first. The rules (RULES, Order):

- within an ordering key each waits for the one before it;
- the reports of one event in one lane wait for each other in the table's order;
- of one lane, trigger and entity in a partition, any two of which one is a cancel keep their
  order, in every mode;
- a report that was refused keeps its place until its dead letter is confirmed; where its instance
  or its entity could not be told, what may be of the same waits (`barriers.py`);
- a report that follows a cancel also waits until that cancel's settlement is committed
  (`Job.follows_cancel`): a cancel delivered again after a crash would undo it in silence.

All of these stay within one partition, so what a fenced partition leaves behind is its own.
"""

from collections.abc import Hashable
from enum import StrEnum

from streamer.delivery.barriers import Barrier
from streamer.delivery.jobs import EntityKey, EntityOrder, Job, OwnedPartition
from streamer.model import Action, LaneKey, RefusedReport, Report


class Ordering(StrEnum):
    KEY = "key"
    PARTITION = "partition"
    NONE = "none"


CancelledTriggers = frozenset[tuple[str, str]]
"""(endpoint entry, trigger) of every trigger that any route cancels."""


def ordering_key(ordering: Ordering, report: Report | RefusedReport) -> Hashable:
    """The key within its partition; None for a report without an order, or without a lane."""
    if report.lane is None:
        return None
    if ordering is Ordering.PARTITION:
        return report.lane
    key = report.message.key
    if ordering is Ordering.NONE or key is None:
        return None
    return (report.lane, key)


def line_up(
    job: Job,
    report: Report | RefusedReport,
    ordering: Ordering,
    cancelled: CancelledTriggers,
    before_in_event: dict[LaneKey, Job],
) -> None:
    """Give the job its place after everything it must wait for.

    One that was refused has its place too: until its dead letter is confirmed, what it stands
    before waits. `before_in_event`: the last job of the same event by lane; updated.
    """
    part, lane = job.part, report.lane
    chain = ordering_key(ordering, report)
    if chain is not None:
        _follow(job, part.tails.get(chain))
        part.tails[chain] = job
        job.chain = chain
    elif lane is not None:
        _follow(job, before_in_event.get(lane))
        before_in_event[lane] = job
    # Without a lane nobody follows it but at a barrier, where who waits, waits for all.
    if part.barriers and lane is not None:
        _wait_at_barriers(job, report, ordering)
    is_cancelled = (report.endpoint, report.trigger) in cancelled
    if is_cancelled and report.entity is not None and lane is not None:
        _line_up_entity(job, report, (lane, report.trigger, report.entity))
    if isinstance(report, RefusedReport):
        _keep_back(job, report, ordering, is_cancelled)


def _follow(job: Job, earlier: Job | None) -> None:
    if earlier is not None:
        earlier.followers.append(job)
        job.blockers += 1


def _line_up_entity(job: Job, report: Report | RefusedReport, key: EntityKey) -> None:
    entity = entity_of(job.part, key)
    job.entity = entity
    _follow(job, entity.last_cancel)
    if report.action is Action.CANCEL:
        for earlier in entity.reports:
            _follow(job, earlier)
        entity.reports.clear()
        entity.last_cancel = job
        job.part.remember(entity, report.message.offset, job.settlement)
    else:
        job.follows_cancel = entity.cancels[-1].number if entity.cancels else 0
        entity.reports[job] = None


def _wait_at_barriers(job: Job, report: Report | RefusedReport, ordering: Ordering) -> None:
    barriers = job.part.barriers
    names: list[Hashable] = [
        _any_lane(ordering, report.endpoint, report.message.key),
        (Action.CANCEL, report.endpoint, report.trigger),
    ]
    if report.action is Action.CANCEL:
        names.append((Action.REPORT, report.endpoint, report.trigger))
    for name in names:
        barrier = barriers.get(name)
        if barrier is not None:
            barrier.wait(job)


def _keep_back(job: Job, report: RefusedReport, ordering: Ordering, is_cancelled: bool) -> None:
    """Whom it is about could not be told: whoever it may be waits."""
    names: list[Hashable] = []
    if report.instance is None:
        names.append(_any_lane(ordering, report.endpoint, report.message.key))
    if is_cancelled and (report.any_entity or report.instance is None):
        names.append((report.action, report.endpoint, report.trigger))
    job.keeps_back = tuple([name for name in names if name is not None])
    for name in job.keeps_back:
        barrier = job.part.barriers.get(name)
        if barrier is None:
            barrier = job.part.barriers[name] = Barrier()
        barrier.keep_back(job)


def _any_lane(ordering: Ordering, endpoint: str, key: bytes | None) -> Hashable:
    """The barrier of an ordering key in any lane of the endpoint; None where there is no order."""
    if ordering is Ordering.PARTITION:
        return (endpoint,)
    return None if ordering is Ordering.NONE or key is None else (endpoint, key)


def remember_settled_cancel(part: OwnedPartition, report: Report, settlement: int) -> None:
    """A cancel that was settled before a restart, beside unsettled reports of its message."""
    assert report.entity is not None
    entity = entity_of(part, (report.lane, report.trigger, report.entity))
    part.remember(entity, report.message.offset, settlement)


def entity_of(part: OwnedPartition, key: EntityKey) -> EntityOrder:
    entity = part.entities.get(key)
    if entity is None:
        entity = part.entities[key] = EntityOrder(key)
    return entity


def release(job: Job) -> list[Job]:
    """The job is settled: the followers that wait for nothing any more."""
    part = job.part
    if job.chain is not None and part.tails.get(job.chain) is job:
        del part.tails[job.chain]
    if job.entity is not None:
        _leave_entity(job, job.entity)
    freed = []
    for follower in job.followers:
        follower.blockers -= 1
        if follower.blockers == 0:
            freed.append(follower)
    job.followers = []
    for name in job.keeps_back:
        barrier = part.barriers.get(name)
        if barrier is not None:
            freed += barrier.leave(job)
            if barrier.is_idle:
                del part.barriers[name]
    return freed


def _leave_entity(job: Job, entity: EntityOrder) -> None:
    if job.is_cancel:
        if entity.last_cancel is job:
            entity.last_cancel = None
        return
    entity.reports.pop(job, None)
    if not entity.reports and not entity.cancels:
        job.part.entities.pop(entity.key, None)
