"""How long does an event take to a consumer that does nothing else?

What Kafka and its client take of a latency: the stamp of each event against the wall clock when it
is handed over. Runs until it is ended; writes what it saw at SIGTERM.
"""

import argparse
import io
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import fastavro
import msgspec
from confluent_kafka import Consumer

from bench.lanes.producing import SCHEMA


def main(bootstrap: str, topic: str, out: Path) -> None:
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    parsed = fastavro.parse_schema(SCHEMA)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bare-{topic}",
            "auto.offset.reset": "latest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    waits_ms: Counter[int] = Counter()
    while not stopped:
        messages = consumer.consume(500, 0.01)
        now_ms = time.time_ns() // 1_000_000
        for message in messages:
            value = message.value()
            if message.error() is None and value is not None:
                event: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None)
                waits_ms[max(0, now_ms - event["placed_at"])] += 1
    out.write_bytes(msgspec.json.encode(dict(waits_ms)))
    consumer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "topic"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    main(asked.bootstrap, asked.topic, asked.out)
