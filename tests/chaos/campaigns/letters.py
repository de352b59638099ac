"""Does a dead letter topic that cannot be written lose a message, or hold more than it must?

Nothing is committed past a message whose letter is not confirmed, and all else goes on; the reason
is in the metrics, and in the log with the setting to change; and it goes on without a restart.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from msgspec import Struct

from tests.chaos.job import Job, let_run, until
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.kafka import SASL_USERS
from tests.servers.records import committed
from tests.servers.streamer_process import StreamerProcess

ADMIN_WITHIN_S = 30
Change = Callable[[Job], None]


class Obstacle(Struct, frozen=True):
    """What keeps a letter from being written."""

    says: str
    make: Change
    mend: Change
    kind: str
    """The label of `streamer_dead_letter_write_failures_total`."""
    named: str
    """What the log must name."""
    makes_unready: bool


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    obstacles = (
        Obstacle("no right to write", _deny, _allow, "denied", "the right to write", True),
        Obstacle("the topic is gone", _delete, _create, "no-topic", "dead_letters.create", True),
        Obstacle("records too large", _narrow, _widen, "too-large", "max.message.bytes", False),
    )
    for obstacle in obstacles:
        yield Part(obstacle.says, partial(_part, size=size, obstacle=obstacle))


def _part(stage: Stage, size: Size, obstacle: Obstacle) -> Outcome:
    job = Job(stage)
    job.kafka.create_topic(job.dead_letter_topic, partitions=12)
    streamer = stage.streamer(_config(job))
    job.produce(1_000, bad_every=100)
    job.until_settled([streamer])
    faults: list[str] = []
    with job.traffic(size.of(1000, 300), bad_every=300):
        obstacle.make(job)
        first_bad = len(job.bad)
        before = job.seen()
        until(
            lambda: streamer.total("streamer_held_reports", kind="dead-letter") > 0,
            "a letter that cannot be written",
            streamers=[streamer],
        )
        let_run(size.of(60, 10))
        job.until_delivered(before + 100, [streamer])
        # Letters of before may still have been under way.
        faults += _committed_past(job, first_bad + 2)
        faults += _is_explained(streamer, obstacle)
        held = streamer.total("streamer_held_reports", kind="dead-letter")
        during = job.seen() - before
        obstacle.mend(job)
    job.until_settled([streamer])
    streamer.terminate()
    figures = {"letters held at the end": f"{held:g}", "delivered meanwhile": f"{during:,}"}
    return job.outcome(faults=faults, figures=figures)


def _config(job: Job) -> Mapping[str, Any]:
    login = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "streamer",
        "sasl.password": SASL_USERS["streamer"],
        "session.timeout.ms": 6000,
    }
    kafka = {"bootstrap_servers": job.kafka.sasl_bootstrap, "properties": login}
    return job.config(kafka=kafka, dead_letters={"create": False})


def _committed_past(job: Job, first_bad: int) -> list[str]:
    """A sentence where a position is beyond a bad message whose letter cannot be there."""
    waiting = [place for place, _ in job.bad[first_bad:]]
    positions = committed(job.kafka.bootstrap, job.group)
    return [
        f"partition {partition} is committed to {positions[job.topic, partition].offset},"
        f" past {offset}, whose letter is not written"
        for partition, offset in waiting
        if (job.topic, partition) in positions and positions[job.topic, partition].offset > offset
    ]


def _is_explained(streamer: StreamerProcess, obstacle: Obstacle) -> list[str]:
    faults = []
    if not streamer.total("streamer_dead_letter_write_failures_total", kind=obstacle.kind):
        faults.append(f"no metric counts a failure of the kind {obstacle.kind}")
    said = [it for it in streamer.log_events() if it["event"] == "dead_letter_not_written"]
    if not any(obstacle.named in str(it["why"]) for it in said):
        faults.append(f"the log does not name {obstacle.named}")
    ready = streamer.health("ready") == 200
    if ready == obstacle.makes_unready:
        faults.append(f"the process is {'ready' if ready else 'not ready'}")
    if streamer.health("live") != 200:
        faults.append("the process is not live")
    return faults


# --- the obstacles ----------------------------------------------------------------------------


def _rule(topic: str, who: str, what: AclOperation) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        f"User:{who}",
        "*",
        what,
        AclPermissionType.ALLOW,
    )


def _grant(job: Job, *rules: AclBinding) -> None:
    for made in job.kafka.admin.create_acls(list(rules)).values():
        made.result(ADMIN_WITHIN_S)


def _deny(job: Job) -> None:
    # A rule for somebody leaves out everybody else; to see the topic is still allowed.
    topic = job.dead_letter_topic
    _grant(
        job,
        _rule(topic, "streamer", AclOperation.DESCRIBE),
        _rule(topic, "streamer", AclOperation.DESCRIBE_CONFIGS),
        _rule(topic, "outsider", AclOperation.WRITE),
    )


def _allow(job: Job) -> None:
    _grant(job, _rule(job.dead_letter_topic, "streamer", AclOperation.WRITE))


def _delete(job: Job) -> None:
    # What stood in it is gone with it, so that these are no longer compared.
    job.bad.clear()
    job.kafka.delete_topic(job.dead_letter_topic)


def _create(job: Job) -> None:
    job.kafka.create_topic(job.dead_letter_topic, partitions=12)


def _limit(job: Job, size: int) -> None:
    operation = AlterConfigOpType.SET
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=operation)
    resource = ConfigResource(
        ResourceType.TOPIC, job.dead_letter_topic, incremental_configs=[entry]
    )
    for made in job.kafka.admin.incremental_alter_configs([resource]).values():
        made.result(ADMIN_WITHIN_S)


def _narrow(job: Job) -> None:
    _limit(job, 100)


def _widen(job: Job) -> None:
    _limit(job, 1_000_000)
