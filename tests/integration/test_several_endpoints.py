"""Do reports reach the endpoint that their route names, and do tombstones cancel there only?

Two apps with secrets of their own, each at a sandbox that knows no other, and one process.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.integration.conftest import StartsStreamer
from tests.integration.shipments import INSTANCE, Shipments
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, produce, read_all
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.waiting import wait_until

EVENTS = 20
TOMBSTONES = 5


def test_each_route_reports_to_its_endpoint_and_a_tombstone_cancels_at_its_own(
    kafka: KafkaCluster,
    sandbox_process: Callable[..., SandboxProcess],
    streamer_process: StartsStreamer,
) -> None:
    first = sandbox_process(["--app", "first:its-secret"])
    second = sandbox_process(["--app", "second:another-secret"])
    shipments = Shipments(kafka, first.url)
    config = shipments.config(routes=_routes(shipments))
    del config["endpoint"]
    config["endpoints"] = {
        "default": _entry(first, "first", "its-secret"),
        "second": _entry(second, "second", "another-secret"),
    }
    shipments.send([0] * EVENTS)
    gone = [Record(None, str(number).encode()) for number in range(TOMBSTONES)]
    produce(kafka.bootstrap, shipments.topic, [*gone, Record(None, None)])

    streamer = streamer_process(config)
    wait_until(shipments.is_committed, lambda: streamer.process.log()[-2000:], 60)

    cancelled = {entry["payload"]["weight"] for entry in first.reports() if _is_cancelled(entry)}
    assert cancelled == set(range(TOMBSTONES))
    for sandbox, cancels in ((first, TOMBSTONES), (second, 0)):
        summary = sandbox.summary()
        assert (summary["reports"], summary["cancels"]) == (EVENTS, cancels)
        assert summary["ignored_repeats"] == summary["cancels_of_nothing"] == 0
    (letter,) = read_all(kafka.bootstrap, f"{shipments.topic}.dlq")
    assert (letter.key, letter.value) == (None, None)
    headers = dict(letter.headers)
    assert headers["streamer-reason"] == b"bad-key"
    assert headers["streamer-route"] == b"shipped"


def _routes(shipments: Shipments) -> list[dict[str, Any]]:
    shared = {"entity": "key"}
    cancel = {"cancel": "order_shipped", "entity": "key"}
    return [
        shipments.route(**shared, on_tombstone=cancel),
        shipments.route(**shared, name="shipped-to-second", endpoint="second"),
    ]


def _entry(sandbox: SandboxProcess, app: str, secret: str) -> dict[str, Any]:
    return {
        "base_url": sandbox.url,
        "app": {"id": app, "secret": secret},
        "instance": INSTANCE,
        "quota": "none",
    }


def _is_cancelled(entry: Mapping[str, Any]) -> bool:
    return bool(entry["cancelled_by"])
