"""The whole source on librdkafka's mock cluster, as the demo uses it. Proofs are in integration."""

import asyncio
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from streamer.errors import ConfigurationError
from streamer.source.settings import SourceSettings
from tests.servers.waiting import until
from tests.source_probe import Probe


@pytest.fixture
def mock() -> Iterator[tuple[Producer, str]]:
    producer = Producer({"bootstrap.servers": "-", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers.values()
    yield producer, ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    producer.flush(1)


def write(producer: Producer, topic: str, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        producer.produce(topic, b"%d" % number, key=b"%d" % (number % 10))
    assert producer.flush(10) == 0


def settings_of(bootstrap: str, protocol: str = "consumer") -> SourceSettings:
    # In the classic protocol the mock's group waits 3 s for further members.
    properties = {"group.protocol": protocol, "log_level": "0"}
    return SourceSettings(bootstrap, "g", ("t",), "earliest", properties)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
async def test_everything_is_read_and_committed(mock: tuple[Producer, str], protocol: str) -> None:
    producer, bootstrap = mock
    write(producer, "t", 200)

    probe = Probe(settings_of(bootstrap, protocol)).start()
    await until(lambda: len(probe.messages) == 200, "all messages")
    await until(lambda: sum(probe.committed_positions.values()) == 200, "a commit")
    await until(lambda: probe.source.joined, "membership")

    assert (await probe.stop()).closed
    kinds = [kind for kind, _ in probe.facts]
    assert kinds.index("message") > kinds.index("assigned")
    assert kinds[-1] == "revoked"


# Not in the classic protocol: there the mock's group takes nobody in once it was left by all.
async def test_what_was_committed_is_not_read_again(mock: tuple[Producer, str]) -> None:
    producer, bootstrap = mock
    write(producer, "t", 20)
    first = Probe(settings_of(bootstrap)).start()
    await until(lambda: len(first.messages) == 20, "all messages")
    await first.stop()
    write(producer, "t", 5, first=20)

    second = Probe(settings_of(bootstrap)).start()
    await until(lambda: len(second.messages) == 5, "the rest")
    await second.stop()

    assert set(first.values).isdisjoint(second.values)


async def test_after_intake_was_stopped_nothing_is_handed_over_and_commits_go_on(
    mock: tuple[Producer, str],
) -> None:
    producer, bootstrap = mock
    write(producer, "t", 20)
    probe = Probe(settings_of(bootstrap))
    probe.holds = True
    probe.start()
    await until(lambda: len(probe.messages) == 20, "all messages")

    probe.source.stop_intake()
    write(producer, "t", 20)
    probe.settle_all()
    await until(lambda: sum(probe.committed_positions.values()) == 20, "a commit")
    turn = probe.source.last_turn
    await until(lambda: probe.source.last_turn > turn + 0.2, "some more turns")

    assert len(probe.messages) == 20
    stopped = await probe.stop()
    assert stopped.closed


async def test_the_last_plans_are_committed_by_stopping(mock: tuple[Producer, str]) -> None:
    producer, bootstrap = mock
    write(producer, "t", 20)
    probe = Probe(settings_of(bootstrap))
    probe.holds = True
    probe.start()
    await until(lambda: len(probe.messages) == 20, "all messages")
    await until(lambda: not probe.plans(), "nothing to commit")
    probe.stop_committing()
    probe.settle_all()

    stopped = await probe.stop()

    assert stopped.closed
    assert stopped.result is not None
    assert stopped.result.failures == ()
    assert sum(plan.position for plan in stopped.result.plans) == 20


async def test_properties_that_the_client_cannot_start_with_are_a_finding() -> None:
    for properties in ({"nonsense": "hush"}, {"fetch.min.bytes": "hush"}, {"group.id": "hush"}):
        with pytest.raises(ConfigurationError) as raised:
            Probe(SourceSettings("localhost:1", "g", ("t",), properties=properties))

        assert next(iter(properties)) in str(raised.value)
        assert "hush" not in str(raised.value)


async def test_the_settings_show_no_property() -> None:
    settings = SourceSettings("localhost:1", "g", ("t",), properties={"sasl.password": "hush"})

    assert "hush" not in repr(settings)


async def test_a_source_that_was_never_started_stops_at_once() -> None:
    probe = Probe(SourceSettings("localhost:1", "g", ("t",), properties={"log_level": "0"}))

    stopped = await asyncio.wait_for(probe.source.stop(()), 5)

    assert not stopped.closed
