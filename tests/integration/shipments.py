"""A small job for a test of what an operator meets: one event type, one route, no registry."""

import struct
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streamer.demo.wire import WriterSchema, load, schema_directory
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, committed, end_offsets, produce
from tests.servers.sandbox_process import SandboxProcess

INSTANCE = "5b1cf0b5-51c7-4c3f-8a52-3f4c0a9e7d10"
EVENT = "com.acme.orders.OrderShipped"
REGISTRY_ID = 7
"""The schema's id where the events are written as for a registry."""
APP_SECRET = "the-secret-of-the-app"
TOPICS_ARE_ASKED_FOR_OFTEN = {"topic.metadata.refresh.interval.ms": "500"}
"""Of `kafka.properties`; every 30 s without it."""


def schema() -> WriterSchema:
    return load(schema_directory())[EVENT][0]


class Shipments:
    """A topic and a group of their own; every event's weight is its number."""

    def __init__(
        self,
        kafka: KafkaCluster,
        endpoint_url: str,
        *,
        topic: str | None = None,
        partitions: int = 1,
        for_registry: bool = False,
    ) -> None:
        """With a `topic`, none is made."""
        self._kafka = kafka
        self._endpoint_url = endpoint_url
        self.topic = topic or kafka.create_topic(partitions=partitions)
        self.group = f"group-{uuid.uuid4().hex[:12]}"
        self._schema = schema()
        self._for_registry = for_registry
        self.produced = 0

    def config(self, **more: Any) -> dict[str, Any]:
        """For `streamer run`; what is a mapping in `more` goes over the section of its name."""
        sections: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self._kafka.bootstrap,
                "group_id": self.group,
                "start": "earliest",
            },
            "schemas": {"directory": str(schema_directory())},
            "endpoint": {
                "base_url": self._endpoint_url,
                "app": {"id": "an-app", "secret": APP_SECRET},
                "instance": INSTANCE,
            },
            "delivery": {},
            "server": {},
            "dead_letters": {},
            "log": {"format": "json"},
            "routes": [self.route()],
        }
        for name, section in more.items():
            merged = {**sections[name], **section} if isinstance(section, Mapping) else section
            sections[name] = merged
        return sections

    def route(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "shipped",
            "topic": self.topic,
            "event": EVENT,
            "trigger": "order_shipped",
            "payload": {"weight": "event.weight_kg"},
            **more,
        }

    def send(self, timestamps_ms: Sequence[int] = (0,)) -> None:
        """Write an event with each of these timestamps (0: now), each of its own key."""
        records = []
        for timestamp_ms in timestamps_ms:
            key = str(self.produced).encode()
            value = self._encoded(float(self.produced))
            records.append(Record(value, key, timestamp_ms=timestamp_ms))
            self.produced += 1
        produce(self._kafka.bootstrap, self.topic, records)

    def is_committed(self) -> bool:
        """Whether the group's positions are at the topic's end."""
        done = committed(self._kafka.bootstrap, self.group)
        return all(
            end == 0 or ((self.topic, number) in done and done[self.topic, number].offset == end)
            for number, end in end_offsets(self._kafka.bootstrap, self.topic).items()
        )

    def _encoded(self, weight_kg: float) -> bytes:
        now = datetime.now(UTC)
        address = {"street": "Mill Lane 1", "city": "Graz", "postal_code": "8010", "country": "AT"}
        value = self._schema.encode(
            {
                "event_id": uuid.uuid4(),
                "site_instance_id": INSTANCE,
                "order_id": uuid.uuid4(),
                "carrier": "Northpost",
                "tracking_code": None,
                "ship_to": address,
                "weight_kg": weight_kg,
                "expected_on": now.date(),
                "occurred_at": now,
            }
        )
        if not self._for_registry:
            return value
        return struct.pack(">bI", 0, REGISTRY_ID) + value[len(self._schema.header) :]


def delivered(sandbox: SandboxProcess) -> list[int]:
    """The numbers of the events that the sandbox accepted, each once, in order of acceptance."""
    return [int(entry["payload"]["weight"]) for entry in sandbox.reports()]
