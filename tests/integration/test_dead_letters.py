"""Are dead letters confirmed by a real broker, and do its refusals say what to do?"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from streamer.dead_letters.admin import KafkaTopicAdmin
from streamer.dead_letters.record import Letter, read_record
from streamer.dead_letters.topics import HEADROOM_BYTES, RETENTION_MS, ensure, inspect
from streamer.dead_letters.writer import Failed, NotWritten, Outcome, Writer, Written
from streamer.errors import Severity
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
from tests.servers.kafka import SASL_USERS, KafkaCluster
from tests.servers.waiting import until

StartsKafka = Callable[..., KafkaCluster]

TEMPLATE = "{topic}.dlq"
INCOMPRESSIBLE = random.Random(1).randbytes(2048)


def letter(topic: str, value: bytes | None = b"v", detail: str = "no") -> DeadLetter:
    headers: Headers = (("trace", b"\x00\xff"), ("trace", None))
    message = Message(Partition(topic, 2), Generation(1), Offset(4), 1000, b"key", value, headers)
    return DeadLetter(message, Refusal(Reason.REFUSED, detail), route="overdue", instance="site")


@asynccontextmanager
async def writing(bootstrap: str, **properties: str) -> AsyncIterator[Writer]:
    given = {name.replace("_", "."): value for name, value in properties.items()}
    writer = Writer(bootstrap, given, TEMPLATE, "cluster", lambda: 5, delivery_s=4.0)
    try:
        yield writer
    finally:
        await writer.close()


def login(password: str) -> dict[str, str]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "outsider",
        "sasl_password": password,
    }


def read_back(kafka: KafkaCluster, topic: str) -> Letter:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.error() is None
    found = read_record(
        message.key(), message.value(), cast(Headers, tuple(message.headers() or ()))
    )
    assert isinstance(found, Letter)
    return found


async def written_in_time(writer: Writer, some: DeadLetter) -> Written:
    """As whoever holds the message does: asks again until it is confirmed."""
    async with asyncio.timeout(60):
        while isinstance(outcome := await writer.write(some), NotWritten):
            await asyncio.sleep(0.2)
    return outcome


def refused(outcome: Outcome, kind: Failed) -> str:
    assert isinstance(outcome, NotWritten), outcome
    assert outcome.kind is kind, outcome
    return outcome.detail


def set_limit(kafka: KafkaCluster, source: str, size: int) -> None:
    kafka.create_topic(f"{source}.dlq", config={"max.message.bytes": str(size)})


async def test_a_confirmed_letter_can_be_read_back_byte_for_byte(kafka: KafkaCluster) -> None:
    source = kafka.create_topic()
    kafka.create_topic(f"{source}.dlq")
    async with writing(kafka.bootstrap, group_protocol="consumer") as writer:
        assert isinstance(await writer.write(letter(source, b"\x00\xff")), Written)
    found = await asyncio.to_thread(read_back, kafka, f"{source}.dlq")
    message = found.letter.message
    assert (message.key, message.value) == (b"key", b"\x00\xff")
    assert message.headers == (("trace", b"\x00\xff"), ("trace", None))
    assert (message.partition, message.offset) == (Partition(source, 2), 4)


async def test_a_topic_that_is_missing_is_said_to_be_missing(kafka: KafkaCluster) -> None:
    source = kafka.create_topic()
    async with writing(kafka.bootstrap) as writer:
        detail = refused(await writer.write(letter(source)), Failed.NO_TOPIC)
        assert f"{source}.dlq" in detail
        assert "dead_letters.create" in detail
        kafka.create_topic(f"{source}.dlq")
        await written_in_time(writer, letter(source))


async def test_a_record_that_is_too_large_with_our_headers_is_written_without_most_of_them(
    kafka: KafkaCluster,
) -> None:
    source = kafka.create_topic()
    set_limit(kafka, source, 2000)
    detail = INCOMPRESSIBLE.hex()
    async with writing(kafka.bootstrap) as writer:
        outcome = await writer.write(letter(source, detail=detail))
    assert isinstance(outcome, Written)
    assert outcome.shrunk
    assert (await asyncio.to_thread(read_back, kafka, f"{source}.dlq")).shrunk


async def test_a_record_that_is_too_large_anyway_names_the_settings_and_stops_no_other(
    kafka: KafkaCluster,
) -> None:
    source = kafka.create_topic()
    set_limit(kafka, source, 1000)
    async with writing(kafka.bootstrap) as writer:
        too_large, fitting = await asyncio.gather(
            writer.write(letter(source, INCOMPRESSIBLE)), writer.write(letter(source))
        )
        again = await writer.write(letter(source))
    detail = refused(too_large, Failed.TOO_LARGE)
    assert "max.message.bytes" in detail
    assert "message.max.bytes" in detail
    # It shared a batch with the large one, or did not; asking again is what the caller does.
    assert isinstance(fitting, Written) or refused(fitting, Failed.TOO_LARGE)
    assert isinstance(again, Written)


async def test_what_was_compressed_at_the_source_is_written_though_it_is_longer_than_the_limit(
    kafka: KafkaCluster,
) -> None:
    source = kafka.create_topic()
    kafka.create_topic(f"{source}.dlq")
    async with writing(kafka.bootstrap) as writer:
        assert isinstance(await writer.write(letter(source, b"x" * 5_000_000)), Written)


async def test_a_user_without_the_right_to_write_is_told_so(kafka: KafkaCluster) -> None:
    source = kafka.create_topic()
    topic = kafka.create_topic(f"{source}.dlq")
    only_streamer = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:streamer",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    describe = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:outsider",
        "*",
        AclOperation.DESCRIBE,
        AclPermissionType.ALLOW,
    )
    for done in kafka.admin.create_acls([only_streamer, describe]).values():
        done.result(10)
    properties = login(SASL_USERS["outsider"])
    async with writing(kafka.sasl_bootstrap, **properties) as writer:
        assert topic in refused(await writer.write(letter(source)), Failed.DENIED)
    given = {name.replace("_", "."): value for name, value in properties.items()}
    admin = KafkaTopicAdmin(kafka.sasl_bootstrap, given)
    findings = await inspect(admin, TEMPLATE, [source], create=True)
    rights = [finding for finding in findings if "write" in finding.found]
    assert [finding.severity for finding in rights] == [Severity.ERROR], findings


async def test_a_wrong_password_is_a_refusal_and_no_outage(kafka: KafkaCluster) -> None:
    source = kafka.create_topic()
    async with writing(kafka.sasl_bootstrap, **login("wrong")) as writer:
        detail = refused(await writer.write(letter(source)), Failed.DENIED)
    assert "kafka.properties" in detail
    assert "wrong" not in detail


async def test_a_broker_that_was_away_takes_the_letter_when_it_is_back(
    own_kafka: StartsKafka,
) -> None:
    kafka = own_kafka()
    source = kafka.create_topic()
    kafka.create_topic(f"{source}.dlq")
    async with writing(kafka.bootstrap) as writer:
        assert isinstance(await writer.write(letter(source)), Written)
        await asyncio.to_thread(kafka.kill_node)
        assert refused(await writer.write(letter(source)), Failed.TRANSIENT)
        await asyncio.to_thread(kafka.start_node)
        await written_in_time(writer, letter(source))


# --- topics ---


async def test_missing_topics_are_made_like_their_sources(kafka: KafkaCluster) -> None:
    source = kafka.create_topic(partitions=3, config={"max.message.bytes": "2000000"})
    admin = KafkaTopicAdmin(kafka.bootstrap, {"group.protocol": "consumer"})
    before = await inspect(admin, TEMPLATE, [source], create=True)
    assert [finding.severity for finding in before] == [Severity.WARNING]

    assert await ensure(admin, TEMPLATE, [source], create=True) == ()

    made = f"{source}.dlq"
    # Made, and known to whoever asks a moment later.
    await until(lambda: made in kafka.admin.list_topics(timeout=5).topics, "the topic")
    assert len(kafka.admin.list_topics(timeout=5).topics[made].partitions) == 3
    (described,) = kafka.admin.describe_configs([ConfigResource(ResourceType.TOPIC, made)]).values()
    config = described.result(10)
    assert config["max.message.bytes"].value == str(2_000_000 + HEADROOM_BYTES)
    assert config["retention.ms"].value == str(RETENTION_MS)
    assert await ensure(admin, TEMPLATE, [source], create=True) == ()
    assert await inspect(admin, TEMPLATE, [source], create=False) == ()


async def test_a_smaller_limit_than_the_sources_is_found(kafka: KafkaCluster) -> None:
    source = kafka.create_topic()
    set_limit(kafka, source, 50_000)
    admin = KafkaTopicAdmin(kafka.bootstrap, {})
    (finding,) = await inspect(admin, TEMPLATE, [source], create=True)
    assert "50000" in finding.found
    assert finding.where == f"topic {source}.dlq"


async def test_a_missing_topic_that_is_not_to_be_made_is_an_error(kafka: KafkaCluster) -> None:
    source = kafka.create_topic()
    admin = KafkaTopicAdmin(kafka.bootstrap, {})
    for look in (ensure, inspect):
        (finding,) = await look(admin, TEMPLATE, [source], create=False)
        assert finding.severity is Severity.ERROR
    assert f"{source}.dlq" not in kafka.admin.list_topics(timeout=5).topics
