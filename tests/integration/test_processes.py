"""Do the fixtures that run `streamer` and the sandbox as processes keep their promises?"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from streamer.demo.wire import load, schema_directory
from tests.integration.conftest import StartsStreamer
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, committed, produce
from tests.servers.sandbox_process import SandboxProcess

INSTANCE = "5b1cf0b5-51c7-4c3f-8a52-3f4c0a9e7d10"


def test_an_event_goes_from_kafka_to_the_sandbox_and_over_a_restart(
    kafka: KafkaCluster,
    sandbox_process: Callable[..., SandboxProcess],
    streamer_process: StartsStreamer,
) -> None:
    topic = kafka.create_topic(partitions=2)
    group = f"group-{uuid.uuid4()}"
    sandbox = sandbox_process()
    streamer = streamer_process(
        {
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "group_id": group,
                "start": "earliest",
            },
            "schemas": {"directory": str(schema_directory())},
            "endpoint": {"base_url": sandbox.url, "app": {"id": "app", "secret": "${SECRET}"}},
            "dead_letters": {"topic": "{topic}.dlq"},
            "log": {"format": "json"},
            "routes": [
                {
                    "name": "shipped",
                    "topic": topic,
                    "event": "com.acme.orders.OrderShipped",
                    "trigger": "order_shipped",
                    "instance": f"'{INSTANCE}'",
                    "payload": {"weight": "event.weight_kg"},
                }
            ],
        },
        env={"SECRET": "secret"},
    )

    produce(kafka.bootstrap, topic, [Record(shipped(1.5), key=b"a", partition=0)])
    streamer.wait_until(lambda: sandbox.summary()["reports"] == 1, "the first report")
    assert streamer.terminate() == 0
    streamer.start()
    produce(kafka.bootstrap, topic, [Record(shipped(2.5), key=b"b", partition=1)])
    streamer.wait_until(lambda: sandbox.summary()["reports"] == 2, "the second report")

    entries = list(sandbox.reports())
    assert [float(entry["payload"]["weight"]) for entry in entries] == [1.5, 2.5]
    assert {entry["instance"] for entry in entries} == {INSTANCE}
    streamer.wait_until(
        lambda: (
            {place[1]: it.offset for place, it in committed(kafka.bootstrap, group).items()}
            == {0: 1, 1: 1}
        ),
        "both offsets",
    )
    assert streamer.health("live") == 200
    assert streamer.metrics()
    assert any(event["event"] == "stopped" for event in streamer.log_events())


def test_a_sandbox_is_told_to_fail_and_forgets(
    sandbox_process: Callable[..., SandboxProcess],
) -> None:
    sandbox = sandbox_process()

    sandbox.faults("503=5%", "latency=20ms")
    sandbox.reset()

    assert sandbox.summary()["reports"] == 0
    assert list(sandbox.reports()) == []


def shipped(weight_kg: float) -> bytes:
    now = datetime.now(UTC)
    address = {"street": "Mill Lane 1", "city": "Graz", "postal_code": "8010", "country": "AT"}
    schema = load(schema_directory())["com.acme.orders.OrderShipped"][0]
    return schema.encode(
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
