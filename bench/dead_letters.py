"""How long do the commands for dead letters take with a million of them, and in how much memory?

Writes letters of three kinds, every tenth of them marked, and runs the commands as their user
does. Fails where the largest resident size of one is above the bound.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from confluent_kafka import Producer

from bench.lanes.figure import Figure
from bench.stage import Stage
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
from tests.servers.streamer_process import COMMAND

NAME = "dead-letters"
SAYS = (
    "The commands for dead letters, from their start to their end, with a million letters in four"
    " partitions of which every tenth was dealt with"
)
FULL, QUICK = 1_000_000, 100_000
PARTITIONS = 4
MARKED_EACH = 10
GROUP = "bench"
BOUND_MIB = 400
"""Of a million letters. 32 MiB are the table of their ids; the rest is Python, its libraries, and
a portion of letters in each partition."""
_LISTS = ((), ("--format", "summary"), ("--format", "json"))
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
        written_ms = 1_700_000_000_000 + number
        record = write_record(letter, "{topic}.dlq", "cluster", written_ms, group=GROUP)
        partition = letter.message.partition.number
        yield Record(record.topic, record.key, record.value, record.headers, partition)
        if number % MARKED_EACH == 0:
            mark = Mark(letter_id(letter), Handling.REPLAYED, group=GROUP)
            yield write_mark(mark, record.topic, partition)


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
        "kafka": {"bootstrap_servers": bootstrap, "group_id": GROUP},
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


def measure(stage: Stage, quick: bool) -> Figure:
    letters = QUICK if quick else FULL
    topic = stage.kafka.create_topic(partitions=PARTITIONS)
    stage.kafka.create_topic(f"{topic}.dlq", partitions=PARTITIONS)
    is_open = write(stage.kafka.bootstrap, topic, letters)
    path = config(stage.folder("commands"), stage.kafka.bootstrap, topic)
    runs = [measured(path, "dead-letters", "list", *words) for words in _LISTS]
    rows: list[Sequence[str]] = [("streamer dead-letters list", "seconds", "MiB most", "lines")]
    rows += [
        (
            " ".join(run.words[2:]) or "the newest 50",
            f"{run.seconds:.1f}",
            f"{run.peak_mib:.0f}",
            f"{len(run.out.splitlines()):,}",
        )
        for run in runs
    ]
    failures = [
        f"{NAME}: {' '.join(run.words)}: exit code {run.code}, {run.peak_mib:.0f} MiB, at most"
        f" {BOUND_MIB} wanted"
        for run in runs
        if run.code or run.peak_mib > BOUND_MIB
    ]
    return Figure(NAME, SAYS, rows, [f"{letters:,} letters, {is_open:,} of them open."], failures)
