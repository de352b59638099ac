"""Does the source keep its promises with a real broker, in both group protocols?"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from streamer.model import Partition
from streamer.source.settings import SourceSettings
from tests.integration.conftest import StartsKafka
from tests.servers.kafka import SASL_USERS, KafkaCluster
from tests.servers.records import Record, committed, produce
from tests.servers.waiting import until
from tests.source_probe import Probe

PROTOCOLS = ["classic", "consumer"]
HOUR_MS = 3_600_000
SAID_WITHIN_S = 20


def fresh(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:10]}"


@asynccontextmanager
async def probes(
    bootstrap: str, *topics: str, group: str = "", **more: object
) -> AsyncIterator[Callable[..., Probe]]:
    """Makes sources of one group; those that still run are stopped in the end."""
    group = group or fresh("group")
    started: list[Probe] = []

    def start(start: str = "earliest", **properties: str) -> Probe:
        given = {name.replace("_", "."): value for name, value in properties.items()}
        settings = SourceSettings(bootstrap, group, topics, start, given, **more)  # type: ignore[arg-type]
        started.append(Probe(settings).start())
        return started[-1]

    try:
        yield start
    finally:
        for probe in started:
            await probe.stop()


def some(count: int, partition: int = -1) -> list[Record]:
    keys = [b"key-%d" % (number % 40) for number in range(count)]
    return [Record(b"%d" % n, key, partition=partition) for n, key in enumerate(keys)]


def read(*probes: Probe) -> Counter[bytes | None]:
    return Counter(value for probe in probes for value in probe.values)


def finds(probe: Probe, *words: str) -> Callable[[], bool]:
    """Whether one of its findings holds all the words; a busy machine may add others."""
    return lambda: any(all(word in str(it) for word in words) for it in probe.source.findings)


def owns(probe: Probe, count: int) -> Callable[[], bool]:
    return lambda: len(probe.partitions) == count


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_processes_that_join_and_leave_read_everything_once_and_in_order(
    kafka: KafkaCluster, protocol: str
) -> None:
    topic = kafka.create_topic(partitions=4)
    produce(kafka.bootstrap, topic, some(500))
    async with probes(kafka.bootstrap, topic) as start:
        one = start(group_protocol=protocol)
        await until(lambda: len(one.messages) == 500, "the first 500")

        two = start(group_protocol=protocol)
        await until(lambda: owns(one, 2)() and owns(two, 2)(), "two partitions each")
        produce(kafka.bootstrap, topic, [Record(b"b%d" % n, b"%d" % n) for n in range(500)])
        await until(lambda: len(one.messages) + len(two.messages) == 1000, "the second 500")
        stopped = await one.stop()
        await until(owns(two, 4), "all partitions")
        produce(kafka.bootstrap, topic, [Record(b"c%d" % n, b"%d" % n) for n in range(500)])
        await until(lambda: len(read(one, two)) == 1500, "the third 500")

        assert stopped.closed
        assert set(read(one, two).values()) == {1}
        for probe in (one, two):
            for partition in {message.partition for message in probe.messages}:
                offsets = [m.offset for m in probe.messages if m.partition == partition]
                assert offsets == sorted(offsets)
        await until(lambda: sum(two.committed_positions.values()) == 1500, "all committed")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_revoked_partitions_are_committed_when_their_calls_in_flight_have_ended(
    kafka: KafkaCluster, protocol: str
) -> None:
    topic = kafka.create_topic(partitions=2)
    produce(kafka.bootstrap, topic, some(100))
    async with probes(kafka.bootstrap, topic) as start:
        one = start(group_protocol=protocol)
        one.holds = True
        await until(lambda: len(one.messages) == 100, "all messages")
        one.stop_committing()
        for message in one.messages[:30]:
            one.settle(message)
        expected = one.positions

        two = start(group_protocol=protocol)
        await until(owns(two, 1), "a partition for the second")
        given = next(iter(two.partitions))
        started_at = next(a.position for f, a in two.facts if f == "assigned")

        assert started_at == expected[given]
        kinds = [kind for kind, _ in one.facts if kind in ("revoking", "revoked")]
        assert kinds == ["revoking", "revoked"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_revocation_waits_no_longer_than_its_bound(
    kafka: KafkaCluster, protocol: str
) -> None:
    topic = kafka.create_topic(partitions=2)
    produce(kafka.bootstrap, topic, some(10))
    async with probes(kafka.bootstrap, topic, revoke_timeout_s=0.5) as start:
        one = start(group_protocol=protocol)
        await until(lambda: len(one.messages) == 10, "all messages")
        one.finishes = False

        two = start(group_protocol=protocol)
        await until(owns(two, 1), "a partition for the second")

        assert len(one.partitions) == 1


async def test_the_state_beyond_the_position_survives_a_restart(kafka: KafkaCluster) -> None:
    topic = kafka.create_topic()
    produce(kafka.bootstrap, topic, some(50))
    async with probes(kafka.bootstrap, topic) as start:
        one = start()
        one.holds = True
        await until(lambda: len(one.messages) == 50, "all messages")
        for message in one.messages[10:40]:
            one.settle(message)
        await one.stop()

        two = start()
        await until(lambda: two.positions.get(Partition(topic, 0)) == 50, "everything settled")

        assert sorted(m.offset for m in two.messages) == [*range(10), *range(40, 50)]
        assert two.watch.events == [("rebalanced", "assigned")]


async def test_metadata_of_another_offset_is_not_believed(kafka: KafkaCluster) -> None:
    topic = kafka.create_topic()
    produce(kafka.bootstrap, topic, some(20))
    group = fresh("group")
    async with probes(kafka.bootstrap, topic, group=group) as start:
        one = start()
        one.holds = True
        await until(lambda: len(one.messages) == 20, "all messages")
        for message in one.messages[5:]:
            one.settle(message)
        await one.stop()
        text = committed(kafka.bootstrap, group)[topic, 0].metadata
        _set_offset(kafka, group, topic, 3, text)

        two = start()
        await until(lambda: len(two.messages) == 17, "all from the new offset on")

        assert ("rejected", "position") in two.watch.events


def _set_offset(kafka: KafkaCluster, group: str, topic: str, offset: int, text: str) -> None:
    there = TopicPartition(topic, 0, offset, metadata=text)
    asked = [ConsumerGroupTopicPartitions(group, [there])]
    kafka.admin.alter_consumer_group_offsets(asked)[group].result(10)


# --- start moments ----------------------------------------------------------------------------


async def test_a_span_before_now_starts_at_the_first_message_since(kafka: KafkaCluster) -> None:
    topic = kafka.create_topic()
    now_ms = time.time_ns() // 1_000_000
    old = [Record(b"old", timestamp_ms=now_ms - 3 * HOUR_MS)] * 3
    produce(kafka.bootstrap, topic, [*old, Record(b"new", timestamp_ms=now_ms - HOUR_MS)])
    async with probes(kafka.bootstrap, topic) as start:
        probe = start("-2h")
        await until(lambda: bool(probe.messages), "a message")

        assert probe.values == [b"new"]
        await until(lambda: probe.committed_positions[Partition(topic, 0)] == 4, "a commit")


async def test_latest_is_committed_before_anything_is_read_and_holds_for_the_group(
    kafka: KafkaCluster,
) -> None:
    topic, group = kafka.create_topic(), fresh("group")
    produce(kafka.bootstrap, topic, some(5))
    async with probes(kafka.bootstrap, topic, group=group) as start:
        one = start("latest")
        await until(owns(one, 1), "the partition")
        assert committed(kafka.bootstrap, group)[topic, 0].offset == 5
        await one.stop()
        produce(kafka.bootstrap, topic, [Record(b"while away")])
        kafka.grow_topic(topic, 2)
        produce(kafka.bootstrap, topic, [Record(b"in a new partition", partition=1)])

        two = start("latest")
        await until(lambda: len(two.messages) == 2, "both messages")

        assert set(two.values) == {b"while away", b"in a new partition"}
        assert two.watch.events == [("rebalanced", "assigned")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_pattern_finds_topics_that_appear_later_and_misses_nothing_of_them(
    kafka: KafkaCluster, protocol: str
) -> None:
    prefix = fresh("pattern")
    first = kafka.create_topic(f"{prefix}.one")
    pattern = rf"^{prefix}\..*"
    async with probes(
        kafka.bootstrap,
        pattern,
        excluded=lambda topic: topic.endswith(".dlq"),
    ) as start:
        probe = start("latest", group_protocol=protocol, topic_metadata_refresh_interval_ms="300")
        await until(owns(probe, 1), "the first topic")

        kafka.create_topic(f"{prefix}.one.dlq")
        second = kafka.create_topic(f"{prefix}.two")
        produce(kafka.bootstrap, second, [Record(b"before it was found")])
        await until(lambda: bool(probe.messages), "a message of the new topic")

        assert probe.values == [b"before it was found"]
        assert {p.topic for p in probe.partitions} == {first, second}


async def test_a_pattern_without_a_match_waits_and_says_so(kafka: KafkaCluster) -> None:
    prefix = fresh("later")
    async with probes(kafka.bootstrap, f"^{prefix}") as start:
        probe = start("earliest", topic_metadata_refresh_interval_ms="300")
        await until(finds(probe, "matches no topic"), "a finding")

        assert probe.source.joined
        kafka.create_topic(prefix)
        produce(kafka.bootstrap, prefix, some(3))
        await until(lambda: len(probe.messages) == 3, "its messages")


# --- positions --------------------------------------------------------------------------------


async def test_a_transactional_topic_read_to_its_end_has_no_lag(kafka: KafkaCluster) -> None:
    topic, group = kafka.create_topic(), fresh("group")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    async with probes(kafka.bootstrap, topic, group=group) as start:
        probe = start()
        await until(owns(probe, 1), "the partition")
        for number in range(4):
            producer.begin_transaction()
            producer.produce(topic, b"%d" % number)
            producer.flush(10)
            (producer.abort_transaction if number % 2 else producer.commit_transaction)(10)
        here = Partition(topic, 0)
        await until(lambda: probe.committed_positions[here] == 8, "a position past the last marker")

        assert probe.values == [b"0", b"2"]
        assert committed(kafka.bootstrap, group)[topic, 0].offset == 8
        await until(lambda: probe.source.ends().get(here) == 8, "the end")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_was_deleted_before_it_was_read_is_passed_over_loudly(
    kafka: KafkaCluster, protocol: str
) -> None:
    topic = kafka.create_topic()
    produce(kafka.bootstrap, topic, some(30))
    async with probes(kafka.bootstrap, topic) as start:
        one = start(group_protocol=protocol)
        one.holds = True
        await until(lambda: len(one.messages) == 30, "all messages")
        for message in one.messages[:5]:
            one.settle(message)
        await one.stop()
        there = TopicPartition(topic, 0, 20)
        kafka.admin.delete_records([there])[there].result(10)

        two = start(group_protocol=protocol)
        await until(lambda: len(two.messages) == 10, "what is left")

        assert [m.offset for m in two.messages] == list(range(20, 30))
        assert ("out-of-range", topic) in two.watch.events
        assert two.watch.deleted == 15
        await until(lambda: two.committed_positions[Partition(topic, 0)] == 30, "a commit")


async def test_an_offset_beyond_the_end_starts_at_the_earliest_in_a_new_generation(
    kafka: KafkaCluster,
) -> None:
    topic, group = kafka.create_topic(), fresh("group")
    produce(kafka.bootstrap, topic, some(10))
    _set_offset(kafka, group, topic, 500, "")
    async with probes(kafka.bootstrap, topic, group=group) as start:
        probe = start("latest")
        await until(lambda: len(probe.messages) == 10, "all messages")

        assert ("out-of-range", topic) in probe.watch.events
        kinds = [kind for kind, _ in probe.facts if kind != "message"]
        assert kinds == ["assigned", "revoked", "assigned"]
        await until(lambda: probe.committed_positions[Partition(topic, 0)] == 10, "a commit")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_topic_that_was_deleted_and_made_anew_is_read_from_its_start(
    kafka: KafkaCluster, protocol: str
) -> None:
    topic = kafka.create_topic()
    produce(kafka.bootstrap, topic, some(20))
    async with probes(kafka.bootstrap, topic) as start:
        probe = start("latest", group_protocol=protocol, topic_metadata_refresh_interval_ms="500")
        await until(owns(probe, 1), "the partition")
        produce(kafka.bootstrap, topic, [Record(b"first life")])
        await until(lambda: probe.values == [b"first life"], "a message of the first topic")

        kafka.delete_topic(topic)
        kafka.create_topic(topic)
        produce(kafka.bootstrap, topic, [Record(b"second life")] * 3)
        await until(lambda: probe.values.count(b"second life") == 3, "those of the second")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_topic_that_was_made_anew_and_filled_unseen_is_read_from_its_start(
    kafka: KafkaCluster, protocol: str
) -> None:
    """The client has no cause to look at the topic while its partition is paused; afterwards its
    position is one that the new topic has, too."""
    topic = kafka.create_topic()
    produce(kafka.bootstrap, topic, [Record(b"first life")] * 200)
    async with probes(kafka.bootstrap, topic, window_messages=50) as start:
        probe = start(group_protocol=protocol)
        probe.holds = True
        await until(lambda: probe.source.paused() == {Partition(topic, 0)}, "a full window")

        kafka.delete_topic(topic)
        kafka.create_topic(topic)
        second = [Record(b"%d" % number) for number in range(400)]
        produce(kafka.bootstrap, topic, second)
        probe.holds = False
        probe.settle_all()
        there = {record.value for record in second}
        await until(lambda: there <= set(probe.values), "all of the second", timeout_s=60)
        await until(lambda: probe.committed_positions.get(Partition(topic, 0)) == 400, "a commit")

        assert protocol != "classic" or ("made-anew", topic) in probe.watch.events


async def test_an_offset_of_the_topic_before_is_none_and_the_new_ones_is_one(
    kafka: KafkaCluster,
) -> None:
    topic, group = kafka.create_topic(), fresh("group")
    produce(kafka.bootstrap, topic, some(20))
    async with probes(kafka.bootstrap, topic, group=group) as start:
        one = start("earliest")
        await until(lambda: len(one.messages) == 20, "all messages")
        await one.stop()
        there = committed(kafka.bootstrap, group)[topic, 0]
        kafka.delete_topic(topic)
        await until(
            lambda: (topic, 0) not in committed(kafka.bootstrap, group),
            "the broker to forget the offset",
        )
        kafka.create_topic(topic)
        produce(kafka.bootstrap, topic, some(50))
        # What a process commits that has not seen yet that the topic is gone.
        _set_offset(kafka, group, topic, there.offset, there.metadata)

        two = start("latest")
        await until(lambda: len(two.messages) == 50, "all of the second")
        await until(lambda: two.committed_positions[Partition(topic, 0)] == 50, "a commit")
        await two.stop()
        produce(kafka.bootstrap, topic, [Record(b"later")])
        three = start("latest")
        await until(lambda: bool(three.messages), "a message")

        assert [message.offset for message in two.messages] == list(range(50))
        assert ("made-anew", topic) in two.watch.events
        assert three.values == [b"later"]
        assert ("made-anew", topic) not in three.watch.events


async def test_a_full_window_pauses_and_nothing_is_lost_when_it_goes_on(
    kafka: KafkaCluster,
) -> None:
    topic = kafka.create_topic(partitions=2)
    produce(kafka.bootstrap, topic, some(3000))
    async with probes(kafka.bootstrap, topic, window_messages=100) as start:
        probe = start()
        probe.holds = True
        await until(lambda: len(probe.messages) == 200, "two full windows")
        await until(lambda: probe.source.stuck is not None, "all to be paused")
        produce(kafka.bootstrap, topic, some(10, partition=0))
        end = len([m for m in probe.messages if m.partition.number == 0])
        await until(
            lambda: probe.source.ends().get(Partition(topic, 0), 0) > 1000 + end // 100,
            "the end of a paused partition",
        )
        turn = probe.source.last_turn
        await until(lambda: probe.source.last_turn > turn, "another turn")
        assert len(probe.messages) == 200

        while len(probe.messages) < 3010:
            assert all(len(held) <= 100 for held in probe.unsettled.values())
            probe.settle_all()
            await asyncio.sleep(0.005)

        assert len({(m.partition, m.offset) for m in probe.messages}) == 3010
        probe.settle_all()
        await until(lambda: sum(probe.committed_positions.values()) == 3010, "a commit")


# --- members ----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_static_member_comes_back_to_its_partitions_without_a_rebalance(
    kafka: KafkaCluster, protocol: str
) -> None:
    topic = kafka.create_topic(partitions=2)
    produce(kafka.bootstrap, topic, some(10))
    async with probes(kafka.bootstrap, topic) as start:
        one = start(group_protocol=protocol, group_instance_id="one")
        two = start(group_protocol=protocol, group_instance_id="two")
        await until(lambda: owns(one, 1)() and owns(two, 1)(), "a partition each")
        mine, events = one.partitions, list(two.watch.events)
        await one.stop()

        back = start(group_protocol=protocol, group_instance_id="one")
        await until(owns(back, 1), "its partition")

        assert back.partitions == mine
        assert two.watch.events == events


async def test_a_member_whose_name_another_takes_ends_with_the_reason(
    kafka: KafkaCluster,
) -> None:
    topic = kafka.create_topic()
    async with probes(kafka.bootstrap, topic) as start:
        one = start(group_instance_id="same")
        await until(owns(one, 1), "the partition")
        start(group_instance_id="same")
        await until(lambda: one.failure is not None, "the end of the first")

        assert "group.instance.id" in str(one.failure)
        assert not (await one.stop()).closed


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_idle_member_has_joined(kafka: KafkaCluster, protocol: str) -> None:
    topic = kafka.create_topic()
    async with probes(kafka.bootstrap, topic) as start:
        one = start(group_protocol=protocol)
        await until(owns(one, 1), "the partition")
        idle = start(group_protocol=protocol)
        await until(lambda: len(idle.partitions | one.partitions) == 1, "one owner")
        both = (one, idle)
        await until(lambda: all(probe.source.joined for probe in both), "both to join")

        assert sorted(len(probe.partitions) for probe in both) == [0, 1]


async def test_a_member_of_the_newer_protocol_ends_with_what_to_do_and_disturbs_nobody(
    kafka: KafkaCluster,
) -> None:
    topic, group = kafka.create_topic(partitions=2), fresh("group")
    async with probes(kafka.bootstrap, topic, group=group) as start:
        one = start()
        await until(owns(one, 2), "both partitions")
        two = start()
        await until(lambda: owns(one, 1)() and owns(two, 1)(), "a partition each")
        # A broker takes no group over in which librdkafka's assignor has told what it assigned
        # before, and it does so from a group's second rebalance on.
        newer = start(group_protocol="consumer")
        await until(lambda: newer.failure is not None, "the end of the newer one")

        assert "stop all processes of the group" in str(newer.failure)
        produce(kafka.bootstrap, topic, some(10))
        await until(lambda: len(read(one, two)) == 10, "the messages")

        await one.stop()
        await two.stop()
        after = start(group_protocol="consumer")
        await until(owns(after, 2), "both partitions")
        assert after.failure is None


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_broker_that_takes_no_metadata_does_not_keep_a_group_from_starting(
    own_kafka: StartsKafka, protocol: str
) -> None:
    cluster = own_kafka(properties={"offset.metadata.max.bytes": "8"})
    topic, group = cluster.create_topic(), fresh("group")
    produce(cluster.bootstrap, topic, some(10))
    async with probes(cluster.bootstrap, topic, group=group) as start:
        probe = start(group_protocol=protocol)
        await until(lambda: len(probe.messages) == 10, "the messages")
        await until(lambda: sum(probe.committed_positions.values()) == 10, "a commit")

        assert committed(cluster.bootstrap, group)[topic, 0].metadata == ""


async def test_a_wrong_password_is_a_sentence_within_seconds(kafka: KafkaCluster) -> None:
    async with probes(kafka.sasl_bootstrap, "any") as start:
        probe = start(
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_username="streamer",
            sasl_password="not-the-password",
        )
        await until(finds(probe, "login", "sasl.password"), "a finding", SAID_WITHIN_S)

        assert "not-the-password" not in str(probe.source.findings)
        assert not probe.source.joined


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("resource", [ResourceType.GROUP, ResourceType.TOPIC])
async def test_a_missing_right_is_a_sentence_and_its_grant_is_enough(
    kafka: KafkaCluster, protocol: str, resource: ResourceType
) -> None:
    topic, group = kafka.create_topic(), fresh("group")
    produce(kafka.bootstrap, topic, some(3))
    name = group if resource is ResourceType.GROUP else topic
    # An ACL for one user on a resource leaves no right to the others.
    grant(kafka, resource, name, "streamer", AclOperation.READ)
    if resource is ResourceType.TOPIC:
        grant(kafka, resource, name, "outsider", AclOperation.DESCRIBE)
    login = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "outsider",
        "sasl_password": SASL_USERS["outsider"],
    }
    async with probes(kafka.sasl_bootstrap, topic, group=group) as start:
        probe = start(group_protocol=protocol, **login)
        await until(finds(probe, "right"), "a finding", SAID_WITHIN_S)
        assert probe.failure is None

        grant(kafka, resource, name, "outsider", AclOperation.READ)
        await until(lambda: len(probe.messages) == 3, "the messages", 60)


def grant(
    kafka: KafkaCluster, resource: ResourceType, name: str, user: str, operation: AclOperation
) -> None:
    binding = AclBinding(
        resource,
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )
    for future in kafka.admin.create_acls([binding]).values():
        future.result(10)


async def test_the_wrong_protocol_for_a_listener_is_a_sentence(kafka: KafkaCluster) -> None:
    async with probes(kafka.bootstrap, "any") as start:
        probe = start(security_protocol="SSL")
        await until(finds(probe, "security.protocol"), "a finding", SAID_WITHIN_S)


async def test_a_wrong_address_and_a_missing_topic_are_sentences(kafka: KafkaCluster) -> None:
    async with probes("127.0.0.1:1", "any") as start:
        probe = start()
        await until(finds(probe, "kafka.bootstrap_servers"), "a finding", SAID_WITHIN_S)
        assert probe.source.stuck == "the Kafka cluster has not answered yet"
    async with probes(kafka.bootstrap, fresh("missing")) as start:
        probe = start()
        await until(finds(probe, "does not exist"), "a finding", SAID_WITHIN_S)


async def test_a_broker_that_goes_away_and_comes_back_loses_nothing(
    own_kafka: StartsKafka,
) -> None:
    cluster = own_kafka()
    topic = cluster.create_topic(partitions=2)
    produce(cluster.bootstrap, topic, some(100))
    async with (
        probes(cluster.bootstrap, topic) as classic,
        probes(cluster.bootstrap, topic) as consumer,
    ):
        both = [
            start(
                group_protocol=protocol,
                reconnect_backoff_max_ms="500",
                # An answer is what ends a finding.
                topic_metadata_refresh_interval_ms="1000",
            )
            for start, protocol in zip((classic, consumer), PROTOCOLS, strict=True)
        ]
        await until(lambda: all(len(p.messages) == 100 for p in both), "the first messages")
        cluster.kill_node()
        await until(lambda: all(p.source.findings for p in both), "a finding", 20)
        turns = [probe.source.last_turn for probe in both]
        await until(
            lambda: all(p.source.last_turn > t for p, t in zip(both, turns, strict=True)),
            "another turn",
        )

        cluster.start_node()
        produce(cluster.bootstrap, topic, [Record(b"after %d" % n) for n in range(100)])
        await until(lambda: all(len(read(p)) == 200 for p in both), "the messages after", 60)
        await until(
            lambda: all(sum(p.committed_positions.values()) == 200 for p in both), "commits", 60
        )
        await until(lambda: not any(p.source.findings for p in both), "no finding")


async def test_stopping_without_a_broker_is_bounded(own_kafka: StartsKafka) -> None:
    cluster = own_kafka()
    topic = cluster.create_topic()
    produce(cluster.bootstrap, topic, some(10))
    async with probes(cluster.bootstrap, topic, close_commit_timeout_s=1.0) as start:
        # A client that is left without closing stops whoever frees its memory, for a session.
        probe = start(session_timeout_ms="1000", heartbeat_interval_ms="300")
        await until(lambda: len(probe.messages) == 10, "the messages")
        await until(lambda: sum(probe.committed_positions.values()) == 10, "a commit")
        probe.holds = True
        produce(cluster.bootstrap, topic, some(1))
        await until(lambda: len(probe.messages) == 11, "one more")
        cluster.kill_node()
        probe.settle_all()
        began = time.monotonic()
        stopped = await probe.stop()

        assert time.monotonic() - began < 5
        assert not stopped.closed
        assert stopped.result is None or stopped.result.failures
