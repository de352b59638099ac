"""How is a Kafka cluster asked about topics, and told to make some?

The edge of `topics.py`: each call has a time-out, and every failure is a value.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from streamer.dead_letters.client_log import ClientLog
from streamer.dead_letters.client_properties import shared_properties
from streamer.dead_letters.topics import Described, TopicState, WantedTopic
from streamer.errors import Finding, Severity

log = structlog.get_logger()


class KafkaTopicAdmin:
    """Asks by confluent-kafka's admin client; for use in a thread, since every call blocks.

    `timeout_s` bounds each of the three questions and the making of topics.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        kafka_properties: Mapping[str, object],
        timeout_s: float = 5.0,
    ) -> None:
        self._timeout_s = timeout_s
        self._last_error = ""
        # librdkafka's mock cluster names none that exists: each request would wait out its time.
        self._no_controller = False
        config: dict[str, Any] = shared_properties(kafka_properties) | {
            "bootstrap.servers": bootstrap_servers,
            "error_cb": self._on_error,
        }
        self._admin = AdminClient(config, logger=ClientLog("dead-letter-topics"))

    def describe(self, names: Iterable[str]) -> Described | Finding:
        """Which of these exist, their size and limits; a finding where no broker answers."""
        try:
            metadata = self._admin.list_topics(timeout=self._timeout_s)
        except KafkaException as raised:
            return self._no_answer(raised)
        known = metadata.topics
        self._no_controller = metadata.controller_id not in metadata.brokers
        there = [name for name in names if name in known and known[name].error is None]
        asked = [] if self._no_controller else there
        limits, limits_finding = self._limits(asked)
        rights, rights_finding = self._rights(asked)
        topics = {
            name: TopicState(
                partitions=len(known[name].partitions),
                replication=min(
                    (len(p.replicas) for p in known[name].partitions.values()), default=1
                ),
                max_message_bytes=limits.get(name),
                writable=rights.get(name),
            )
            for name in there
        }
        findings = (limits_finding, rights_finding)
        return Described(topics, tuple(f for f in findings if f is not None))

    def create(self, wanted: Sequence[WantedTopic]) -> Mapping[str, str | None]:
        """Makes these topics; by name, None or why not. One that is there already is made."""
        if self._no_controller:
            return {topic.name: "the cluster names no controller" for topic in wanted}
        topics = [
            NewTopic(
                topic.name,
                num_partitions=topic.partitions,
                replication_factor=topic.replication,
                config=dict(topic.config),
            )
            for topic in wanted
        ]
        try:
            futures = self._admin.create_topics(topics, operation_timeout=self._timeout_s)
        except KafkaException as raised:
            return {topic.name: _words(raised) for topic in wanted}
        results: dict[str, str | None] = {}
        for name, future in futures.items():
            _, error = self._result(future)
            exists = error is not None and error.code() == KafkaError.TOPIC_ALREADY_EXISTS
            results[name] = None if error is None or exists else error.str()
            if error is None:
                log.info("dead_letter_topic_created", topic=name)
        return results

    def _limits(self, names: Sequence[str]) -> tuple[dict[str, int], Finding | None]:
        if not names:
            return {}, None
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        try:
            futures = self._admin.describe_configs(resources, request_timeout=self._timeout_s)
        except KafkaException as raised:
            return {}, _not_asked("the topics' max.message.bytes", _words(raised))
        limits: dict[str, int] = {}
        fault: KafkaError | None = None
        for resource, future in futures.items():
            config, error = self._result(future)
            if error is not None:
                fault = error
            elif "max.message.bytes" in config:
                limits[resource.name] = int(config["max.message.bytes"].value)
        if fault is None:
            return limits, None
        return limits, _not_asked("the topics' max.message.bytes", fault.str())

    def _rights(self, names: Sequence[str]) -> tuple[dict[str, bool], Finding | None]:
        if not names:
            return {}, None
        try:
            futures = self._admin.describe_topics(
                TopicCollection(list(names)),
                include_authorized_operations=True,
                request_timeout=self._timeout_s,
            )
        except KafkaException as raised:
            return {}, _not_asked("this user's rights", _words(raised))
        rights: dict[str, bool] = {}
        fault: KafkaError | None = None
        for name, future in futures.items():
            description, error = self._result(future)
            if error is not None:
                fault = error
            elif description.authorized_operations is not None:
                rights[name] = AclOperation.WRITE in description.authorized_operations
        return rights, None if fault is None else _not_asked("this user's rights", fault.str())

    def _result(self, future: "Future[Any]") -> tuple[Any, KafkaError | None]:
        try:
            # The client's own time-out comes first; this one is for a client that does not keep it.
            return future.result(timeout=2 * self._timeout_s), None
        except KafkaException as raised:
            return None, raised.args[0]
        except FutureTimeout:
            return None, KafkaError(KafkaError._TIMED_OUT)

    def _no_answer(self, raised: KafkaException) -> Finding:
        return Finding(
            "kafka",
            f"the brokers did not answer ({self._last_error or _words(raised)})",
            "check kafka.bootstrap_servers and the security settings in kafka.properties",
        )

    def _on_error(self, error: KafkaError) -> None:
        self._last_error = error.str()


def _words(raised: KafkaException) -> str:
    cause = raised.args[0]
    return cause.str() if isinstance(cause, KafkaError) else str(cause)


def _not_asked(what: str, fault: str) -> Finding:
    return Finding(
        "kafka",
        f"{what} could not be asked for ({fault})",
        "give this user the right to describe topics and their configuration, or compare the dead"
        " letter topics with their sources by hand",
        Severity.WARNING,
    )
