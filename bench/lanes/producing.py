"""How do events of many app instances come into a topic, at a set rate and for a set time?

A process of its own, so that its pace is no one else's. It reads a `Plan`, keeps to the plan's
clock (what was late is made up for at once), stamps each event with the wall clock of the moment
at which it was to be given to the client, and ends by itself, leaving a `Produced` beside the plan.
"""

import argparse
import io
import struct
import time
from collections.abc import Iterator, Mapping
from itertools import accumulate, cycle, repeat
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import msgspec
from confluent_kafka import Producer
from msgspec import Struct

SCHEMA: dict[str, Any] = {
    "type": "record",
    "namespace": "com.acme.bench",
    "name": "OrderOfSite",
    "fields": [
        {"name": "order_id", "type": "string"},
        {"name": "site_id", "type": "string"},
        {"name": "sku", "type": "string"},
        {"name": "quantity", "type": "int"},
        {"name": "amount", "type": "double"},
        {"name": "currency", "type": "string"},
        {"name": "placed_at", "type": "long"},
        {"name": "express", "type": "boolean"},
        {"name": "note", "type": "string"},
    ],
}
EVENT = "com.acme.bench.OrderOfSite"
_CHOICES = 1_000
"""Instances are drawn so many at a time, which is cheaper."""
_NAP_S = 0.002
"""At a high rate, a few events at a time: to wake up for each would cost more than the event."""


class Plan(Struct, frozen=True):
    """What to write."""

    bootstrap: str
    topic: str
    schema_id: int
    instances: Mapping[str, float]
    """Each with its share of the traffic; they need not add up to 1."""
    events: int
    rate: float = 0.0
    """Events a second; 0: as fast as it goes."""
    in_turn: bool = False
    """One instance after the other, instead of at random."""
    at_random: bool = False
    """The times too are random (exponential), instead of even."""
    keys: int = 10_000
    """Message keys of each instance."""
    partition: int = -1
    """All into this one; -1: by key."""
    note_bytes: int = 8
    seed: int = 1


class Produced(Struct, frozen=True):
    """What was written."""

    events: int
    seconds: float
    """From the first to the last."""

    @property
    def per_s(self) -> float:
        return self.events / self.seconds


def produced_path(plan: Path) -> Path:
    """Where the account of a plan's end is."""
    return plan.with_suffix(".produced.json")


def drawn_instances(plan: Plan, random: Random) -> Iterator[str]:
    """Whose events come one after the other, without end."""
    names = list(plan.instances)
    if plan.in_turn:
        yield from cycle(names)
    sums = list(accumulate(plan.instances.values()))
    while True:
        yield from random.choices(names, cum_weights=sums, k=_CHOICES)


def _pauses(plan: Plan, random: Random) -> Iterator[float]:
    """Seconds between one event and the next."""
    if not plan.rate:
        return repeat(0.0)
    if plan.at_random:
        return (random.expovariate(plan.rate) for _ in repeat(None))
    return repeat(1 / plan.rate)


def produce(plan: Plan) -> Produced:
    """Write it, and wait until all is confirmed."""
    producer = Producer(
        {
            "bootstrap.servers": plan.bootstrap,
            "linger.ms": 2,
            "queue.buffering.max.messages": 500_000,
        }
    )
    random = Random(plan.seed)
    encode = _encoder(plan)
    pauses, instances = _pauses(plan, random), drawn_instances(plan, random)
    started = due = time.monotonic()
    for number in range(plan.events):
        while (ahead := due - time.monotonic()) > 0:
            producer.poll(0)
            time.sleep(max(ahead, _NAP_S))
        late_s = max(0.0, time.monotonic() - due) if plan.rate else 0.0
        due += next(pauses)
        site = next(instances)
        now_ms = int(1000 * (time.time() - late_s))
        key = f"{site}-{random.randrange(plan.keys)}".encode()
        _give(producer, plan, key, encode(number, site, now_ms), now_ms)
    seconds = time.monotonic() - started
    left = producer.flush(60)
    assert left == 0, f"{left} events were not confirmed within 60 s"
    return Produced(plan.events, seconds)


def _give(producer: Producer, plan: Plan, key: bytes, value: bytes, now_ms: int) -> None:
    while True:
        try:
            producer.produce(
                plan.topic, value=value, key=key, partition=plan.partition, timestamp=now_ms
            )
            return
        except BufferError:
            producer.poll(0.1)


def _encoder(plan: Plan) -> Any:
    parsed = fastavro.parse_schema(SCHEMA)
    head = struct.pack(">bI", 0, plan.schema_id)
    note = "n" * plan.note_bytes

    def encode(number: int, site: str, now_ms: int) -> bytes:
        out = io.BytesIO()
        out.write(head)
        event = {
            "order_id": f"order-{number:09}",
            "site_id": site,
            "sku": f"sku-{number % 977}",
            "quantity": number % 9 + 1,
            "amount": number % 10_000 / 8,
            "currency": "EUR",
            "placed_at": now_ms,
            "express": number % 5 == 0,
            "note": note,
        }
        fastavro.schemaless_writer(out, parsed, event)
        return out.getvalue()

    return encode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    path: Path = parser.parse_args().plan
    account = produce(msgspec.json.decode(path.read_bytes(), type=Plan))
    produced_path(path).write_bytes(msgspec.json.encode(account))
