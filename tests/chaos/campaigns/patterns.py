"""Does a pattern that matches its own dead letter topics ever take one in?

A process that read its dead letters would dead-letter them again, without end. The names of the
topics are made so that the pattern means all of them, and the process is started again once there
are dead letters, since it asks for the topics at its start.
"""

import uuid
from collections.abc import Iterator
from functools import partial

from tests.chaos.job import Job, let_run
from tests.chaos.members import Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage

KINDS = (Kind("classic", static=False), Kind("consumer", static=False))
REFRESHED_S = 35
"""The cluster is asked for its topics every 30 s."""
BAD_EVERY = 20


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    for kind in KINDS:
        for template in ("{topic}.dlq", "PREFIX.letters"):
            says = f"dead_letters.topic {template.replace('PREFIX', '<prefix>')}"
            run = partial(_part, size=size, kind=kind, template=template)
            yield Part(f"{says}, {kind.protocol} protocol", run)


def _part(stage: Stage, size: Size, kind: Kind, template: str) -> Outcome:
    prefix = f"pattern-{uuid.uuid4().hex[:10]}"
    job = Job(stage, topic=stage.kafka.create_topic(f"{prefix}.orders", partitions=12))
    letters = template.replace("PREFIX", prefix)
    job.letters_topic = letters.replace("{topic}", job.topic)
    config = kind.config(job, "one", dead_letters={"topic": letters})
    pattern = rf"^{prefix}\..*"
    streamer = stage.streamer(
        {**config, "routes": [{**route, "topic": pattern} for route in config["routes"]]}
    )
    faults: list[str] = []
    for _ in range(2):
        job.produce(size.of(5_000, 1_000), bad_every=BAD_EVERY)
        job.until_settled([streamer])
        streamer.terminate()
        streamer.start()
    let_run(size.of(REFRESHED_S, 3))
    job.produce(size.of(2_000, 500), bad_every=BAD_EVERY)
    job.until_settled([streamer])
    read = {
        sample.partition('topic="')[2].partition('"')[0]
        for sample in streamer.metrics()
        if sample.startswith(("streamer_messages_consumed_total{", "streamer_lag_messages{"))
    }
    streamer.terminate()
    if read != {job.topic}:
        faults.append(f"it has read {', '.join(sorted(read))}")
    there = [name for name in job.kafka.admin.list_topics(timeout=30).topics if prefix in name]
    if sorted(there) != sorted([job.topic, job.letters_topic]):
        faults.append(f"there are the topics {', '.join(sorted(there))}")
    return job.outcome(faults=faults)
