"""Which topic a name means, as far as the brokers tell."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import TopicDescription
from structlog.testing import capture_logs

from streamer.source.topic_ids import ASK_AGAIN_S, UNANSWERED_MOST, TopicIds, topic_digest

FIRST, SECOND, NONE = Uuid(1, 2), Uuid(1, 3), Uuid(0, 0)
DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED
UNSUPPORTED = KafkaError.UNSUPPORTED_VERSION
AWAY = KafkaError._TIMED_OUT


class Admin:
    """In the place of the admin client."""

    def __init__(self) -> None:
        self.says: dict[str, Uuid | int] = {}
        """An id or an error's code; a topic that is not in it does not exist."""
        self.asked = 0
        self.fails: int | None = None

    def poll(self, timeout: float, /) -> int:
        return 0

    def describe_topics(
        self, topics: TopicCollection, *, request_timeout: float
    ) -> Mapping[str, "Future[TopicDescription]"]:
        self.asked += 1
        if self.fails is not None:
            raise KafkaException(KafkaError(self.fails))
        return {topic: self._answer(topic) for topic in topics.topic_names}

    def _answer(self, topic: str) -> "Future[TopicDescription]":
        future: Future[Any] = Future()
        said = self.says.get(topic, KafkaError.UNKNOWN_TOPIC_OR_PART)
        if isinstance(said, Uuid):
            future.set_result(TopicDescription(topic, said, False, []))
        else:
            future.set_exception(KafkaException(KafkaError(said)))
        return future


class Case:
    def __init__(self, **says: Uuid | int) -> None:
        self.admin = Admin()
        self.admin.says = dict(says)
        self.names_controller = True
        self.now = 100.0
        self.ids = TopicIds(
            lambda: self.admin, lambda: self.names_controller, 1.0, lambda: self.now
        )


def test_a_topic_that_is_made_again_has_another_digest_and_each_process_the_same() -> None:
    case = Case(a=FIRST, b=SECOND)

    assert case.ids.ask(["a", "b"]) == {"a": topic_digest(FIRST), "b": topic_digest(SECOND)}
    assert topic_digest(FIRST) == 0x11506CBB7598BBB1
    assert topic_digest(FIRST) != topic_digest(SECOND)


def test_nobody_is_asked_about_no_topic() -> None:
    case = Case()

    assert case.ids.ask([]) == {}
    assert case.admin.asked == 0


def test_a_topic_that_is_not_there_has_to_be_asked_for_again() -> None:
    assert Case(a=FIRST).ids.ask(["a", "gone"]) == {"a": topic_digest(FIRST)}


@pytest.mark.parametrize(
    ("says", "level"),
    [(DENIED, "warning"), (NONE, "info"), (UNSUPPORTED, "info")],
)
def test_where_no_id_is_to_be_had_that_is_said_once(says: Uuid | int, level: str) -> None:
    case = Case(a=says)

    with capture_logs() as logs:
        assert [case.ids.ask(["a"]) for _ in range(9)] == [{"a": None}] * 9

    assert [(it["event"], it["log_level"]) for it in logs] == [("topic_ids_unknown", level)]


def test_a_cluster_that_names_no_controller_is_not_asked() -> None:
    case = Case(a=FIRST)
    case.names_controller = False

    assert case.ids.ask(["a"]) == {"a": None}
    assert case.admin.asked == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_brokers_that_do_not_answer_are_waited_for_a_while_and_then_asked_seldom(
    at_once: bool,
) -> None:
    case = Case(a=AWAY)
    case.admin.fails = AWAY if at_once else None
    with capture_logs() as logs:
        unanswered = [case.ids.ask(["a"]) for _ in range(UNANSWERED_MOST)]
        case.ids.ask(["a"])

    assert unanswered == [*[{}] * (UNANSWERED_MOST - 1), {"a": None}]
    assert case.admin.asked == UNANSWERED_MOST
    assert [it["log_level"] for it in logs] == ["warning"]

    case.admin.fails = None
    case.admin.says["a"] = FIRST
    case.now += ASK_AGAIN_S
    assert case.ids.ask(["a"]) == {"a": topic_digest(FIRST)}
    case.admin.says["a"] = AWAY
    assert case.ids.ask(["a"]) == {}, "it is waited for again"


def test_what_is_answered_counts_though_something_else_is_not() -> None:
    case = Case(a=FIRST, b=AWAY)

    assert case.ids.ask(["a", "b"]) == {"a": topic_digest(FIRST)}
