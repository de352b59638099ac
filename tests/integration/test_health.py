"""Do the probes of real processes say what `docs/guarantees.md` promises, whatever depends?"""

from collections.abc import Callable

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.integration.conftest import StartsStreamer
from tests.integration.shipments import (
    APP_SECRET,
    TOPICS_ARE_ASKED_FOR_OFTEN,
    Shipments,
    delivered,
)
from tests.servers.kafka import SASL_USERS, KafkaCluster
from tests.servers.process import free_port
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import StreamerProcess

StartsSandbox = Callable[..., SandboxProcess]

APP = ("--app", f"an-app:{APP_SECRET}")
NOWHERE = "http://127.0.0.1:9"


def owned(streamer: StreamerProcess) -> float:
    return streamer.total("streamer_partitions_assigned")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_member_without_a_partition_is_ready(
    kafka: KafkaCluster, streamer_process: StartsStreamer, protocol: str
) -> None:
    shipments = Shipments(kafka, NOWHERE, partitions=1)
    config = shipments.config(kafka={"properties": {"group.protocol": protocol}})
    members = [streamer_process(config) for _ in range(3)]

    members[0].wait_until(
        lambda: sorted(map(owned, members)) == [0, 0, 1],
        "one of three to own the partition",
    )
    members[0].wait_until(
        lambda: [member.health("ready") for member in members] == [200, 200, 200],
        "all three to be ready",
    )


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_pattern_that_matches_nothing_yet_is_ready_and_reads_the_first_topic_that_comes(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    protocol: str,
) -> None:
    sandbox = sandbox_process(APP)
    prefix = f"shipping-{free_port()}"
    shipments = Shipments(kafka, sandbox.url, topic=f"{prefix}.orders")
    config = shipments.config(
        kafka={"properties": {"group.protocol": protocol, **TOPICS_ARE_ASKED_FOR_OFTEN}},
        routes=[shipments.route(topic=f"^{prefix}\\..*")],
    )
    streamer = streamer_process(config)
    assert f"pattern ^{prefix}" in streamer.process.log()

    kafka.create_topic(shipments.topic)
    shipments.send([0, 0])
    streamer.wait_until(lambda: sorted(delivered(sandbox)) == [0, 1], "both reports")
    # Whether it is a member is told once a second.
    streamer.wait_until_ready()


def test_a_dead_letter_topic_that_is_missing_makes_unready_before_it_is_needed(
    kafka: KafkaCluster, streamer_process: StartsStreamer
) -> None:
    shipments = Shipments(kafka, NOWHERE)
    letters = f"{shipments.topic}.dlq"
    streamer = streamer_process(shipments.config(dead_letters={"create": False}), wait=False)

    streamer.wait_until(lambda: letters in streamer.health_text("ready"), "it to name the topic")
    assert "dead_letters.create: true" in streamer.health_text("ready")
    assert (streamer.health("started"), streamer.health("live")) == (200, 200)

    kafka.create_topic(letters)
    streamer.wait_until_ready()


def test_a_dead_letter_topic_that_may_not_be_written_makes_unready_until_it_may(
    kafka: KafkaCluster, streamer_process: StartsStreamer
) -> None:
    shipments = Shipments(kafka, NOWHERE)
    letters = kafka.create_topic(f"{shipments.topic}.dlq")
    # An ACL for somebody leaves out everybody else; to see the topic is still allowed.
    rules = [
        acl(letters, "User:outsider", AclOperation.WRITE),
        acl(letters, "User:streamer", AclOperation.DESCRIBE),
        acl(letters, "User:streamer", AclOperation.DESCRIBE_CONFIGS),
    ]
    change_acls(kafka, rules)
    config = shipments.config(
        kafka={
            "bootstrap_servers": kafka.sasl_bootstrap,
            "properties": {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "streamer",
                "sasl.password": SASL_USERS["streamer"],
            },
        }
    )
    streamer = streamer_process(config, wait=False)

    streamer.wait_until(lambda: letters in streamer.health_text("ready"), "it to name the topic")
    assert "may not write" in streamer.health_text("ready")

    change_acls(kafka, [acl(letters, "User:streamer", AclOperation.WRITE)])
    streamer.wait_until_ready()


def acl(topic: str, who: str, what: AclOperation) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        who,
        "*",
        what,
        AclPermissionType.ALLOW,
    )


def change_acls(kafka: KafkaCluster, rules: list[AclBinding]) -> None:
    for made in kafka.admin.create_acls(rules).values():
        made.result(30)


def test_a_broker_that_goes_away_leaves_the_process_alive_and_in_its_place(
    own_kafka: Callable[..., KafkaCluster],
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
) -> None:
    cluster = own_kafka()
    sandbox = sandbox_process(APP)
    shipments = Shipments(cluster, sandbox.url)
    shipments.send()
    streamer = streamer_process(shipments.config(kafka={"properties": TOPICS_ARE_ASKED_FOR_OFTEN}))
    streamer.wait_until(lambda: delivered(sandbox) == [0], "the first report")

    cluster.suspend_node()
    streamer.process.wait_for_log("kafka_trouble", timeout_s=60)
    assert (streamer.health("started"), streamer.health("live")) == (200, 200)
    cluster.resume_node()

    shipments.send()
    streamer.wait_until(lambda: delivered(sandbox) == [0, 1], "the second report", 60)
    assert streamer.health("ready") == 200
