"""How are records read from a topic without joining a group, from any place, in portions?

A consumer that is assigned by hand: it commits nothing and takes part in nothing. Every method
blocks and is for a worker thread, one at a time; `close` waits for the one that is still in there.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from threading import RLock
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from msgspec import Struct

from streamer.dead_letters.client_log import ClientLog
from streamer.dead_letters.stop import Stop
from streamer.errors import StreamerError
from streamer.model import Generation, Message, Owned, Partition
from streamer.source.messages import read_message
from streamer.source.properties import client_properties

ANSWER_S = 10.0
"""How long the brokers may take to answer a question."""
SILENT_S = 30.0
"""How long nothing may come of a partition that has more, before that is an error."""
ANEW_S = (3.0, 9.0, 27.0)
"""After so long without a message a partition is begun anew, from what was not read yet."""
OUT_OF_RANGE = frozenset({"_AUTO_OFFSET_RESET", "_LOG_TRUNCATION", "OFFSET_OUT_OF_RANGE"})
"""The client's names for an offset that the broker does not have."""
_AT_ONCE = 500
# Ahead of what is asked for, so that a portion in the middle of a topic fetches little in vain.
_SEEKS = 500
_SEEK_AGAIN_S = 0.02
_AHEAD = {
    "queued.min.messages": "5000",
    "queued.max.messages.kbytes": "16384",
    "fetch.queue.backoff.ms": "10",
    "fetch.wait.max.ms": "50",
}


class Span(Struct, frozen=True):
    """Offsets of one partition, from the first to before the end."""

    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)


class ReadFailed(StreamerError):
    """Kafka did not answer, or refused us: says what and what to do."""


