"""Does the main job hold on a real broker and registry, with real HTTP, whatever is done to it?"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.bridge import Bridge, trigger_schemas
from tests.integration.conftest import StartsStreamer
from tests.servers.kafka import KafkaCluster
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.waiting import wait_until

StartsSandbox = Callable[..., SandboxProcess]

IN_FLIGHT = 256
COMMIT_MS = 200


@pytest.fixture
def bridge(
    kafka: KafkaCluster,
    registry: ApicurioRegistry,
    sandbox_process: StartsSandbox,
    tmp_path: Path,
) -> Bridge:
    schemas = trigger_schemas(tmp_path / "schemas")
    sandbox = sandbox_process(["--schemas", str(schemas), "--latency", "20ms"])
    return Bridge(kafka, registry, sandbox)


def test_twenty_thousand_events_arrive_once_each_in_order_and_every_bad_one_is_kept_unchanged(
    bridge: Bridge, streamer_process: StartsStreamer
) -> None:
    bridge.produce(20_000, bad_every=100)
    streamer = streamer_process(bridge.config())

    bridge.wait_until_done([streamer])

    account = bridge.account()
    assert account.faults == {}
    assert len(bridge.bad) == 200
    assert account.sent_again == 0
    assert streamer.total("streamer_reports_delivered_total") == 20_000
    assert streamer.total("streamer_dead_letters_total") == 200


def test_after_sigkill_nothing_is_lost_doubled_or_out_of_order_and_little_is_sent_again(
    bridge: Bridge, streamer_process: StartsStreamer
) -> None:
    bridge.produce(10_000, bad_every=200)
    streamer = streamer_process(bridge.config())
    wait_until(lambda: bridge.delivered() >= 2_000, "2,000 deliveries")
    streamer.kill()
    killed_ms = time.time() * 1000
    assert bridge.delivered() < bridge.produced, "the kill came too late to show anything"
    accepted_ms = [entry["accepted_at_ms"] for entry in bridge.sandbox.reports()]
    lately = sum(at_ms > killed_ms - 2 * COMMIT_MS for at_ms in accepted_ms)

    streamer.start()
    bridge.wait_until_done([streamer])

    account = bridge.account()
    assert account.faults == {}
    assert account.sent_again <= IN_FLIGHT + lately


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_processes_that_join_and_leave_during_traffic_leave_the_account_as_it_is(
    bridge: Bridge, streamer_process: StartsStreamer, protocol: str
) -> None:
    bridge.produce(10_000)
    config = bridge.config(kafka={"properties": {"group.protocol": protocol}})
    first = streamer_process(config)
    wait_until(lambda: bridge.delivered() >= 1_000, "1,000 deliveries")
    second = streamer_process(config)

    def has_its_share() -> bool:
        bridge.produce(200)
        return second.total("streamer_reports_delivered_total") > 0

    wait_until(has_its_share, "deliveries of the second process", timeout_s=60)
    assert first.terminate() == 0

    bridge.produce(1_000)
    bridge.wait_until_done([second])
    assert bridge.account().faults == {}


def test_the_endpoint_down_and_back_loses_nothing_and_dead_letters_nothing(
    bridge: Bridge, streamer_process: StartsStreamer
) -> None:
    bridge.produce(6_000)
    streamer = streamer_process(bridge.config())
    wait_until(lambda: bridge.delivered() >= 500, "500 deliveries")
    bridge.sandbox.faults("503")
    wait_until(
        lambda: streamer.total("streamer_breakers_open") > 0, "a breaker that opens", timeout_s=60
    )
    bridge.sandbox.faults()

    bridge.wait_until_done([streamer])
    assert bridge.account().faults == {}


def test_the_registry_down_at_start_and_back_needs_no_restart(
    kafka: KafkaCluster,
    own_registry: Callable[[], ApicurioRegistry],
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
) -> None:
    registry = own_registry()
    bridge = Bridge(kafka, registry, sandbox_process())
    bridge.produce(2_000)
    registry.suspend()
    streamer = streamer_process(bridge.config())
    wait_until(
        lambda: streamer.total("streamer_held_reports", kind="schema") > 0,
        "messages that wait for a schema",
    )
    assert bridge.delivered() == 0
    registry.resume()

    bridge.wait_until_done([streamer])
    assert bridge.account().faults == {}


def test_a_dead_letter_topic_that_cannot_be_written_holds_the_offset_until_it_can(
    bridge: Bridge, streamer_process: StartsStreamer
) -> None:
    bridge.produce(1_000, bad_every=50)
    streamer = streamer_process(bridge.config(dead_letters={"create": False}), wait=False)
    wait_until(lambda: bridge.delivered() >= 1_000, "all good events, past the bad ones")
    wait_until(
        lambda: streamer.total("streamer_held_reports", kind="dead-letter") == len(bridge.bad),
        "held dead letters",
    )
    assert not bridge.is_committed()
    assert streamer.health("ready") == 503

    bridge.kafka.create_topic(bridge.dead_letter_topic)
    bridge.wait_until_done([streamer])
    assert bridge.account().faults == {}
    wait_until(lambda: streamer.health("ready") == 200, "ready again")


def test_sigterm_in_the_middle_of_traffic_ends_with_0_and_nothing_is_sent_again(
    bridge: Bridge, streamer_process: StartsStreamer
) -> None:
    bridge.produce(10_000)
    streamer = streamer_process(bridge.config())
    wait_until(lambda: bridge.delivered() >= 2_000, "2,000 deliveries")
    assert streamer.terminate() == 0
    assert bridge.delivered() < bridge.produced, "it stopped too late to show anything"

    streamer.start()
    bridge.wait_until_done([streamer])
    account = bridge.account()
    assert account.faults == {}
    assert account.sent_again == 0
