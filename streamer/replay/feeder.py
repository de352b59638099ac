"""How do the records to replay come, so that each partition has one replayer?

A consumer in the group `<group_id>.dead-letters`, in a thread of its own that always polls. Each
partition is read from the start of its span to its end, whatever the group has committed: what was
replayed is told by marks, and nothing is committed here. The event loop is given facts in their
order, and a partition that goes is waited for, as in `source/rebalances.py`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Protocol, cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from streamer.dead_letters.client_log import ClientLog
from streamer.dead_letters.reader import OUT_OF_RANGE, Span
from streamer.model import Generation, Message, Owned, Partition
from streamer.source.messages import read_message
from streamer.source.properties import client_properties

log = structlog.get_logger()

AHEAD_MESSAGES = 2_000
AHEAD_BYTES = 32 * 1024 * 1024
"""Handed over and not settled yet, before reading pauses: the letters of an instance that is held
fill it, and those of others behind them wait. Whoever replays can leave it out (`--instance`)."""
_AT_ONCE = 500
_IDLE_S = 0.1
_MARKS_S = 5.0
"""How long a question for a partition's first offset may take."""


class FeedSink(Protocol):
    """The event loop's side; called in the loop, in the order of the facts."""

    def assigned(self, owned: Sequence[Owned]) -> None: ...

    def read(self, messages: Sequence[Message]) -> None: ...

    def ended(self, owned: Owned) -> None:
        """Everything of its span was handed over."""

    def revoking(self, owned: Sequence[Owned], finished: Callable[[], None]) -> None:
        """`finished` is called once nothing of theirs is under way any more."""

    def gone(self, owned: Sequence[Owned], lost: bool) -> None: ...

    def broken(self, why: str) -> None:
        """Reading has ended for good."""


