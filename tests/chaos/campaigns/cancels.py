"""Is every automation that should run still running after crashes, and every cancelled one ended?

Each of many entities is reported, cancelled and reported again within moments, while the process is
killed again and again. A cancel that comes again after the second report would end it, and the
report's own repetition would be ignored for its key: the automation would be lost in silence. In
the end the second report of each entity runs, and the first is ended.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tests.chaos.job import Job, let_run
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record
from tests.servers.sandbox_process import SandboxProcess

TRIGGER = "overdue"
REPORTED, CANCELLED = "InvoiceOverdue", "MemberJoined"
AT_ONCE = 40
"""Entities whose three events stand between one another."""


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    for ordering in ("key", "none"):
        yield Part(f"delivery.ordering {ordering}", partial(_part, size=size, ordering=ordering))


class CancelJob(Job):
    """Of each key the even events report and the odd ones cancel."""

    def __init__(
        self,
        stage: Stage,
        *,
        kafka: KafkaCluster | None = None,
        sandbox: SandboxProcess | None = None,
    ) -> None:
        super().__init__(stage, kafka=kafka, sandbox=sandbox)
        self._events: dict[str, int] = defaultdict(int)

    def _good(self, key: str) -> Record:
        number = self._events[key]
        self._events[key] += 1
        if number % 2 == 0:
            # What is counted as produced are the reports: they are what the ledger numbers.
            self.good[key] += 1
        name = CANCELLED if number % 2 else REPORTED
        return Record(self._encoded(name, key, number // 2, 1.0), key.encode())

    def entities(self, count: int) -> list[Record]:
        """So many: each is reported, cancelled and reported again."""
        blocks = [
            self.records(3 * AT_ONCE, keys=AT_ONCE, first_key=first)
            for first in range(0, count, AT_ONCE)
        ]
        return [record for block in blocks for record in block]

    def routes(self) -> Sequence[Mapping[str, Any]]:
        report, cancel = (
            {
                "name": name.lower(),
                "topic": self.topic,
                "event": f"{self.namespace}.{name}",
                "instance": "event.site",
                "entity": "event.key",
            }
            for name in (REPORTED, CANCELLED)
        )
        payload = {"key": "event.key", "number": "event.number"}
        return [{**report, "trigger": TRIGGER, "payload": payload}, {**cancel, "cancel": TRIGGER}]


def _part(stage: Stage, size: Size, ordering: str) -> Outcome:
    job = CancelJob(stage)
    entities = size.of(20_000, 2_000)
    job.write(job.entities(entities))
    config = {**job.config(delivery={"ordering": ordering}), "routes": job.routes()}
    streamer = stage.streamer(config)
    kills = size.of(5, 2)
    for moment in sorted(stage.random.uniform(0.02, 0.9) for _ in range(kills)):
        job.until_delivered(int(moment * job.produced), [streamer])
        let_run(stage.random.uniform(0, 0.4))
        streamer.kill()
        streamer.start(wait=False)
    job.until_settled([streamer])
    streamer.terminate()
    entries = list(job.sandbox.reports())
    accepted = job.taken(entry for entry in entries if entry["action"] == "report")
    faults = wrong_ends(entries, job)
    cancels = sum(entry["action"] == "cancel" for entry in entries)
    figures = {
        "kills": kills,
        "cancels made again": f"{cancels - entities:,} of {entities:,}",
        "automations that run in the end": f"{_running(entries):,}",
    }
    return job.compared(accepted, faults=faults, figures=figures)


def _running(entries: Sequence[Mapping[str, Any]]) -> int:
    return sum(it["action"] == "report" and it["cancelled_by"] is None for it in entries)


def wrong_ends(entries: Sequence[Mapping[str, Any]], job: Job) -> list[str]:
    """Sentences about automations that should have ended, and those that should not."""
    faults = []
    for entry in entries:
        if entry["action"] != "report":
            continue
        key, number = entry["payload"]["key"], entry["payload"]["number"]
        is_last = number == job.good[key] - 1
        if is_last and entry["cancelled_by"] is not None:
            faults.append(f"{key}: its last automation was cancelled, by an earlier cancel")
        if not is_last and entry["cancelled_by"] is None:
            faults.append(f"{key}: the automation of report {number} was never cancelled")
    return [*faults[:5], f"and {len(faults) - 5} more"] if len(faults) > 5 else faults
