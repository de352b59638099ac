"""May what shares a call do so?"""

from dataclasses import dataclass

from streamer.delivery.commands import Call
from streamer.delivery.order import ordering_key
from streamer.endpoint.requests import Request
from tests.simulation.invariants.broken import Broken
from tests.simulation.plan import Plan


@dataclass
class BodyChecks:
    plan: Plan

    def look(self, call: Call, request: Request) -> None:
        batch = call.batch
        self._bounds(len(batch.reports), len(request.body))
        keys = []
        for report in batch.reports:
            if (report.lane, report.trigger, report.action) != (
                batch.lane,
                batch.trigger,
                batch.action,
            ):
                raise Broken(f"a report of {report.lane} or {report.action} in another's call")
            key = ordering_key(self.plan.ordering, report)
            if key is not None:
                keys.append((report.message.partition, key))
        if len(set(keys)) < len(keys):
            raise Broken("two of one ordering key in a call")
        if call.is_probe and len(batch.reports) > 1:
            raise Broken(f"{len(batch.reports)} reports probe a breaker")

    def _bounds(self, reports: int, size: int) -> None:
        if reports > self.plan.batch_most:
            raise Broken(f"{reports} reports in a call")
        if reports > 1 and size > self.plan.batch_bytes:
            raise Broken(f"a body of {size} bytes")
