"""Does an automation that should run survive SIGKILL at every step around a cancel of its entity?

Report 1, a cancel, report 2 of one entity. After each step the process is killed and started again;
what counts then is what the endpoint took in and what Kafka has committed. A cancel that came again
after report 2 would end its automation, and report 2's own repetition would be ignored for its key.

Nothing is timed: calls that must not go on hang until the process that made them is dead.
"""

import io
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest

from streamer.model import Offset, Partition, Position
from streamer.source.commit_metadata import NOTHING, Restored, read
from tests.integration.conftest import StartsStreamer
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, committed, end_offsets, produce
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import StreamerProcess
from tests.servers.waiting import wait_until

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "DueDateMoved",
    "namespace": "com.acme.billing",
    "fields": [{"name": name, "type": "string"} for name in ("site", "invoice", "does")]
    + [{"name": "number", "type": "int"}],
}
TRIGGER = "due"
REPORT, CANCEL, BOTH = "report", "cancel", "cancel and report"
SILENT = "silent-site"
SILENCE = f"hang instance={SILENT}"


class Step(IntEnum):
    """What was done last when the process is killed."""

    REPORT_1_SENT = 1
    REPORT_1_ACCEPTED = 2
    CANCEL_ACCEPTED = 3
    CANCEL_COMMITTED = 4
    REPORT_2_ACCEPTED = 5
    REPORT_2_COMMITTED = 6


# What hangs, so that the process comes to the step and no further.
STOPS_AT: Mapping[Step, Sequence[str]] = {
    Step.REPORT_1_SENT: ["hang call=report"],
    Step.REPORT_1_ACCEPTED: ["hang after call=report"],
    Step.CANCEL_ACCEPTED: ["hang after call=cancel"],
    Step.CANCEL_COMMITTED: ["hang call=report"],
    Step.REPORT_2_ACCEPTED: ["hang after call=report"],
    Step.REPORT_2_COMMITTED: [],
}


@dataclass(frozen=True)
class Story:
    """One entity's events, alone in a partition; its site is its name."""

    partition: int
    later: tuple[str, ...]
    """What the events behind report 1 do."""
    behind_another: bool = False
    """Its partition begins with a report of a site that does not answer. So the position stands
    still, and what is settled is in the commit's metadata only."""

    @property
    def site(self) -> str:
        return f"site-{self.partition}"

    @property
    def cancel_at(self) -> Offset:
        return Offset(1 + self.behind_another)

    @property
    def report_2_at(self) -> Offset:
        return Offset(self.cancel_at + len(self.later) - 1)


STORIES = (
    Story(0, (CANCEL, REPORT)),
    Story(1, (BOTH,)),
    Story(2, (CANCEL, REPORT), behind_another=True),
    Story(3, (BOTH,), behind_another=True),
)


class Walk:
    """The stories, all in one topic, and how far each is."""

    def __init__(self, kafka: KafkaCluster, sandbox: SandboxProcess, schemas: Path) -> None:
        self._kafka = kafka
        self._sandbox = sandbox
        self._schemas = schemas
        self.topic = kafka.create_topic(partitions=len(STORIES))
        self._group = f"group-{uuid.uuid4().hex[:12]}"
        self._cluster = str(kafka.admin.list_topics(timeout=30).cluster_id)
        self._schema = fastavro.parse_schema(SCHEMA)
        (schemas / "due-date-moved.avsc").write_bytes(msgspec.json.encode(SCHEMA))

    def config(self, commit_interval: str) -> dict[str, Any]:
        shared = {
            "topic": self.topic,
            "instance": "event.site",
            "entity": "event.invoice",
        }
        return {
            "kafka": {
                "bootstrap_servers": self._kafka.bootstrap,
                "group_id": self._group,
                "start": "earliest",
                # Started again it is the same member: nobody waits for the dead one's session.
                "properties": {"group.instance.id": "the-one"},
            },
            "schemas": {
                "directory": str(self._schemas),
                "topics": {self.topic: "com.acme.billing.DueDateMoved"},
            },
            "endpoint": {
                "base_url": self._sandbox.url,
                "app": {"id": "app", "secret": "secret"},
                "quota": "none",
                "timeout": "2m",
            },
            "routes": [
                {**shared, "name": "moved", "when": "'cancel' in event.does", "cancel": TRIGGER},
                {
                    **shared,
                    "name": "due",
                    "when": "'report' in event.does",
                    "trigger": TRIGGER,
                    "payload": {"number": "event.number"},
                },
            ],
            "delivery": {"commit_interval": commit_interval},
            "log": {"format": "json"},
        }

    # --- writing -------------------------------------------------------------------------------

    def write_report_1(self) -> None:
        """What comes first in each partition."""
        records = [self._record(it, SILENT, REPORT, 0) for it in STORIES if it.behind_another]
        records += [self._record(it, it.site, REPORT, 1) for it in STORIES]
        produce(self._kafka.bootstrap, self.topic, records)

    def write_the_rest(self) -> None:
        records = [self._record(it, it.site, does, 2) for it in STORIES for does in it.later]
        produce(self._kafka.bootstrap, self.topic, records)

    def _record(self, story: Story, site: str, does: str, number: int) -> Record:
        event = {"site": site, "invoice": f"of {story.site}", "does": does, "number": number}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self._schema, event)
        return Record(out.getvalue(), site.encode(), partition=story.partition)

    # --- looking -------------------------------------------------------------------------------

    def reached(self) -> set[tuple[Story, Step]]:
        """Which steps of which stories are done."""
        accepted = {
            (entry["instance"], entry["payload"]["number"] if entry["payload"] else CANCEL)
            for entry in self._sandbox.reports()
        }
        sent = {row["instance"] for row in self._sandbox.journal() if row["call"] != "token"}
        settled = {story: self._settled(story.partition) for story in STORIES}
        done: Mapping[Step, Callable[[Story], bool]] = {
            Step.REPORT_1_SENT: lambda it: it.site in sent,
            Step.REPORT_1_ACCEPTED: lambda it: (it.site, 1) in accepted,
            Step.CANCEL_ACCEPTED: lambda it: (it.site, CANCEL) in accepted,
            Step.CANCEL_COMMITTED: lambda it: settled[it].in_part(it.cancel_at),
            Step.REPORT_2_ACCEPTED: lambda it: (it.site, 2) in accepted,
            Step.REPORT_2_COMMITTED: lambda it: settled[it].whole(it.report_2_at),
        }
        return {(story, step) for story in STORIES for step in Step if done[step](story)}

    def have_reached(self, step: Step) -> bool:
        reached = self.reached()
        return all((story, step) in reached for story in STORIES)

    def is_committed(self) -> bool:
        """Whether the group's positions are at the topic's end."""
        ends = end_offsets(self._kafka.bootstrap, self.topic)
        return all(self._settled(number).position == end for number, end in ends.items())

    def _settled(self, number: int) -> "Settled":
        found = committed(self._kafka.bootstrap, self._group).get((self.topic, number))
        if found is None:
            return Settled(Position(0), NOTHING)
        position, partition = Position(found.offset), Partition(self.topic, number)
        return Settled(position, read(found.metadata, position, self._cluster, partition).restored)