class Feeder:
    """All but `run` and what it calls is for the event loop."""

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        properties: Mapping[str, str],
        spans: Mapping[Partition, Span],
        sink: FeedSink,
        tell: Callable[..., None],
        revoke_timeout_s: float,
    ) -> None:
        """`spans`: what to read; of a partition that is not named, nothing. `tell(method,
        *arguments)` calls a method of the sink in the event loop."""
        mine = {name: it for name, it in properties.items() if name != "group.instance.id"}
        config: dict[str, Any] = client_properties(bootstrap_servers, group_id, mine)
        self._consumer = Consumer(
            config | {"statistics.interval.ms": 0, "error_cb": self._failed},
            logger=ClientLog("replay"),
        )
        self._spans = spans
        self._sink = sink
        self._tell = tell
        self._revoke_timeout_s = revoke_timeout_s
        self._generations = count(1)
        self._owned: dict[Partition, Owned] = {}
        self._done: set[Partition] = set()
        self._paused = False
        self._handed = self._handed_bytes = 0
        self._settled = self._settled_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="replay-feed", daemon=True)
        self.last_error = ""
        """The client's words, for a person who waits."""

    # --- for the event loop ---------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def settled(self, messages: int, size: int) -> None:
        """So much less is held."""
        self._settled += messages
        self._settled_bytes += size

    def stop(self) -> None:
        """Read no more, leave the group; returns at once."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Blocks until the group is left; False if that takes longer."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- in the thread --------------------------------------------------------------------------

    def run(self) -> None:
        topics = sorted({partition.topic for partition in self._spans})
        try:
            self._consumer.subscribe(
                topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )
            while not self._stopping.is_set():
                self._turn()
        except Exception as error:
            log.error("replay_feed_failed", error=type(error).__name__, why=str(error))
            self._tell(self._sink.broken, f"reading ended ({type(error).__name__}: {error})")
        finally:
            self._stopping.set()
            self._consumer.close()

    def _turn(self) -> None:
        self._pause_or_go_on()
        first = self._consumer.poll(_IDLE_S)
        if first is None:
            return
        more = [] if self._paused else self._consumer.consume(_AT_ONCE - 1, 0)
        self._hand_over([first, *more])

    def _pause_or_go_on(self) -> None:
        ahead, size = self._handed - self._settled, self._handed_bytes - self._settled_bytes
        is_full = ahead >= AHEAD_MESSAGES or size >= AHEAD_BYTES
        if is_full == self._paused:
            return
        self._paused = is_full
        parts = [TopicPartition(*it) for it in self._owned if it not in self._done]
        if not parts:
            return
        if is_full:
            self._consumer.pause(parts)
            return
        # What was prefetched was thrown away: a seek fetches again at once.
        positions = self._consumer.position(parts)
        self._consumer.resume(parts)
        for position in positions:
            if position.offset >= 0:
                self._consumer.seek(position)

    def _hand_over(self, raws: Sequence[KafkaMessage]) -> None:
        messages: list[Message] = []
        ended: list[Partition] = []
        for raw in raws:
            partition = Partition(raw.topic() or "", raw.partition() or 0)
            owned = self._owned.get(partition)
            error = raw.error()
            if error is not None:
                self._error(error, partition, ended)
            elif owned is not None and partition not in self._done:
                end = self._spans[partition].end
                if (raw.offset() or 0) < end:
                    messages.append(read_message(cast(Any, raw), owned))
                if (raw.offset() or 0) >= end - 1:
                    ended.append(partition)
        if messages:
            self._handed += len(messages)
            self._handed_bytes += sum(message.size for message in messages)
            self._tell(self._sink.read, messages)
        for partition in ended:
            self._end(partition)

    def _error(self, error: KafkaError, partition: Partition, ended: list[Partition]) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            ended.append(partition)
        elif error.name() in OUT_OF_RANGE and partition in self._owned:
            # Retention deleted the beginning of the span since it was asked for.
            part = TopicPartition(*partition)
            low, _ = self._consumer.get_watermark_offsets(part, timeout=_MARKS_S)
            if low >= self._spans[partition].end:
                ended.append(partition)
                return
            self._consumer.incremental_unassign([part])
            self._consumer.incremental_assign([TopicPartition(*partition, low)])
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._failed(error)

    def _end(self, partition: Partition) -> None:
        owned = self._owned.get(partition)
        if owned is None or partition in self._done:
            return
        self._done.add(partition)
        self._consumer.pause([TopicPartition(*partition)])
        self._tell(self._sink.ended, owned)

    def _failed(self, error: KafkaError) -> None:
        text = str(error.str())
        if text != self.last_error:
            # The client repeats itself every second while a broker is away.
            log.warning("kafka_trouble", why=text)
        self.last_error = text

    # --- callbacks, out of `poll` -----------------------------------------------------------------

    def _assigned(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        starts = []
        owned = []
        for part in parts:
            partition = Partition(part.topic, part.partition)
            span = self._spans.get(partition, Span(0, 0))
            starts.append(TopicPartition(*partition, span.start))
            self._owned[partition] = Owned(partition, Generation(next(self._generations)))
            self._done.discard(partition)
            owned.append(self._owned[partition])
        consumer.incremental_assign(starts)
        if starts and self._paused:
            consumer.pause(starts)
        elif starts:
            # The client keeps the pause of a partition that was here before.
            consumer.resume(starts)
        self._tell(self._sink.assigned, owned)
        for one in owned:
            if not len(self._spans.get(one.partition, Span(0, 0))):
                self._end(one.partition)

    def _revoked(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        owned = self._let_go(parts)
        if self._stopping.is_set():
            consumer.incremental_unassign(parts)
            return
        if owned:
            finished = threading.Event()
            self._tell(self._sink.revoking, owned, finished.set)
            finished.wait(self._revoke_timeout_s)
        consumer.incremental_unassign(parts)
        if owned:
            self._tell(self._sink.gone, owned, False)

    def _lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        owned = self._let_go(parts)
        consumer.incremental_unassign(parts)
        if owned:
            self._tell(self._sink.gone, owned, True)

    def _let_go(self, parts: Sequence[TopicPartition]) -> list[Owned]:
        partitions = [Partition(part.topic, part.partition) for part in parts]
        self._done.difference_update(partitions)
        gone = [self._owned.pop(partition, None) for partition in partitions]
        return [owned for owned in gone if owned is not None]
