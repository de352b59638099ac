"""What is a real Kafka cluster in a test: how is it made, broken, repaired and ended?"""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, TopicMetadata

from tests.servers.artifacts import kafka_class_path
from tests.servers.java import java
from tests.servers.process import ServerProcess, free_port
from tests.servers.waiting import wait_until

READY_WITHIN_S = 60
ADMIN_WITHIN_S = 30

# Users of the SASL listener (mechanism PLAIN). Without an ACL each may do everything.
SASL_USERS = {"streamer": "streamer-password", "outsider": "outsider-password"}

LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


@dataclass(frozen=True, slots=True)
class Listener:
    """One more listener of each node."""

    name: str
    """Upper case."""
    protocol: str = "PLAINTEXT"
    """`SASL_SSL`, ..."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Of server.properties, without `listener.name.NAME.` before them."""
    advertised: Callable[[int, int], int] = lambda number, port: port
    """The port that clients are told, given the node's number and the one it listens at."""


@dataclass(slots=True)
class _Node:
    number: int
    folder: Path
    port: int = field(default_factory=free_port)
    sasl_port: int = field(default_factory=free_port)
    controller_port: int = field(default_factory=free_port)
    more_ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By listener: the port it listens at, and the one that clients are told."""
    process: ServerProcess | None = None

    @property
    def log_path(self) -> Path:
        return self.folder / "log.txt"


class KafkaCluster:
    """One to three combined brokers and controllers (KRaft) on free ports of 127.0.0.1.

    Topics never come into being by themselves. Group sessions may be as short as a second. The
    plain listener's user may do everything; the SASL listener's users too, until an ACL on a
    resource says who may.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 1,
        properties: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        starts_soon: bool = True,
    ) -> None:
        """`properties` are added to every node's server.properties and win over our own.

        Without `starts_soon` the nodes are as fast as they can be, some time after their start.
        """
        # Begins with an S: StorageTool would take one that begins with a dash for an option.
        self.cluster_id = base64.urlsafe_b64encode(b"K" + uuid.uuid4().bytes[1:]).decode()[:22]
        self._folder = folder
        self._nodes = [_Node(number, folder / f"node-{number}") for number in range(1, nodes + 1)]
        self._properties = dict(properties or {})
        self._starts_soon = starts_soon
        self._listeners = tuple(listeners)
        for node in self._nodes:
            for listener in self._listeners:
                port = free_port()
                node.more_ports[listener.name] = (port, listener.advertised(node.number, port))
        self._admin: AdminClient | None = None

    @classmethod
    def of_another(cls, folder: Path, ports: Sequence[Sequence[int]]) -> "KafkaCluster":
        """The cluster with these ports, which another process started and alone can stop."""
        cluster = cls(folder, nodes=0)
        cluster._nodes = [
            _Node(number, folder / f"node-{number}", plain, sasl, controller)
            for number, (plain, sasl, controller) in enumerate(ports, 1)
        ]
        return cluster

    @property
    def ports(self) -> Sequence[Sequence[int]]:
        """What each node listens at, without the further listeners."""
        return [(node.port, node.sasl_port, node.controller_port) for node in self._nodes]

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self._nodes)

    @property
    def sasl_bootstrap(self) -> str:
        """For `security.protocol: SASL_PLAINTEXT`, `sasl.mechanism: PLAIN`; see SASL_USERS."""
        return ",".join(f"127.0.0.1:{node.sasl_port}" for node in self._nodes)

    def bootstrap_of(self, listener: str) -> str:
        """The addresses that clients of one of the further listeners are told."""
        return ",".join(f"127.0.0.1:{node.more_ports[listener][1]}" for node in self._nodes)

    @property
    def size(self) -> int:
        return len(self._nodes)

    def start(self) -> "KafkaCluster":
        """Format all nodes, start them and wait until each is a broker of the cluster."""
        for node in self._nodes:
            self._format(node)
        for node in self._nodes:
            self._run(node)
        self.wait_until_ready()
        return self

    def stop(self) -> None:
        """End all nodes and forget what they stored; their logs stay for a look."""
        for node in self._nodes:
            if node.process is not None:
                # What they stored is not wanted: no need for the seconds of an orderly end.
                node.process.kill()
            shutil.rmtree(node.folder / "data", ignore_errors=True)

    def create_topic(
        self,
        name: str | None = None,
        *,
        partitions: int = 1,
        replication: int = 1,
        config: Mapping[str, str] | None = None,
    ) -> str:
        """Make a topic and wait until each partition has a leader; gives its name.

        Without a name it gets one that no other test has.
        """
        topic = name or f"topic-{uuid.uuid4().hex[:12]}"
        request = NewTopic(topic, partitions, replication, config=dict(config or {}))
        self.admin.create_topics([request])[topic].result(ADMIN_WITHIN_S)
        self._wait_for_partitions(topic, partitions)
        return topic

    def grow_topic(self, topic: str, partitions: int) -> None:
        """Give the topic more partitions, `partitions` in all."""
        request = NewPartitions(topic, partitions)
        self.admin.create_partitions([request])[topic].result(ADMIN_WITHIN_S)
        self._wait_for_partitions(topic, partitions)

    def delete_topic(self, topic: str) -> None:
        """Delete it and wait until the cluster's metadata have it no more."""
        self.admin.delete_topics([topic])[topic].result(ADMIN_WITHIN_S)
        wait_until(lambda: topic not in self._topics(), f"{topic} to be gone")

    @property
    def admin(self) -> AdminClient:
        """A client as the plain listener's user, who may do everything."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    def _topics(self) -> Mapping[str, TopicMetadata]:
        try:
            topics: Mapping[str, TopicMetadata] = self.admin.list_topics(timeout=5).topics
        except KafkaException:
            return {}
        return topics

    def _wait_for_partitions(self, topic: str, partitions: int) -> None:
        def led() -> bool:
            known = self._topics().get(topic)
            return (
                known is not None
                and len(known.partitions) == partitions
                and all(partition.leader > 0 for partition in known.partitions.values())
            )

        wait_until(led, f"{partitions} partitions of {topic} with a leader")

    def stop_node(self, number: int = 1) -> None:
        """An orderly end: it hands its partitions over first, where there is another node."""
        self._process(number).stop(timeout_s=30)

    def kill_node(self, number: int = 1) -> None:
        self._process(number).kill()

    def suspend_node(self, number: int = 1) -> None:
        """Connections stay open and nothing answers any more."""
        self._process(number).suspend()

    def resume_node(self, number: int = 1) -> None:
        self._process(number).resume()

    def start_node(self, number: int = 1, *, wait: bool = True) -> None:
        """Start a node again on its old ports with what it had stored."""
        self._run(self._nodes[number - 1])
        if wait:
            self.wait_until_ready()

    def log(self, number: int = 1) -> str:
        return self._process(number).log()

    def wait_until_ready(self) -> None:
        running = [node for node in self._nodes if node.process and node.process.alive]
        for node in running:
            process = self._process(node.number)
            process.wait_until(
                lambda: self._brokers() >= len(running),
                f"{len(running)} brokers at {self.bootstrap}",
                READY_WITHIN_S,
            )

    def _brokers(self) -> int:
        try:
            return len(self.admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return 0

    def _process(self, number: int) -> ServerProcess:
        process = self._nodes[number - 1].process
        assert process is not None, f"node {number} was not started here"
        return process

    def _run(self, node: _Node) -> None:
        node.process = ServerProcess(
            java(
                [
                    *LOGGING,
                    "-cp",
                    kafka_class_path(),
                    "kafka.Kafka",
                    str(node.folder / "server.properties"),
                ],
                starts_soon=self._starts_soon,
            ),
            node.log_path,
        )

    def _format(self, node: _Node) -> None:
        node.folder.mkdir(parents=True)
        properties = node.folder / "server.properties"
        lines = (f"{name}={value}" for name, value in self._server_properties(node).items())
        properties.write_text("\n".join(lines) + "\n", encoding="utf-8")
        storage_tool = ["-cp", kafka_class_path(), "kafka.tools.StorageTool", "format"]
        format_it = ["--cluster-id", self.cluster_id, "--config", str(properties)]
        run = subprocess.run(
            java([*storage_tool, *format_it], starts_soon=True),
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (
            f"StorageTool could not format a node:\n{run.stdout}{run.stderr}"
        )

    def _server_properties(self, node: _Node) -> dict[str, str]:
        own = f"PLAINTEXT://127.0.0.1:{node.port},SASL://127.0.0.1:{node.sasl_port}"
        listeners = advertised = own
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT"
        more: dict[str, str] = {}
        for it in self._listeners:
            port, told = node.more_ports[it.name]
            listeners += f",{it.name}://127.0.0.1:{port}"
            advertised += f",{it.name}://127.0.0.1:{told}"
            protocols += f",{it.name}:{it.protocol}"
            prefix = f"listener.name.{it.name.lower()}."
            more |= {prefix + name: value for name, value in it.properties.items()}
        voters = (f"{it.number}@127.0.0.1:{it.controller_port}" for it in self._nodes)
        replication = str(min(3, self.size))
        return {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": advertised,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": protocols,
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": _jaas(SASL_USERS),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "true",
            "log.dirs": str(node.folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": replication,
            "transaction.state.log.replication.factor": replication,
            "transaction.state.log.min.isr": "1",
            # Until its session ends, a node that was killed may not come back (9 s by default).
            "broker.session.timeout.ms": "5000",
            "broker.heartbeat.interval.ms": "500",
            # 50 by default; each is a folder to make at the first use.
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            # Floors of 6 s (classic) and 45 s (KIP-848) would make a test of a dead member slow.
            "group.min.session.timeout.ms": "1000",
            "group.consumer.min.session.timeout.ms": "1000",
            "group.consumer.min.heartbeat.interval.ms": "200",
            "group.consumer.session.timeout.ms": "6000",
            "group.consumer.heartbeat.interval.ms": "500",
            "log.retention.check.interval.ms": "1000",
            # By the records' timestamps, and tests write old ones. A topic may have its own.
            "log.retention.ms": "-1",
            **more,
            **self._properties,
        }


def _jaas(users: Mapping[str, str]) -> str:
    entries = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    return f"org.apache.kafka.common.security.plain.PlainLoginModule required {entries};"
