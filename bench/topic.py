"""What stands in the benchmark's topics?

Records of nine plain fields in the registry's wire format, with 10,000 keys drawn at random (from
a fixed seed), written once and read by every contender from their beginning.
"""

import io
import json
import struct
import urllib.request
from collections.abc import Iterator, Mapping
from itertools import accumulate
from random import Random
from typing import Any

import fastavro
from confluent_kafka import Producer
from msgspec import Struct

from tests.servers.kafka import KafkaCluster

SCHEMA: dict[str, Any] = {
    "type": "record",
    "namespace": "com.acme.bench",
    "name": "OrderPlaced",
    "fields": [
        {"name": "order_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "sku", "type": "string"},
        {"name": "quantity", "type": "int"},
        {"name": "amount", "type": "double"},
        {"name": "currency", "type": "string"},
        {"name": "placed_at", "type": "long"},
        {"name": "express", "type": "boolean"},
        {"name": "channel", "type": "string"},
    ],
}
EVENT = "com.acme.bench.OrderPlaced"
PAYLOAD = {
    "orderId": "order_id",
    "customerId": "customer_id",
    "sku": "sku",
    "quantity": "quantity",
    "amount": "amount",
    "currency": "currency",
    "placedAt": "placed_at",
    "express": "express",
    "channel": "channel",
}
"""Which field each of the payload's keys is made of."""
TRIGGER = "order_placed"

CUSTOMER = "customer-"
"""What the keys, and the field of the same, begin with; a number follows."""

_STARTED_MS = 1_795_000_000_000
_CHOICES = 1_000
"""Keys are drawn so many at a time, which is cheaper."""


class Topic(Struct, frozen=True):
    """A topic as it was written."""

    name: str
    events: int
    keys: int
    partitions: int


def write_topic(
    kafka: KafkaCluster,
    registry_url: str,
    *,
    events: int,
    keys: int,
    partitions: int,
    exponent: float = 0.0,
    bad_every: int = 0,
) -> Topic:
    """Make the topic, register its schema, write the events and wait until all are confirmed.

    `exponent`: of the keys' Zipf distribution; 0: all as often. `bad_every`: one of so many does
    not decode; 0: none."""
    name = kafka.create_topic(partitions=partitions)
    schema_id = register(registry_url, name, SCHEMA)
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 200_000,
        }
    )
    for key, value in _records(events, keys, schema_id, exponent, bad_every):
        while True:
            try:
                producer.produce(name, value=value, key=key)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(60)
    assert left == 0, f"{left} events were not confirmed within 60 s"
    return Topic(name, events, keys, partitions)


def register(registry_url: str, topic: str, schema: Mapping[str, Any]) -> int:
    """Make it the schema of the topic's values; gives its id."""
    request = urllib.request.Request(
        f"{registry_url}/subjects/{topic}-value/versions",
        data=json.dumps({"schema": json.dumps(schema)}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(json.load(answer)["id"])


def _drawn(keys: int, exponent: float) -> Iterator[int]:
    """Numbers of keys, without end."""
    random = Random(1)
    sums = list(accumulate((number + 1) ** -exponent for number in range(keys)))
    while True:
        yield from random.choices(range(keys), cum_weights=sums, k=_CHOICES)


def _records(
    events: int, keys: int, schema_id: int, exponent: float, bad_every: int
) -> Iterator[tuple[bytes, bytes]]:
    parsed = fastavro.parse_schema(SCHEMA)
    head = struct.pack(">bI", 0, schema_id)
    drawn = _drawn(keys, exponent)
    for number in range(events):
        customer = f"{CUSTOMER}{next(drawn)}"
        if bad_every and number % bad_every == 0:
            yield customer.encode(), head + b"\xff"
            continue
        out = io.BytesIO()
        out.write(head)
        event = {
            "order_id": f"order-{number:09}",
            "customer_id": customer,
            "sku": f"sku-{number % 977}",
            "quantity": number % 9 + 1,
            "amount": number % 10_000 / 8,
            "currency": "EUR",
            "placed_at": _STARTED_MS + number,
            "express": number % 5 == 0,
            "channel": "web",
        }
        fastavro.schemaless_writer(out, parsed, event)
        yield customer.encode(), out.getvalue()