@dataclass(frozen=True)
class Settled:
    """What a partition's commit says."""

    position: Position
    beyond: Restored

    def whole(self, offset: Offset) -> bool:
        return offset < self.position or self.beyond.covers(offset)

    def in_part(self, offset: Offset) -> bool:
        """At least one report or cancel of the message; its cancel is the first."""
        return self.whole(offset) or offset in self.beyond.parts


@pytest.mark.parametrize("step", Step, ids=lambda step: step.name.lower())
def test_a_kill_after_each_step_leaves_report_1_cancelled_and_report_2_live(
    kafka: KafkaCluster,
    sandbox_process: Callable[..., SandboxProcess],
    streamer_process: StartsStreamer,
    tmp_path: Path,
    step: Step,
) -> None:
    sandbox = sandbox_process()
    walk = Walk(kafka, sandbox, tmp_path)
    is_last = step is Step.REPORT_2_COMMITTED
    # Only what a report waits for is committed, except where the last step is a commit.
    streamer = streamer_process(walk.config(commit_interval="200ms" if is_last else "1m"))
    first_ones = [] if step > Step.REPORT_1_ACCEPTED else STOPS_AT[step]
    sandbox.faults(SILENCE, *first_ones)
    walk.write_report_1()
    if not first_ones:
        _until(streamer, walk, Step.REPORT_1_ACCEPTED)
        sandbox.faults(SILENCE, *STOPS_AT[step])
    walk.write_the_rest()
    _until(streamer, walk, step)
    streamer.kill()
    assert walk.reached() == {(story, done) for story in STORIES for done in Step if done <= step}

    sandbox.faults()
    again = streamer_process(walk.config(commit_interval="200ms"))
    wait_until(walk.is_committed, lambda: again.process.log()[-3000:], 90)

    entries = list(sandbox.reports())
    for story in STORIES:
        first, cancels, second = _told_of(story, entries)
        assert first["cancelled_by"] == cancels[0]["number"]
        assert second["cancelled_by"] is None, "its automation was cancelled by an earlier cancel"
        assert second["started"] > cancels[-1]["answered"], "no cancel comes after it"
        if is_last:
            assert (first["came"], len(cancels), second["came"]) == (1, 1, 1)
    silent = [entry for entry in entries if entry["instance"] == SILENT]
    assert len(silent) == sum(story.behind_another for story in STORIES)
    assert sandbox.summary()["ignored_differing"] == 0, "what came again was the same"


def _until(streamer: StreamerProcess, walk: Walk, step: Step) -> None:
    streamer.wait_until(lambda: walk.have_reached(step), step.name, timeout_s=90)


def _told_of(
    story: Story, entries: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]], Mapping[str, Any]]:
    """Report 1, the cancels and report 2; each report was taken in once."""
    of_it = [entry for entry in entries if entry["instance"] == story.site]
    reports = [entry for entry in of_it if entry["action"] == "report"]
    assert [entry["payload"]["number"] for entry in reports] == [1, 2]
    cancels = [entry for entry in of_it if entry["action"] == "cancel"]
    return reports[0], cancels, reports[1]
