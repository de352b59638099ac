"""When is what committed?

Every `commit_interval` if anything changed, at once where a report waits for it; one commit in
flight at most. What is in a commit, the partition's window decides (`source/offsets.py`).
"""

from collections.abc import Callable, Iterable

from streamer.delivery.commands import Alert, Commands
from streamer.delivery.jobs import OwnedPartition
from streamer.delivery.timers import Timers
from streamer.delivery.watch import Watch
from streamer.model import Owned
from streamer.source.handover import CommitPlan, CommitResult


class Commits:
    """`succeeded(part, now)` is called for each partition whose commit the broker took."""

    def __init__(
        self,
        interval_s: float,
        timers: Timers,
        commands: Callable[[], Commands],
        watch: Watch,
        succeeded: Callable[[OwnedPartition, CommitPlan, float], None],
    ) -> None:
        self._interval_s = interval_s
        self._timers = timers
        self._commands = commands
        self._watch = watch
        self._succeeded = succeeded
        self._changed: dict[OwnedPartition, None] = {}
        self._in_flight: dict[Owned, tuple[OwnedPartition, CommitPlan]] = {}
        self._asked: tuple[CommitPlan, ...] = ()
        """The commit that was given to the edge and whose end was not told yet."""
        self._due: float | None = None
        self._stuck: set[OwnedPartition] = set()
        self._unverified: dict[OwnedPartition, int | None] = {}
        """After a stall: the first plan made since, once it was made."""

    def changed(self, part: OwnedPartition, now: float) -> None:
        """Something of the partition was settled."""
        if part not in self._changed:
            self._changed[part] = None
            self._set(now + self._interval_s)

    def urgent(self, part: OwnedPartition, now: float) -> None:
        """A report waits for a settlement to be committed."""
        self._changed[part] = None
        self._set(now)

    def verify(self, part: OwnedPartition, now: float) -> None:
        """Commit although nothing changed: only a success shows that the partition is ours."""
        self._unverified[part] = None
        self.urgent(part, now)

    def _set(self, due: float) -> None:
        if self._due is None or due < self._due:
            self._due = due
            self._timers.at(due, self._run)

    def _run(self, now: float) -> None:
        if self._due is None or now < self._due:
            return  # an earlier run took its place
        self._due = None
        if self._asked:
            return  # the answer will start the next
        changed, self._changed = self._changed, {}
        for part in changed:
            if part.ended:
                continue
            plan = self._plan(part)
            self._tell_if_stuck(part)
            if plan is not None:
                self._in_flight[part.owned] = (part, plan)
        if self._in_flight:
            self._asked = tuple([plan for _, plan in self._in_flight.values()])
            self._commands().commit.extend(self._asked)

    def _tell_if_stuck(self, part: OwnedPartition) -> None:
        why = part.window.stuck
        if why is None:
            self._stuck.discard(part)
        elif part not in self._stuck:
            self._stuck.add(part)
            self._commands().alerts.append(Alert("commit_stuck", {"why": why}))

    def _plan(self, part: OwnedPartition) -> CommitPlan | None:
        if part not in self._unverified:
            return part.window.plan()
        plan = part.window.plan_anyway()
        if self._unverified[part] is None:
            self._unverified[part] = plan.number
        return plan

    def ended(self, result: CommitResult, now: float) -> None:
        """The broker's answer, or its lack. A failure changes nothing: it is made again."""
        failures = {failure.partition: failure for failure in result.failures}
        for plan in result.plans:
            failure = failures.get(plan.owned.partition)
            self._watch.committed(failure is None, failure.code if failure else "")
            part, awaited = self._in_flight.get(plan.owned, (None, None))
            if part is None or awaited is not plan:
                continue  # fenced in the meantime, or the last plan of a revocation
            del self._in_flight[plan.owned]
            if failure is None:
                part.window.committed(plan.number)
                self._verified(part, plan)
                self._succeeded(part, plan, now)
            else:
                part.window.not_committed(plan.number, failure.metadata_too_large)
                self.changed(part, now)
        # A revocation's last commit is told too, and does not end the one that was asked for.
        if self._asked and any(plan is self._asked[0] for plan in result.plans):
            self._asked = ()
        if self._changed:
            self._due = None
            # What failed is not made again at once: it would fail as fast as the broker answers.
            at_once = not result.failures and self._has_waiters()
            self._set(now if at_once else now + self._interval_s)

    def _has_waiters(self) -> bool:
        return any(part.commit_waiters or part in self._unverified for part in self._changed)

    def _verified(self, part: OwnedPartition, plan: CommitPlan) -> None:
        since = self._unverified.get(part)
        if since is not None and plan.number >= since:
            del self._unverified[part]
            part.verified = True

    def forget(self, parts: Iterable[OwnedPartition]) -> None:
        """The partitions were fenced: an answer that still comes for them means nothing."""
        for part in parts:
            self._changed.pop(part, None)
            self._in_flight.pop(part.owned, None)
            self._unverified.pop(part, None)
            self._stuck.discard(part)
