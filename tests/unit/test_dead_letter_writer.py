"""When is a dead letter confirmed, and what is said where it is not? Against a mock broker."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streamer.dead_letters.admin import KafkaTopicAdmin
from streamer.dead_letters.record import Letter, read_record
from streamer.dead_letters.topics import Described, WantedTopic
from streamer.dead_letters.writer import Failed, NotWritten, Writer, Written, producer_config
from streamer.errors import Finding
from streamer.model import (
    DeadLetter,
    Generation,
    Headers,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
)


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 2})
    brokers = mock.list_topics(timeout=10).brokers.values()
    # The mock lives as long as its producer.
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    del mock


@pytest.fixture
async def writer(bootstrap: str) -> AsyncIterator[Writer]:
    properties = {"session.timeout.ms": 6000}
    made = Writer(bootstrap, properties, "{topic}.dlq", "cluster", lambda: 5, "billing")
    yield made
    await made.close()


def letter(
    topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), number: int = 0
) -> DeadLetter:
    partition = Partition(topic, number)
    message = Message(partition, Generation(1), Offset(4), 1000, key, value, headers)
    return DeadLetter(message, Refusal(Reason.REFUSED, "no"), route="overdue", instance="site")


def read_all(bootstrap: str, topic: str, count: int) -> list[Letter]:
    """The first records of the mock's 4 partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(4)])
    found: list[Letter] = []
    while len(found) < count:
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        back = read_record(
            message.key(), message.value(), cast(Headers, tuple(message.headers() or ()))
        )
        assert isinstance(back, Letter)
        found.append(back)
    consumer.close()
    return found


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"k", b"v", (("a", b"\xff"), ("a", None), ("", b""))),
        (None, None, ()),
        (b"", b"", ()),
    ],
)
async def test_a_confirmed_letter_stands_in_its_topic_byte_for_byte(
    writer: Writer, bootstrap: str, key: bytes | None, value: bytes | None, headers: Headers
) -> None:
    topic = f"bytes-{key!r}".replace("'", "")
    outcome = await writer.write(letter(topic, key, value, headers))
    assert isinstance(outcome, Written)
    assert outcome.topic == f"{topic}.dlq"
    (found,) = await asyncio.to_thread(read_all, bootstrap, f"{topic}.dlq", 1)
    message = found.letter.message
    assert (message.key, message.value, message.headers) == (key, value, headers)
    assert (found.letter.route, found.group) == ("overdue", "billing")


async def test_a_letter_stands_in_its_origins_partition_where_the_topic_has_it(
    writer: Writer,
) -> None:
    async def places(number: int, key: bytes | None) -> list[int]:
        letters = [letter("places", key, b"v", number=number) for _ in range(3)]
        outcomes = [await writer.write(it) for it in letters]
        return [it.partition for it in outcomes if isinstance(it, Written)]

    for number in (3, 0):
        assert await places(number, b"a key") == [number] * 3
        assert await places(number, None) == [number] * 3
    # The mock has four: the key chooses, as it does for whoever writes to the topic.
    beyond = await places(4, b"a key")
    assert beyond == [beyond[0]] * 3
    assert await places(99, b"a key") == beyond
    # What was seen of one that is not there says nothing of those before it.
    assert await places(3, b"a key") == [3] * 3
    assert await places(0, b"another key") == [0] * 3


async def test_many_letters_are_confirmed_at_once(writer: Writer) -> None:
    outcomes = await asyncio.gather(
        *(writer.write(letter("many", b"%d" % n, b"v")) for n in range(500))
    )
    assert all(isinstance(outcome, Written) for outcome in outcomes)


async def test_a_write_that_is_given_up_harms_no_other(writer: Writer) -> None:
    given_up = asyncio.ensure_future(writer.write(letter("cancelled", b"1", b"v")))
    await asyncio.sleep(0)
    given_up.cancel()
    assert isinstance(await writer.write(letter("cancelled", b"2", b"v")), Written)
    assert given_up.cancelled()


async def test_a_broker_that_is_away_is_reported_when_the_writer_closes() -> None:
    writer = Writer("127.0.0.1:1", {}, "{topic}.dlq", "cluster", lambda: 5)
    waiting = asyncio.ensure_future(writer.write(letter("away", b"k", b"v")))
    await asyncio.sleep(0)
    await writer.close(timeout_s=0.1)
    outcome = await waiting
    assert isinstance(outcome, NotWritten)
    assert outcome.kind is Failed.TRANSIENT
    assert "away.dlq" in outcome.detail


async def test_a_closed_writer_writes_nothing() -> None:
    writer = Writer("127.0.0.1:1", {}, "{topic}.dlq", "cluster", lambda: 5)
    await writer.close()
    assert isinstance(await writer.write(letter("closed", b"k", b"v")), NotWritten)


def test_the_producer_gets_the_operators_security_and_not_what_steers_consuming() -> None:
    config = producer_config(
        "broker:9092", {"security.protocol": "SSL", "group.protocol": "consumer", "acks": "0"}
    )
    assert config["security.protocol"] == "SSL"
    assert "group.protocol" not in config
    assert config["acks"] == "all"
    assert config["bootstrap.servers"] == "broker:9092"


