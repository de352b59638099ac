"""Reports and cancels of orders in one topic, and letters of them where a test needs them to be."""

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streamer.dead_letters.record import write_record
from streamer.demo.wire import schema_directory
from streamer.model import DeadLetter, Generation, Message, Offset, Partition, Reason, Refusal
from tests.integration.shipments import APP_SECRET, EVENT, INSTANCE, schema
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, produce
from tests.servers.sandbox_process import SandboxProcess

_ADDRESS = {"street": "Mill Lane 1", "city": "Graz", "postal_code": "8010", "country": "AT"}


class Orders:
    """Each event's weight is its number; its carrier says whether it reports or cancels."""

    def __init__(self, kafka: KafkaCluster, sandbox: SandboxProcess, partitions: int = 1) -> None:
        self._kafka = kafka
        self.sandbox = sandbox
        self.topic = kafka.create_topic(partitions=partitions)
        self.letter_topic = kafka.create_topic(f"{self.topic}.dlq", partitions=partitions)
        self._group = f"orders-{uuid.uuid4().hex[:12]}"
        self._schema = schema()

    def event(self, kind: str, number: int, order: str = "", **record: Any) -> Record:
        """`kind`: `report` or `cancel`. Without an order it has one of its own."""
        now = datetime.now(UTC)
        value = self._schema.encode(
            {
                "event_id": uuid.uuid4(),
                "site_instance_id": INSTANCE,
                "order_id": uuid.UUID(order) if order else uuid.uuid4(),
                "carrier": kind,
                "tracking_code": None,
                "ship_to": _ADDRESS,
                "weight_kg": float(number),
                "expected_on": now.date(),
                "occurred_at": now,
            }
        )
        return Record(value, **{"key": b"k", "timestamp_ms": _now_ms(), **record})

    def put(self, records: Sequence[Record]) -> list[tuple[int, int]]:
        return produce(self._kafka.bootstrap, self.topic, records)

    def letters(
        self, places: Sequence[tuple[int, int]], records: Sequence[Record], kind: str
    ) -> None:
        """Letters of these messages, in the partitions of their origins."""
        route = "shipped" if kind == "report" else "cancelled"
        made = []
        for (partition, offset), record in zip(places, records, strict=True):
            origin = Message(
                Partition(self.topic, partition),
                Generation(0),
                Offset(offset),
                record.timestamp_ms,
                record.key,
                record.value,
            )
            refusal = Refusal(Reason.REFUSED, "no", 400)
            letter = DeadLetter(origin, refusal, route, "order_shipped", kind, INSTANCE)
            made.append(write_record(letter, "{topic}.dlq", "", _now_ms()))
        letters = [Record(it.value, it.key, it.headers, it.origin or 0) for it in made]
        produce(self._kafka.bootstrap, self.letter_topic, letters)

    def config(self, routes: Sequence[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:
        """Both routes, unless others are given; a mapping in `more` goes over its section."""
        sections: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self._kafka.bootstrap,
                "group_id": self._group,
                "start": "earliest",
            },
            "schemas": {"directory": str(schema_directory())},
            "endpoint": {
                "base_url": self.sandbox.url,
                "app": {"id": "an-app", "secret": APP_SECRET},
                "instance": INSTANCE,
                "quota": "none",
            },
            "dead_letters": {"flood": "pass"},
            "delivery": {},
            "log": {"format": "json"},
            "routes": list(routes or (self.reports(), self.cancels())),
        }
        for name, section in more.items():
            sections[name] = {**sections[name], **section}
        return sections

    def reports(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "shipped",
            "topic": self.topic,
            "event": EVENT,
            "when": 'event.carrier == "report"',
            "trigger": "order_shipped",
            "entity": "event.order_id",
            "payload": {"weight": "event.weight_kg"},
            **more,
        }

    def cancels(self) -> dict[str, Any]:
        return {
            "name": "cancelled",
            "topic": self.topic,
            "event": EVENT,
            "when": 'event.carrier == "cancel"',
            "cancel": "order_shipped",
            "entity": "event.order_id",
        }

    def reported(self) -> list[int]:
        """Numbers of the reports that the sandbox has, in order of acceptance."""
        return [int(it["payload"]["weight"]) for it in self._entries()]

    def cancelled(self) -> list[int]:
        """Of those, the numbers that a cancel has ended."""
        return [int(it["payload"]["weight"]) for it in self._entries() if it["cancelled_by"]]

    def _entries(self) -> list[Mapping[str, Any]]:
        return [it for it in self.sandbox.reports() if it["action"] == "report"]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
