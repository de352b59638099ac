"""What stands in the place of the Kafka client, with a broker that answers or does not."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from confluent_kafka import KafkaError

from streamer.model import Partition, Position
from streamer.source.client import Client, Cluster
from streamer.source.commit_metadata import read
from streamer.source.handover import CommitPlan
from streamer.source.start import Committed
from streamer.source.topic_ids import TopicIds

CLUSTER = "cluster-1"
NO_ANSWER = KafkaError(KafkaError._TIMED_OUT)


class FakeClient:
    """A broker's offsets, with switches for what goes wrong."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.topics = dict(topics)
        self.offsets: dict[Partition, tuple[Position, str]] = {}
        self.ends: dict[Partition, tuple[Position, Position]] = {}
        self.answers = True
        self.takes_commits = True
        self.silent: set[Partition] = set()
        self.not_ready: set[Partition] = set()
        self.reading: dict[Partition, Position] = {}
        self.paused: set[Partition] = set()
        self.calls: list[str] = []
        self.asked_moments: dict[Partition, int] = {}
        self.consumer = self
        self.while_waiting: Callable[[], None] = lambda: None
        self.ids: dict[str, int | None] = dict.fromkeys(topics)
        """Digests of topics' ids; a topic that is not in it is not answered."""

    def cast(self) -> Client:
        return cast(Client, self)

    def topic_ids(self) -> TopicIds:
        return cast(TopicIds, self)

    def ask(self, topics: Collection[str]) -> dict[str, int | None]:
        """In the place of `TopicIds`."""
        self.calls.append("ids")
        return {topic: self.ids[topic] for topic in topics if topic in self.ids}

    def cluster(self) -> Cluster | KafkaError:
        return Cluster(CLUSTER, self.topics) if self.answers else NO_ANSWER

    def committed(
        self, partitions: Sequence[Partition], cluster_id: str
    ) -> dict[Partition, Committed] | KafkaError:
        self.calls.append("committed")
        if not self.answers:
            return NO_ANSWER
        found = {}
        for partition in partitions:
            if partition in self.silent:
                continue
            position, text = self.offsets.get(partition, (None, ""))
            metadata = read(text, position or Position(0), cluster_id, partition)
            found[partition] = Committed(partition, position, metadata)
        return found

    def submit(self, plans: Sequence[CommitPlan]) -> str | None:
        self.calls.append("commit")
        if self.takes_commits:
            for plan in plans:
                self.offsets[plan.owned.partition] = (plan.position, plan.metadata)
        return None

    def shown(self, plans: Sequence[CommitPlan], timeout_s: float) -> Collection[Partition]:
        self.calls.append("shown")
        return {
            plan.owned.partition
            for plan in plans
            if self.answers
            and self.offsets.get(plan.owned.partition) == (plan.position, plan.metadata)
        }

    def marks(self, partition: Partition) -> tuple[Position, Position] | None:
        return self.ends.get(partition, (Position(0), Position(100))) if self.answers else None

    def position_at(self, moments_ms: Mapping[Partition, int]) -> dict[Partition, Position]:
        self.asked_moments.update(moments_ms)
        return {p: Position(50) for p in moments_ms if self.answers and p not in self.silent}

    def hold(self, partitions: Sequence[Partition]) -> None:
        self.calls.append("hold")

    def hold_again(self, partition: Partition) -> None:
        self.calls.append("hold again")
        self.reading.pop(partition, None)

    def read_from(self, partition: Partition, position: Position) -> bool:
        if partition in self.not_ready:
            return False
        self.calls.append("read")
        self.reading[partition] = position
        return True

    def read_again_from(self, partition: Partition, position: Position) -> None:
        self.reading[partition] = position

    def pause(self, partitions: Sequence[Partition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        self.paused.difference_update(partitions)

    def incremental_unassign(self, parts: object) -> None:
        self.calls.append("unassign")
