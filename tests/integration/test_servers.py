"""Do the servers that all other tests stand on keep what their fixtures promise?"""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient

from tests.integration.conftest import StartsKafka
from tests.servers.kafka import SASL_USERS, KafkaCluster
from tests.servers.process import ServerProcess
from tests.servers.records import Record, committed, end_offsets, produce, read_all
from tests.servers.registry import ApicurioRegistry
from tests.servers.waiting import wait_until


def test_records_are_read_back_as_they_were_written(kafka: KafkaCluster) -> None:
    topic = kafka.create_topic(partitions=3)
    records = [
        Record(value=b"one", key=b"a", headers=(("h", b"1"), ("h", None)), partition=0),
        Record(value=None, key=b"a", partition=0),
        Record(value=b"three", partition=2, timestamp_ms=1_700_000_000_000),
    ]

    places = produce(kafka.bootstrap, topic, records)

    assert places == [(0, 0), (0, 1), (2, 0)]
    stored = read_all(kafka.bootstrap, topic)
    assert [(it.key, it.value, it.headers) for it in stored] == [
        (it.key, it.value, it.headers) for it in records
    ]
    assert stored[2].timestamp_ms == 1_700_000_000_000
    assert end_offsets(kafka.bootstrap, topic) == {0: 2, 1: 0, 2: 1}


def test_commits_are_seen_with_their_metadata(kafka: KafkaCluster) -> None:
    topic = kafka.create_topic()
    group = f"group-{uuid.uuid4()}"
    assert committed(kafka.bootstrap, group) == {}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})

    consumer.commit(offsets=[TopicPartition(topic, 0, 7, metadata="done 9-12")], asynchronous=False)
    consumer.close()

    found = committed(kafka.bootstrap, group)[topic, 0]
    assert (found.offset, found.metadata) == (7, "done 9-12")


def test_a_topic_does_not_come_into_being_by_itself(kafka: KafkaCluster) -> None:
    with pytest.raises(AssertionError, match="not written"):
        produce(kafka.bootstrap, f"missing-{uuid.uuid4()}", [Record(b"x")])


def _as_user(kafka: KafkaCluster, user: str, password: str) -> AdminClient:
    return AdminClient(
        {
            "bootstrap.servers": kafka.sasl_bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": password,
            "log_level": 0,
        }
    )


def test_a_wrong_password_is_refused_and_a_right_one_is_not(kafka: KafkaCluster) -> None:
    user, password = next(iter(SASL_USERS.items()))

    assert _as_user(kafka, user, password).list_topics(timeout=10).brokers
    with pytest.raises(KafkaException):
        _as_user(kafka, user, "wrong").list_topics(timeout=2)


def test_an_acl_keeps_the_others_out(kafka: KafkaCluster) -> None:
    topic = kafka.create_topic()
    rule = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:streamer",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    kafka.admin.create_acls([rule])[rule].result(10)
    streamer = _as_user(kafka, "streamer", SASL_USERS["streamer"])
    outsider = _as_user(kafka, "outsider", SASL_USERS["outsider"])

    wait_until(lambda: topic not in outsider.list_topics(timeout=10).topics, "the rule to hold")
    assert topic in streamer.list_topics(timeout=10).topics


def test_the_registry_keeps_references(registry: ApicurioRegistry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    money = '{"type":"record","name":"Money","namespace":"t","fields":[]}'
    order = (
        '{"type":"record","name":"Order","namespace":"t",'
        '"fields":[{"name":"total","type":"t.Money"}]}'
    )
    subject = f"money-{uuid.uuid4()}"
    client.register_schema(subject, Schema(money, "AVRO"))

    number = client.register_schema(
        f"order-{uuid.uuid4()}", Schema(order, "AVRO", [SchemaReference("t.Money", subject, 1)])
    )

    references = client.get_schema(number).references or []
    assert [it.subject for it in references] == [subject]


def test_three_nodes_lose_one_and_take_it_back(own_kafka: StartsKafka) -> None:
    cluster = own_kafka(nodes=3)
    topic = cluster.create_topic(replication=3)

    cluster.kill_node(2)
    produce(cluster.bootstrap, topic, [Record(b"while it was away")])
    cluster.start_node(2)

    assert [it.value for it in read_all(cluster.bootstrap, topic)] == [b"while it was away"]


def test_a_killed_node_comes_back_with_what_it_stored(own_kafka: StartsKafka) -> None:
    cluster = own_kafka(properties={"message.max.bytes": "5000000"})
    topic = cluster.create_topic()
    produce(cluster.bootstrap, topic, [Record(b"kept")])

    cluster.kill_node()
    cluster.start_node()

    assert [it.value for it in read_all(cluster.bootstrap, topic)] == [b"kept"]


STARTS_A_SERVER = """
import signal, sys, time
# A shell starts what runs in its background with the Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from tests.servers.process import ServerProcess
program = "import time; print('serving', flush=True); time.sleep(600)"
server = ServerProcess([sys.executable, "-c", program], Path(sys.argv[1]))
server.wait_for_log("serving")
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_with_the_run_that_started_it(number: int, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_SERVER, str(tmp_path / "log.txt")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert run.stdout is not None
    server = psutil.Process(int(run.stdout.readline()))

    run.send_signal(number)
    run.wait(30)
    run.stdout.close()

    wait_until(lambda: _gone(server), "the server to end")


def _gone(process: psutil.Process) -> bool:
    # Where nobody reaps orphans it stays as a zombie.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_server_that_ends_too_early_is_reported_with_its_log(tmp_path: Path) -> None:
    server = ServerProcess(
        [sys.executable, "-c", "print('no such port'); raise SystemExit(3)"], tmp_path / "log.txt"
    )

    with pytest.raises(AssertionError, match=r"ended with 3 before readiness:\n.*no such port"):
        server.wait_until(lambda: False, "readiness")


def test_a_suspended_registry_answers_again_when_resumed(
    own_registry: Callable[[], ApicurioRegistry],
) -> None:
    server = own_registry()
    client = SchemaRegistryClient({"url": server.url})

    server.suspend()
    server.resume()

    assert client.get_subjects() == []