class TopicReader:
    """One consumer, connected when it is asked first."""

    def __init__(
        self,
        bootstrap_servers: str,
        kafka_properties: Mapping[str, str],
        group_id: str,
        stop: Stop | None = None,
    ) -> None:
        """`group_id` is a name that the client asks for; the group is not joined. Once `stop` was
        asked to, reading ends with `Stopped`."""
        self._stop = stop or Stop()
        properties = {
            name: value
            for name, value in kafka_properties.items()
            if name not in ("group.instance.id", "statistics.interval.ms")
        }
        config: dict[str, Any] = client_properties(bootstrap_servers, group_id, properties)
        config |= _AHEAD | {"statistics.interval.ms": 0, "error_cb": self._failed}
        self._servers = bootstrap_servers
        self._last_error = ""
        self._assigned: set[Partition] = set()
        self._reading: Partition | None = None
        self._in_use = RLock()
        self._consumer = Consumer(config, logger=ClientLog("topic-reader"))
        self.cluster_id = ""
        """Known once `topics` has answered."""

    def _failed(self, error: KafkaError) -> None:
        self._last_error = str(error.str())

    def close(self) -> None:
        with self._in_use:
            self._consumer.close()

    def topics(self) -> dict[str, int]:
        """All topics that this user may see, with their numbers of partitions."""
        try:
            answer = self._consumer.list_topics(timeout=ANSWER_S)
        except KafkaException as raised:
            raise self._no_answer(raised.args[0]) from None
        self.cluster_id = str(answer.cluster_id or "")
        return {
            name: len(topic.partitions)
            for name, topic in answer.topics.items()
            if topic.error is None
        }

    def span(self, partition: Partition) -> Span:
        """What can be read of the partition now."""
        try:
            with self._in_use:
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(*partition), timeout=ANSWER_S
                )
        except (KafkaException, TypeError) as raised:
            error = raised.args[0] if isinstance(raised, KafkaException) else None
            raise self._no_answer(error) from None
        return Span(low, high)

    def at(self, moments_ms: Mapping[Partition, int]) -> dict[Partition, int]:
        """The offset of the first record at or after each moment; the end where there is none."""
        asked = [TopicPartition(*partition, ms) for partition, ms in moments_ms.items()]
        try:
            answers = self._consumer.offsets_for_times(asked, timeout=ANSWER_S) if asked else []
        except KafkaException as raised:
            raise self._no_answer(raised.args[0]) from None
        found = {}
        for answer in answers:
            partition = Partition(answer.topic, answer.partition)
            if answer.error is not None:
                raise self._no_answer(answer.error)
            found[partition] = answer.offset if answer.offset >= 0 else self.span(partition).end
        return found

    def read(self, partition: Partition, span: Span) -> Iterator[list[Message]]:
        """The records of the span in their order, some at a time."""
        if not len(span):
            return
        owned = Owned(partition, Generation(0))
        self._go_to(partition, span.start)
        silent_since, begun_anew = time.monotonic(), 0
        while True:
            self._stop.look()
            messages, is_done = self._messages(self._some(), owned, span)
            if messages:
                span = Span(messages[-1].offset + 1, span.end)
                yield messages
                silent_since, begun_anew = time.monotonic(), 0
            if is_done:
                return
            silent_s = time.monotonic() - silent_since
            if silent_s >= SILENT_S:
                raise self._no_answer(None)
            if begun_anew < len(ANEW_S) and silent_s >= ANEW_S[begun_anew]:
                begun_anew += 1
                self._begin_anew(partition, span)

    def _go_to(self, partition: Partition, offset: int) -> None:
        """Read on from there, and of no other partition.

        All that were read stay assigned, paused: an assignment waits for the client's next look,
        which may be a second later, and a seek does not.
        """
        with self._in_use:
            self._seek(partition, offset)

    def _seek(self, partition: Partition, offset: int) -> None:
        there = TopicPartition(*partition, offset)
        if self._reading is not None and self._reading != partition:
            self._consumer.pause([TopicPartition(*self._reading)])
        self._reading = partition
        if partition not in self._assigned:
            self._assigned.add(partition)
            # At the very offset: what the broker says of another one (that it was deleted) may
            # come after the seek, and then end the reading without a word.
            self._consumer.incremental_assign([there])
            self._consumer.pause([there])
        for _ in range(_SEEKS):
            try:
                self._consumer.seek(there)
                self._consumer.resume([there])
                self._consumer.seek(there)
                break
            except KafkaException:
                # Not ready yet: it was assigned just now.
                self._consumer.poll(_SEEK_AGAIN_S)
        else:
            raise self._no_answer(None)
        if not offset:
            # A seek to 0 wakes nobody either; a question to the partition's leader does.
            with suppress(KafkaException):
                self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=ANSWER_S)

    def _begin_anew(self, partition: Partition, span: Span) -> None:
        there = self.span(partition)
        if there.end < span.end:
            raise ReadFailed(
                f"{partition} ends at {there.end} now, and {span.start} to {span.end} was to be"
                " read: its topic was made anew, or its end was lost with a broker; run the command"
                " again"
            )
        with self._in_use:
            self._assigned.remove(partition)
            self._consumer.incremental_unassign([TopicPartition(*partition)])
        self._go_to(partition, max(there.start, span.start))

    def _some(self) -> Sequence[KafkaMessage]:
        with self._in_use:
            return self._polled()

    def _polled(self) -> Sequence[KafkaMessage]:
        try:
            first = self._consumer.poll(1.0)
            return [] if first is None else [first, *self._consumer.consume(_AT_ONCE - 1, 0)]
        except KafkaException as raised:
            raise self._no_answer(raised.args[0]) from None

    def _messages(
        self, raws: Sequence[KafkaMessage], owned: Owned, span: Span
    ) -> tuple[list[Message], bool]:
        """Those of the span; and whether it was read to its end."""
        messages: list[Message] = []
        is_done = False
        for raw in raws:
            error = raw.error()
            if (raw.topic(), raw.partition()) != owned.partition and raw.topic() is not None:
                continue  # left over of another that was read before
            if error is None:
                offset = raw.offset() or 0
                if span.start <= offset < span.end:
                    messages.append(read_message(cast(Any, raw), owned))
                is_done = is_done or offset >= span.end - 1
            elif error.code() == KafkaError._PARTITION_EOF:
                is_done = True
            elif error.name() in OUT_OF_RANGE:
                # Retention deleted the beginning of the span meanwhile.
                if self.span(owned.partition).start >= span.end:
                    return messages, True
                self._begin_anew(owned.partition, span)
            elif not error.retriable():
                raise self._no_answer(error)
        return messages, is_done

    def _no_answer(self, error: KafkaError | None) -> ReadFailed:
        cause = str(error.str()) if error is not None else ""
        more = f"; last error: {self._last_error}" if self._last_error not in ("", cause) else ""
        return ReadFailed(
            f"Kafka at {self._servers} did not answer ({cause or 'nothing came'}{more}); see"
            " whether kafka.bootstrap_servers is right, the brokers can be reached, and this user"
            " may read the topic"
        )
