"""When is it said that the cluster does not answer?"""

from confluent_kafka import KafkaError

from streamer.source.client import Cluster
from streamer.source.following import SILENT_AFTER, Following
from streamer.source.topics import Subscription
from streamer.source.troubles import Troubles

SILENCE = KafkaError(KafkaError._TRANSPORT)
ANSWER = Cluster("a-cluster", {"orders": 1})


class Client:
    def __init__(self) -> None:
        self.answer: Cluster | KafkaError = ANSWER

    def cluster(self) -> Cluster | KafkaError:
        return self.answer


def test_a_cluster_is_silent_after_some_questions_in_a_row_and_no_more_once_it_answers() -> None:
    client = Client()
    following = Following(
        client,  # type: ignore[arg-type]  # all that is asked of it
        Subscription(("orders",), lambda topic: False),
        lambda topics: None,
        Troubles("localhost:9092", lambda: 0.0),
        refresh_s=30.0,
    )
    now = 0.0

    def turn() -> bool:
        nonlocal now
        now += 30.0
        following.turn(now)
        return following.is_silent

    assert not turn()
    client.answer = SILENCE
    assert [turn() for _ in range(SILENT_AFTER)] == [False] * (SILENT_AFTER - 1) + [True]
    client.answer = ANSWER
    assert not turn()
