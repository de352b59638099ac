"""How much is sent again after a SIGKILL, and how long does a start take?

At full speed; the endpoint knows the idempotency key of each event. What was in flight and what
was settled after the last commit comes again, by the promise: at most the calls in flight and what
was settled within two commit intervals.
"""

import time
from collections.abc import Sequence

from bench.contenders import Setting, streamer_config
from bench.endpoint import Endpoint
from bench.lanes.figure import Figure
from bench.scenarios import Scenario
from bench.stage import Stage
from bench.topic import write_topic
from tests.servers.streamer_process import StreamerProcess

NAME = "kill"
SAYS = (
    "SIGKILL at full speed with 30,000 events delivered, single calls, endpoint with a latency of"
    " 50 ms, 256 calls in flight; then the same command again"
)
EVENTS = 200_000
DELIVERED = 30_000
AFTERWARDS = 20_000
"""Delivered by the second process before the account is taken."""
INTERVALS_S = 0.4
"""Two of `delivery.commit_interval`."""
WITHIN_S = 120.0
_LOOK_EVERY_S = 0.02
_ROUNDS, _QUICK_ROUNDS = 3, 1


def measure(stage: Stage, quick: bool) -> Figure:
    topic = write_topic(
        stage.kafka, stage.registry_url, events=EVENTS, keys=10_000, partitions=12
    ).name
    rows: list[Sequence[str]] = [
        ("round", "start s", "delivered", "sent again", "at most", "start after the kill s")
    ]
    failures = []
    for number in range(1, (_QUICK_ROUNDS if quick else _ROUNDS) + 1):
        row, again, most = _round(stage, topic)
        rows.append((str(number), *row))
        if again > most:
            failures.append(f"{NAME}: {again} events were sent again, at most {most} wanted")
    remarks = [
        "At most: 256 in flight, and what was settled within 0.4 s before the kill.",
        "A start is from the command to the first delivery.",
    ]
    return Figure(NAME, SAYS, rows, remarks, failures)


def _round(stage: Stage, topic: str) -> tuple[Sequence[str], int, int]:
    scenario = Scenario(NAME, SAYS, latency_s=0.05)
    with stage.endpoint(scenario.latency_s, by_key=True) as endpoint:
        setting = Setting(
            scenario,
            stage.kafka.bootstrap,
            stage.registry_url,
            topic,
            endpoint.url,
            stage.folder("kill"),
        )
        streamer = StreamerProcess(setting.folder, streamer_config(setting))
        try:
            start_s = _started(streamer, endpoint)
            within = _deliver(endpoint)
            streamer.kill()
            before = endpoint.count().events
            restart_s = _started(streamer, endpoint)
            streamer.wait_until(
                lambda: endpoint.count().events >= before + AFTERWARDS, "further events", WITHIN_S
            )
            again = endpoint.again().again
        finally:
            streamer.kill()
    most = scenario.in_flight + within
    row = (f"{start_s:.1f}", f"{before:,}", f"{again:,}", f"{most:,}", f"{restart_s:.1f}")
    return row, again, most


def _started(streamer: StreamerProcess, endpoint: Endpoint) -> float:
    """Seconds from the command to the first event that comes of it."""
    # Those that were under way are answered: the endpoint's latency is over by then.
    time.sleep(0.2)
    before, began = endpoint.count().events, time.monotonic()
    streamer.start(wait=False)
    streamer.wait_until(lambda: endpoint.count().events > before, "the first event", WITHIN_S)
    return time.monotonic() - began


def _deliver(endpoint: Endpoint) -> int:
    """Until so many are delivered; gives how many of them were in the last two intervals."""
    looks = [endpoint.count()]
    while looks[-1].events < DELIVERED:
        time.sleep(_LOOK_EVERY_S)
        looks.append(endpoint.count())
    last = looks[-1]
    early = [look for look in looks if look.at_s <= last.at_s - INTERVALS_S]
    return last.events - (early[-1].events if early else 0)
