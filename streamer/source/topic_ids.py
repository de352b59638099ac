"""Which topic does a name mean now?

A topic that is deleted and made again has its name and offsets again, and another id. The consumer
of the client's binding tells no ids; its admin client does (`describe_topics`).
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from hashlib import blake2b
from typing import Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import TopicDescription

log = structlog.get_logger()

UNANSWERED_MOST = 3
"""Questions without an answer, one after the other, after which reading goes on without ids."""
ASK_AGAIN_S = 30.0
"""Until the next question then: each takes the poll thread its whole time-out."""

_NO_ID = "A" * 22  # 16 bytes of zero, as Kafka writes ids
_DENIED = {"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"}
_NOT_KNOWN = {"UNSUPPORTED_VERSION", "_UNSUPPORTED_FEATURE"}
_OTHERWISE = (
    "until then a topic that is deleted and made again is known as another one only where the"
    " broker no longer has the position: stop all processes before you delete a topic"
)


class Describes(Protocol):
    """What is used of the admin client."""

    def poll(self, timeout: float, /) -> int: ...

    def describe_topics(
        self, topics: TopicCollection, *, request_timeout: float
    ) -> Mapping[str, "Future[TopicDescription]"]: ...


def topic_digest(topic_id: Uuid) -> int | None:
    """64 bits that name a topic, the same in every process; None for the id that is none."""
    text = str(topic_id)
    if text == _NO_ID:
        return None
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class TopicIds:
    """Asks the brokers. Used by the poll thread alone."""

    def __init__(
        self,
        connect: Callable[[], Describes],
        names_controller: Callable[[], bool],
        timeout_s: float,
        now: Callable[[], float],
    ) -> None:
        """`connect` makes an admin client, once it is needed. `names_controller`: whether the
        cluster names one, for which the admin client otherwise waits in vain."""
        self._connect = connect
        self._names_controller = names_controller
        self._timeout_s = timeout_s
        self._now = now
        self._client: Describes | None = None
        self._unanswered = 0
        self._ask_at = 0.0
        self._said: set[str] = set()

    def ask(self, topics: Collection[str]) -> dict[str, int | None]:
        """The digest of each topic's id; None where there is none to be had. A topic that is not
        in it has to be asked for again. Blocks for the time-out, or twice that at most."""
        nothing: dict[str, int | None] = dict.fromkeys(topics)
        if not topics or self._now() < self._ask_at:
            return nothing
        if not self._names_controller():
            self._say_none("the cluster names no controller")
            return nothing
        found: dict[str, int | None] = {}
        fault: KafkaError | None = None
        for topic, answer in self._answers(topics).items():
            if not isinstance(answer, KafkaError):
                found[topic] = topic_digest(answer.topic_id)
                if found[topic] is None:
                    self._say_none("the brokers tell no ids of topics")
            elif answer.name() in _DENIED:
                self._say_denied(topic)
                found[topic] = None
            elif answer.name() in _NOT_KNOWN:
                self._say_none("the brokers do not know the question for a topic's id")
                found[topic] = None
            elif answer.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                fault = answer
        if fault is None:
            self._unanswered = 0
            return found
        return {**nothing, **found} if self._is_silent(fault) else found

    def _answers(self, topics: Collection[str]) -> dict[str, TopicDescription | KafkaError]:
        try:
            self._client = self._client or self._connect()
            # Where the login is by tokens, they are asked for in here.
            self._client.poll(0)
            futures = self._client.describe_topics(
                TopicCollection(sorted(topics)), request_timeout=self._timeout_s
            )
        except KafkaException as error:
            return dict.fromkeys(topics, _error_of(error))
        # The client's own time-out comes first; this one is for a client that keeps it not.
        deadline = self._now() + 2 * self._timeout_s
        return {topic: self._result(future, deadline) for topic, future in futures.items()}

    def _result(
        self, future: "Future[TopicDescription]", deadline: float
    ) -> TopicDescription | KafkaError:
        try:
            return future.result(timeout=max(0.0, deadline - self._now()))
        except KafkaException as error:
            return _error_of(error)
        except FutureTimeout:
            return KafkaError(KafkaError._TIMED_OUT)

    def _is_silent(self, fault: KafkaError) -> bool:
        self._unanswered += 1
        if self._unanswered < UNANSWERED_MOST:
            return False
        self._ask_at = self._now() + ASK_AGAIN_S
        if self._unanswered == UNANSWERED_MOST:
            log.warning(
                "topic_ids_unknown",
                found=f"the brokers do not answer the question for topics' ids ({fault.str()})",
                do=f"nothing if they are away: it is asked again every {ASK_AGAIN_S:g} s;"
                f" {_OTHERWISE}",
            )
        return True

    def _say_none(self, found: str) -> None:
        if found not in self._said:
            self._said.add(found)
            log.info("topic_ids_unknown", found=found, do=_OTHERWISE.removeprefix("until then "))

    def _say_denied(self, topic: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            log.warning(
                "topic_ids_unknown",
                found=f"this user may not describe topic {topic}",
                do=f"give it the right Describe on the topics of `routes`; {_OTHERWISE}",
            )


def _error_of(error: KafkaException) -> KafkaError:
    cause = error.args[0]
    return cause if isinstance(cause, KafkaError) else KafkaError(KafkaError._FAIL, str(cause))
