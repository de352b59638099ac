"""What does the poll thread ask of the Kafka client, and what may it answer?

Every question has a bounded time-out and an answer that says if there was none. Only the poll
thread may call this: the binding lets one thread into a consumer at a time, and makes another wait
until `poll` returns.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from msgspec import Struct

from streamer.model import Partition, Position
from streamer.source.commit_metadata import read
from streamer.source.commits import Answered
from streamer.source.handover import CommitPlan
from streamer.source.start import EARLIEST_MS, Committed

UNANSWERED_MOST = 5
"""Each takes the whole time-out, in which the poll thread does not turn: a broker that is away
must not make it look stuck for a minute because it leads a hundred partitions."""


class Cluster(Struct, frozen=True):
    """A complete answer about the cluster."""

    id: str
    topics: Mapping[str, int]
    """All topics that this user may see, with their number of partitions."""
    names_controller: bool = True
    """librdkafka's mock cluster names none that exists."""


class Client:
    """Questions to one consumer."""

    def __init__(
        self,
        consumer: Consumer,
        answer_timeout_s: float,
        failed: Callable[[KafkaError], None],
    ) -> None:
        """`failed` takes what a broker refuses, for a person to hear of."""
        self.consumer = consumer
        self._failed = failed
        self._timeout_s = answer_timeout_s

    def cluster(self) -> Cluster | KafkaError:
        """The cluster's id and all its topics."""
        try:
            answer = self.consumer.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            return cause(error)
        topics = {
            name: len(topic.partitions)
            for name, topic in answer.topics.items()
            if topic.error is None
        }
        return Cluster(answer.cluster_id, topics, answer.controller_id in answer.brokers)

    def committed(
        self, partitions: Sequence[Partition], cluster_id: str
    ) -> dict[Partition, Committed] | KafkaError:
        """What the group has committed for those of the partitions that the broker answered."""
        asked = [TopicPartition(*partition) for partition in partitions]
        try:
            answers = self.consumer.committed(asked, timeout=self._timeout_s)
        except KafkaException as error:
            self._failed(cause(error))
            return cause(error)
        found = {}
        for answer in answers:
            if answer.error is not None:
                self._failed(answer.error)
                continue
            partition = Partition(answer.topic, answer.partition)
            if answer.offset < 0:
                found[partition] = Committed(partition, None)
            else:
                position = Position(answer.offset)
                metadata = read(answer.metadata, position, cluster_id, partition)
                found[partition] = Committed(partition, position, metadata)
        return found

    def submit(self, plans: Sequence[CommitPlan]) -> str | None:
        """Send a commit; librdkafka's name of the error if it cannot be sent."""
        try:
            self.consumer.commit(offsets=[_offset_of(plan) for plan in plans], asynchronous=True)
        except KafkaException as error:
            return cause(error).name()
        return None

    def shown(self, plans: Sequence[CommitPlan], timeout_s: float) -> Collection[Partition]:
        """Partitions of which the broker has exactly what the plans say.

        The broker answers the requests of a connection in order, so that this is the end of the
        commits sent before.
        """
        asked = [TopicPartition(*plan.owned.partition) for plan in plans]
        wanted = {plan.owned.partition: (plan.position, plan.metadata) for plan in plans}
        try:
            answers = self.consumer.committed(asked, timeout=timeout_s) if asked else []
        except KafkaException:
            return ()
        return {
            partition
            for answer in answers
            if answer.error is None
            and wanted[partition := Partition(answer.topic, answer.partition)]
            == (answer.offset, answer.metadata or "")
        }

    def marks(self, partition: Partition) -> tuple[Position, Position] | None:
        """The first position that can be read and the one at the end; None: no answer."""
        try:
            marks = self.consumer.get_watermark_offsets(
                TopicPartition(*partition), timeout=self._timeout_s
            )
        except KafkaException as error:
            self._failed(cause(error))
            return None
        return Position(marks[0]), Position(marks[1])

    def position_at(self, moments_ms: Mapping[Partition, int]) -> dict[Partition, Position]:
        """The position of the first message at or after each moment, where there was an answer.

        Gives up after `UNANSWERED_MOST` partitions whose leader does not answer.
        """
        # The ends are asked for before: a message that comes in between is not passed over.
        marks: dict[Partition, tuple[Position, Position]] = {}
        unanswered = 0
        for partition in moments_ms:
            both = self.marks(partition)
            if both is not None:
                marks[partition] = both
                continue
            unanswered += 1
            if unanswered == UNANSWERED_MOST:
                break
        found = {p: marks[p][0] for p in marks if moments_ms[p] == EARLIEST_MS}
        asked = [TopicPartition(*p, moments_ms[p]) for p in marks if p not in found]
        try:
            answers = (
                self.consumer.offsets_for_times(asked, timeout=self._timeout_s) if asked else []
            )
        except KafkaException:
            return found
        for answer in answers:
            partition = Partition(answer.topic, answer.partition)
            if answer.error is None:
                low, high = marks[partition]
                found[partition] = max(low, Position(answer.offset)) if answer.offset >= 0 else high
        return found

    def hold(self, partitions: Sequence[Partition]) -> None:
        """Own these without reading anything of them yet."""
        # A plain number, so that librdkafka has no position of its own to ask the broker for.
        self.consumer.incremental_assign(
            [TopicPartition(*partition, 0) for partition in partitions]
        )
        self.pause(partitions)

    def hold_again(self, partition: Partition) -> None:
        """Read no more of a partition until `read_from`."""
        self.consumer.incremental_unassign([TopicPartition(*partition)])
        self.hold([partition])

    def read_from(self, partition: Partition, position: Position) -> bool:
        """Begin to read a partition that is held; False if it is not ready for that."""
        there = TopicPartition(*partition, position)
        try:
            self.consumer.seek(there)
            self.consumer.resume([there])
        except KafkaException:
            return False
        # Resuming wakes nobody: without another seek it is fetched up to a second later. Where it
        # was fetched already and ended with an error, that error comes as a message.
        with suppress(KafkaException):
            self.consumer.seek(there)
        if not position:
            # A seek to 0 does not wake either; a question to the partition's leader does.
            self.marks(partition)
        return True

    def read_again_from(self, partition: Partition, position: Position) -> None:
        """Read a partition whose reading has ended with an error. It cannot be sought then."""
        self.consumer.incremental_unassign([TopicPartition(*partition)])
        self.consumer.incremental_assign([TopicPartition(*partition, position)])

    def pause(self, partitions: Sequence[Partition]) -> None:
        if partitions:
            self.consumer.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Go on with paused partitions, each after the last message that was consumed of it."""
        if not partitions:
            return
        positions = self.consumer.position([TopicPartition(*partition) for partition in partitions])
        self.consumer.resume(positions)
        for position in positions:
            # It would be fetched from there anyway, but up to a second later.
            if position.offset >= 0:
                with suppress(KafkaException):
                    self.consumer.seek(position)


def cause(error: KafkaException) -> KafkaError:
    """What an exception of the client says."""
    return cast(KafkaError, error.args[0])


def answers_of(error: KafkaError | None, parts: Sequence[TopicPartition]) -> list[Answered]:
    """The answers of one commit's callback. An error of the whole is one of each partition."""
    answers = []
    for part in parts:
        failure = part.error or error
        code = None if failure is None else failure.name()
        answers.append(Answered(Partition(part.topic, part.partition), part.offset, code))
    return answers


def _offset_of(plan: CommitPlan) -> TopicPartition:
    return TopicPartition(*plan.owned.partition, plan.position, metadata=plan.metadata)
