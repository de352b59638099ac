"""What does one run of a measurement of lanes consist of?

A topic of its own, the endpoint that knows instances, `streamer run`, and producers that write
while it runs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from msgspec import Struct

from bench.endpoint import Count, Endpoint
from bench.lanes.producing import EVENT, SCHEMA, Plan, Produced, produced_path
from bench.replies import STAMP
from bench.stage import Stage
from bench.topic import register
from tests.servers.process import ServerProcess
from tests.servers.streamer_process import StreamerProcess

PARTITIONS = 12
LATENCY_S = 0.05
QUOTA = 200
"""Calls a minute and instance, as the endpoint's reference page has it: streamer's default."""
BATCH_MOST = 100
TRIGGER = "order_placed"
PAYLOAD = {
    "orderId": "event.order_id",
    "sku": "event.sku",
    "quantity": "event.quantity",
    "amount": "event.amount",
    "currency": "event.currency",
    STAMP: "event.placed_at",
    "express": "event.express",
    "note": "event.note",
}


class Cost(Struct, frozen=True):
    """What was spent until now; two of them are subtracted."""

    at_s: float
    streamer_s: float
    """Processor time, as the next."""
    endpoint_s: float
    calls: int
    events: int


class Producing:
    """A producer at work."""

    def __init__(self, process: ServerProcess, plan: Plan, path: Path) -> None:
        self._process = process
        self._plan = plan
        self._path = path

    @property
    def at_work(self) -> bool:
        return self._process.alive

    def wait(self) -> Produced:
        """Until it ends by itself. A producer that could not keep its pace fails the run."""
        planned_s = self._plan.events / self._plan.rate if self._plan.rate else 0.0
        code = self._process.wait(planned_s * 2 + 120)
        assert code == 0, f"the producer ended with {code}:\n{self._process.log()}"
        produced = msgspec.json.decode(produced_path(self._path).read_bytes(), type=Produced)
        late = produced.seconds > planned_s * 1.05 + 1
        assert not (planned_s and late), (
            f"the producer took {produced.seconds:.1f} s for what was planned for {planned_s:.1f} s"
            ": the machine is too busy to measure this"
        )
        return produced


class LaneRun:
    """Servers that run, and their topic."""

    def __init__(
        self,
        stage: Stage,
        topic: str,
        schema_id: int,
        endpoint: Endpoint,
        streamer: StreamerProcess,
    ) -> None:
        self._stage = stage
        self.topic = topic
        self._schema_id = schema_id
        self.endpoint = endpoint
        self.streamer = streamer
        self._watched = psutil.Process(streamer.process.pid)

    @contextmanager
    def producing(
        self, instances: Mapping[str, float], events: int, **more: Any
    ) -> Iterator[Producing]:
        """`more`: further members of the `Plan`."""
        kafka = self._stage.kafka.bootstrap
        plan = Plan(kafka, self.topic, self._schema_id, instances, events, **more)
        path = self._stage.folder("plan") / "plan.json"
        path.write_bytes(msgspec.json.encode(plan))
        with self._stage.module("bench.lanes.producing", [str(path)]) as process:
            yield Producing(process, plan, path)

    def produce(self, instances: Mapping[str, float], events: int, **more: Any) -> Produced:
        """Write all of it before it returns."""
        with self.producing(instances, events, **more) as producing:
            return producing.wait()

    @property
    def memory_mb(self) -> float:
        """Resident, of streamer."""
        return float(self._watched.memory_info().rss) / 1e6

    def cost(self) -> Cost:
        times = self._watched.cpu_times()
        count: Count = self.endpoint.count()
        return Cost(count.at_s, times.user + times.system, count.cpu_s, count.calls, count.events)

    def wait_for_events(self, events: int, timeout_s: float) -> None:
        """Until the endpoint accepted so many since it was started."""
        self.streamer.wait_until(
            lambda: self.endpoint.count().events >= events, f"{events} accepted events", timeout_s
        )


@contextmanager
def lane_run(
    stage: Stage,
    *,
    latency_s: float = LATENCY_S,
    has_quota: bool = True,
    batch_most: int = BATCH_MOST,
) -> Iterator[LaneRun]:
    """Everything ready, nothing produced yet. Without a quota neither side has one."""
    topic = stage.kafka.create_topic(partitions=PARTITIONS)
    schema_id = register(stage.registry_url, topic, SCHEMA)
    quota = QUOTA if has_quota else 0
    with stage.endpoint(latency_s, by_instance=True, quota=quota) as endpoint:
        config = _config(stage, topic, endpoint.url, quota, batch_most)
        streamer = StreamerProcess(stage.folder("streamer"), config).start()
        try:
            yield LaneRun(stage, topic, schema_id, endpoint, streamer)
        finally:
            streamer.kill()
            stage.kafka.delete_topic(topic)


def _config(
    stage: Stage, topic: str, endpoint_url: str, quota: int, batch_most: int
) -> Mapping[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": stage.kafka.bootstrap,
            "group_id": f"bench-{topic}",
            "start": "earliest",
        },
        "schemas": {"registry": {"url": stage.registry_url}},
        "endpoint": {
            "base_url": endpoint_url,
            "app": {"id": "app", "secret": "secret"},
            "quota": f"{quota}/min" if quota else "none",
        },
        "routes": [
            {
                "name": TRIGGER,
                "topic": topic,
                "event": EVENT,
                "trigger": TRIGGER,
                "instance": "event.site_id",
                "payload": PAYLOAD,
            }
        ],
        "delivery": {"batch": {"max": batch_most}},
        "log": {"format": "json"},
    }


def spent(first: Cost, last: Cost) -> str:
    """What streamer and the endpoint took of the machine between two looks, for people."""
    passed_s = last.at_s - first.at_s
    events, calls = max(1, last.events - first.events), max(1, last.calls - first.calls)
    streamer_s, endpoint_s = last.streamer_s - first.streamer_s, last.endpoint_s - first.endpoint_s
    return (
        f"streamer took {streamer_s / passed_s:.0%} of a core ({1e6 * streamer_s / events:.0f} us"
        f" an event), the endpoint {endpoint_s / passed_s:.0%} ({1e6 * endpoint_s / calls:.0f} us a"
        f" call, {1e6 * endpoint_s / events:.1f} us an event)"
    )