# --- what a broker does seldom: a producer that plays it ---


class FakeProducer:
    """Answers each write by the next of `script`: an error to raise, or one to report."""

    def __init__(self, script: list[Exception | KafkaError | None]) -> None:
        self.script = script
        self.reports: list[Callable[[], None]] = []
        self.topics: list[str] = []
        self.header_names: list[list[str]] = []
        self.has_report = threading.Event()

    def produce(self, topic: str, **given: Any) -> None:
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.topics.append(topic)
        self.header_names.append([name for name, _ in given["headers"]])
        self.reports.append(lambda: given["on_delivery"](answer, FakeMessage()))
        self.has_report.set()

    def poll(self, timeout: float) -> int:
        self.has_report.wait(timeout)
        self.has_report.clear()
        due, self.reports = self.reports, []
        for report in due:
            report()
        return len(due)

    def flush(self, timeout: float) -> int:
        return self.poll(0)

    def purge(self) -> None: ...


class FakeMessage:
    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7


def scripted(*scripts: list[Exception | KafkaError | None]) -> tuple[Writer, list[FakeProducer]]:
    """A writer whose producers, one after the other, follow these scripts."""
    left = [FakeProducer(script) for script in scripts]
    made: list[FakeProducer] = []

    def make(config: object, logger: object) -> Any:
        made.append(left.pop(0))
        return made[-1]

    writer = Writer("fake", {}, "{topic}.dlq", "cluster", lambda: 5, make_producer=make)
    return writer, made


def broker_error(code: int, fatal: bool = False) -> KafkaError:
    return KafkaError(code, "said the broker", fatal=fatal)


async def test_after_a_fatal_error_the_next_write_has_a_producer_of_its_own() -> None:
    fatal = broker_error(KafkaError._FATAL, fatal=True)
    writer, made = scripted([fatal], [KafkaException(fatal)], [None])
    assert isinstance(await writer.write(letter("t", b"k", b"v")), NotWritten)
    assert isinstance(await writer.write(letter("t", b"k", b"v")), NotWritten)
    assert isinstance(await writer.write(letter("t", b"k", b"v")), Written)
    assert len(made) == 3
    await writer.close()


async def test_a_refused_size_is_tried_once_more_with_reason_and_origin_only() -> None:
    too_large = broker_error(KafkaError.MSG_SIZE_TOO_LARGE)
    writer, made = scripted([too_large, None, KafkaException(too_large), too_large])
    outcome = await writer.write(letter("t", b"k", b"v"))
    assert isinstance(outcome, Written)
    assert outcome.shrunk
    full, shrunk = made[0].header_names
    assert "streamer-route" in full
    assert "streamer-route" not in shrunk
    refused = await writer.write(letter("t", b"k", b"v"))
    assert isinstance(refused, NotWritten)
    assert refused.kind is Failed.TOO_LARGE
    await writer.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (BufferError(), Failed.TRANSIENT),
        (broker_error(KafkaError.NOT_ENOUGH_REPLICAS), Failed.TRANSIENT),
        (broker_error(KafkaError._MSG_TIMED_OUT), Failed.TRANSIENT),
        (broker_error(KafkaError.TOPIC_AUTHORIZATION_FAILED), Failed.DENIED),
        (broker_error(KafkaError.UNKNOWN_TOPIC_OR_PART), Failed.NO_TOPIC),
        (KafkaException(broker_error(KafkaError._UNKNOWN_TOPIC)), Failed.NO_TOPIC),
    ],
)
async def test_what_went_wrong_is_told_by_its_kind(
    answer: Exception | KafkaError, kind: Failed
) -> None:
    writer, _ = scripted([answer])
    outcome = await writer.write(letter("t", b"k", b"v"))
    assert isinstance(outcome, NotWritten)
    assert outcome.kind is kind
    assert "t.dlq" in outcome.detail
    await writer.close()


# --- the admin client's edge ---


async def test_a_cluster_without_administration_is_described_as_far_as_it_goes(
    writer: Writer, bootstrap: str
) -> None:
    await writer.write(letter("source", b"k", b"v"))
    admin = KafkaTopicAdmin(bootstrap, {"group.protocol": "classic"}, timeout_s=5)
    described = await asyncio.to_thread(admin.describe, ["source.dlq", "not-there"])
    assert isinstance(described, Described)
    assert described.topics["source.dlq"].partitions == 4
    assert "not-there" not in described.topics
    made = await asyncio.to_thread(admin.create, [WantedTopic("made", "source", 4, 1, {})])
    assert made["made"] == "the cluster names no controller"


async def test_a_broker_that_does_not_answer_is_a_finding_that_names_the_setting() -> None:
    admin = KafkaTopicAdmin("127.0.0.1:1", {}, timeout_s=0.5)
    finding = await asyncio.to_thread(admin.describe, ["any"])
    assert isinstance(finding, Finding)
    assert "kafka.bootstrap_servers" in finding.do
