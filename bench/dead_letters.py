"""How long do the commands for dead letters take with a million of them, and in how much memory?

    python -m bench.dead_letters --letters 1000000

Writes letters of three kinds, every tenth of them marked, to a topic of a broker of its own, and
runs the commands as their user does. Prints seconds and the largest resident size of each, and
fails where that is above the bound.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from confluent_kafka import Producer

from streamer.dead_letters.marks import Handling, Mark, write_mark
from streamer.dead_letters.record import Record, letter_id, write_record
from streamer.model import (
    DeadLetter,
    Generation,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
)
from tests.servers.fetch import ensure_fetched
from tests.servers.kafka import KafkaCluster
from tests.servers.streamer_process import COMMAND

PARTITIONS = 4
MARKED_EACH = 10
BOUND_MIB = 400
"""Of a million letters. 32 MiB are the table of their ids; the rest is Python, its libraries, and
a portion of letters in each partition."""
_KINDS = (
    ("overdue", Refusal(Reason.REFUSED, "428 (amount: required)", 428, "SCHEMA", "request")),
    ("joined", Refusal(Reason.EXPRESSION_FAILED, "payload.amount: not a number")),
    ("placed", Refusal(Reason.PAYLOAD_INVALID, "payload.lines[3]: a map; give its values")),
)


def letters(topic: str, count: int) -> Iterator[DeadLetter]:
    """As a bad deployment writes them, with a value of 300 bytes."""
    for number in range(count):
        route, refusal = _KINDS[number % len(_KINDS)]
        message = Message(
            Partition(topic, number % PARTITIONS),
            Generation(1),
            Offset(number // PARTITIONS),
            1_700_000_000_000 + number,
            f"key-{number % 1000}".encode(),
            b"v" * 300,
        )
        yield DeadLetter(
            message, refusal, route, route, "report", f"site-{number % 50}", attempts=1
        )


def records(topic: str, count: int) -> Iterator[Record]:
    for number, letter in enumerate(letters(topic, count)):
        record = write_record(letter, "{topic}.dlq", "cluster", 1_700_000_000_000 + number)
        partition = letter.message.partition.number
        yield Record(record.topic, record.key, record.value, record.headers, partition)
        if number % MARKED_EACH == 0:
            yield write_mark(Mark(letter_id(letter), Handling.REPLAYED), record.topic, partition)


def write(bootstrap: str, topic: str, count: int) -> int:
    """Gives how many of them are open."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "acks": 1})
    for record in records(topic, count):
        while True:
            try:
                producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition if record.partition is not None else -1,
                    headers=list(record.headers),
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not take all letters")
    return count - (count + MARKED_EACH - 1) // MARKED_EACH


def config(folder: Path, bootstrap: str, topic: str) -> Path:
    """A configuration that reads the topic; nothing but the broker is asked for a list."""
    path = folder / "streamer.yaml"
    route = {"topic": topic, "instance": "3f2504e0-4f89-11d3-9a0c-0305e82c3301"}
    routes = [
        {**route, "name": name, "trigger": name, "payload": {"id": "event.id"}}
        for name, _ in _KINDS
    ]
    sections = {
        "kafka": {"bootstrap_servers": bootstrap, "group_id": "bench"},
        "schemas": {"registry": {"url": "http://127.0.0.1:1"}},
        "endpoint": {"token": "none"},
        "routes": routes,
    }
    path.write_text(yaml.safe_dump(sections))
    return path


@dataclass(frozen=True)
class Measured:
    words: Sequence[str]
    code: int
    seconds: float
    peak_mib: float
    out: str


_WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as said:
    said.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""
"""Runs a command. It counts as large as whoever starts it is, so that one that is small has to."""


def measured(config: Path, *words: str) -> Measured:
    """Runs the command to its end."""
    command = [COMMAND, *words, "--config", str(config)]
    said = config.with_name("largest-kib")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-S", "-c", _WATCH, str(said), *command],
        stdout=subprocess.PIPE,
        check=False,
    )
    seconds = time.monotonic() - began
    return Measured(
        words, done.returncode, seconds, int(said.read_text()) / 1024, done.stdout.decode()
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--letters", type=int, default=1_000_000)
    count = parser.parse_args().letters
    ensure_fetched()
    folder = Path(tempfile.mkdtemp(prefix="letters-"))
    cluster = KafkaCluster(folder / "kafka").start()
    try:
        topic = cluster.create_topic(partitions=PARTITIONS)
        cluster.create_topic(f"{topic}.dlq", partitions=PARTITIONS)
        is_open = write(cluster.bootstrap, topic, count)
        path = config(folder, cluster.bootstrap, topic)
        listing = ("dead-letters", "list")
        runs = [
            measured(path, *listing, "--format", "summary"),
            measured(path, *listing),
            measured(path, *listing, "--format", "json"),
        ]
    finally:
        cluster.stop()
    print(f"{count} letters, {is_open} of them open")
    for run in runs:
        lines = run.out.count("\n")
        print(
            f"{' '.join(run.words)}: {run.seconds:.1f} s, {run.peak_mib:.0f} MiB, {lines} lines,"
            f" exit code {run.code}"
        )
    print(runs[0].out)
    return int(any(run.code or run.peak_mib > BOUND_MIB for run in runs))


if __name__ == "__main__":
    sys.exit(main())
