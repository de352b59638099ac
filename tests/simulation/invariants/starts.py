"""May the reports of this call start now: are they ours, and is all before them settled?"""

from collections.abc import Callable

from streamer.delivery.commands import Call
from streamer.delivery.order import Ordering
from streamer.model import Action, Owned, Report
from tests.simulation.invariants.broken import Broken
from tests.simulation.invariants.commits import CommitChecks
from tests.simulation.invariants.settlements import Settled
from tests.simulation.kafka import NOBODY, Broker, Record, Spec
from tests.simulation.plan import Plan
from tests.simulation.processes import Process


class StartChecks:
    def __init__(
        self,
        plan: Plan,
        broker: Broker,
        settled: Settled,
        commits: CommitChecks,
        owns: Callable[[Process, Owned], bool],
    ) -> None:
        self._plan = plan
        self._broker = broker
        self._settled = settled
        self._commits = commits
        self._owns = owns

    def look(self, process: Process, call: Call) -> None:
        for report in call.batch.reports:
            self._is_ours(process, report)
            self._cancels_before(report)
            self._order(report)

    def _is_ours(self, process: Process, report: Report) -> None:
        owned = Owned(report.message.partition, report.message.generation)
        # A report that two processes send is one, for its key. A cancel has none.
        may_be_of_others = owned in process.unaware and report.action is Action.REPORT
        if not self._owns(process, owned) and not may_be_of_others:
            raise Broken(f"{process.name} sends {report.message} of others")
        if owned in process.stopping:
            raise Broken(f"{report.message} starts during its revocation")
        if owned in process.doubted:
            raise Broken(f"{report.message} starts after a stall, uncommitted")

    def _cancels_before(self, report: Report) -> None:
        """The cancels before a report are committed, and from now on every commit has them."""
        if report.action is Action.CANCEL:
            return
        message = report.message
        for record in self._broker.uncommitted(message.partition):
            if record.offset > message.offset:
                break
            for spec in record.specs if record.kind != "bad" else ():
                if record.offset == message.offset and spec.route == report.route:
                    break
                if spec.cancel and not spec.refused and _is_of(spec, report):
                    self._pin(report, record.offset, spec)

    def _pin(self, report: Report, offset: int, cancel: Spec) -> None:
        if not self._commits.pin(report.message.partition, offset, cancel.settlement):
            raise Broken(f"{report.message} starts, its cancel {offset} uncommitted")

    def _order(self, report: Report) -> None:
        """Everything before it in its order is accepted, refused for good, or dead-lettered."""
        message = report.message
        # What the position has passed was found settled when it was committed.
        for record in self._broker.uncommitted(message.partition):
            if record.offset >= message.offset:
                break
            if record.kind == "bad":
                continue
            for spec in record.specs:
                before = self._is_before(record, spec, report)
                if before and not self._settled.report(record, spec):
                    raise Broken(
                        f"{message}/{report.route} starts before "
                        f"{record.offset}/{spec.route} is settled"
                    )

    def _is_before(self, record: Record, spec: Spec, report: Report) -> bool:
        if not _may_be_of_lane(spec, report):
            return False
        if self._plan.ordering is Ordering.PARTITION:
            return True
        same_key = record.key is not None and record.key == report.message.key
        if self._plan.ordering is Ordering.KEY and same_key:
            return True
        one_cancels = spec.cancel or report.action is Action.CANCEL
        return one_cancels and _may_be_of_entity(spec, report)


def _is_of(spec: Spec, report: Report) -> bool:
    """Whether it is of the same lane, trigger and entity."""
    return spec.lane == report.lane and spec.entity is not None and _is_of_entity(spec, report)


def _is_of_entity(spec: Spec, report: Report) -> bool:
    return spec.trigger == report.trigger and spec.entity == report.entity


def _may_be_of_lane(spec: Spec, report: Report) -> bool:
    return spec.lane == report.lane or (
        spec.lane.instance == NOBODY and spec.lane.endpoint == report.lane.endpoint
    )


def _may_be_of_entity(spec: Spec, report: Report) -> bool:
    if spec.refused and spec.entity is None:
        return spec.trigger == report.trigger
    return spec.entity is not None and _is_of_entity(spec, report)
