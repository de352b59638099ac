"""How does a dead letter get into its topic, confirmed, before its offset may move?

librdkafka's producer sends and retries; a thread of ours serves its callbacks and hands the
results to the event loop, many at a time. A write that is not confirmed within the delivery time
is reported as not written: whoever asked holds the message and asks again.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, assert_never

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec import Struct

from streamer.dead_letters.client_log import ClientLog
from streamer.dead_letters.client_properties import shared_properties
from streamer.dead_letters.record import Record, write_record
from streamer.model import DeadLetter

log = structlog.get_logger()

DELIVERY_S = 10.0
"""An idempotent producer may retry within it; after it the lane's own back-off is the better."""

# A topic that is not there is waited for so long, since a new one may not be known at once.
_TOPIC_UNKNOWN_S = 3.0
# One that was missing is refused without asking again until then (librdkafka's default: 300 s).
_TOPIC_REFRESH_S = 5.0
_POLL_S = 0.2

# librdkafka's largest. Only the topic's own limit is to decide: the source's messages may have
# been compressed, so that what they hold is longer than any limit of the source's.
_LARGEST_MESSAGE_BYTES = 1_000_000_000
# librdkafka does not take apart a batch that the broker refuses for its size, so batches stay
# small; a single message that is larger goes alone.
_BATCH_BYTES = 65_536


class Failed(StrEnum):
    TRANSIENT = "transient"
    """No broker answered, or it could not write now: try again."""
    NO_TOPIC = "no-topic"
    DENIED = "denied"
    """Login refused, or no right to write."""
    TOO_LARGE = "too-large"
    """The broker refuses a record of this size."""


class Written(Struct, frozen=True):
    """The broker confirmed it on all in-sync replicas."""

    topic: str
    partition: int
    offset: int
    shrunk: bool = False
    """Our headers were left out but for reason and origin, since the record was too large."""


class NotWritten(Struct, frozen=True):
    """It is not confirmed (and may be there all the same, with the same id)."""

    kind: Failed
    detail: str
    """What was found, where and what to do, without a full stop."""
    no_partition: bool = False
    """The topic is there, and has not the record's partition."""


Outcome = Written | NotWritten
_Answer = tuple[asyncio.Future[Outcome], Outcome]

_KINDS: dict[int, Failed] = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: Failed.NO_TOPIC,
    KafkaError._UNKNOWN_TOPIC: Failed.NO_TOPIC,
    KafkaError._UNKNOWN_PARTITION: Failed.NO_TOPIC,
    KafkaError.TOPIC_EXCEPTION: Failed.NO_TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Failed.DENIED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: Failed.DENIED,
    KafkaError.SASL_AUTHENTICATION_FAILED: Failed.DENIED,
    KafkaError._AUTHENTICATION: Failed.DENIED,
    KafkaError._SSL: Failed.DENIED,
    KafkaError.MSG_SIZE_TOO_LARGE: Failed.TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE: Failed.TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE: Failed.TOO_LARGE,
}


class Writer:
    """Writes dead letters; all methods are called in one event loop.

    `kafka_properties` are the operator's, for the consumer. `clock_ms` gives wall-clock
    milliseconds since the epoch. `group`: whose letters they are.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        kafka_properties: Mapping[str, object],
        template: str,
        cluster_id: str,
        clock_ms: Callable[[], int],
        group: str = "",
        delivery_s: float = DELIVERY_S,
        make_producer: Callable[..., Producer] = Producer,
    ) -> None:
        self._config = producer_config(bootstrap_servers, kafka_properties, delivery_s)
        self._template = template
        self._cluster_id = cluster_id
        self._clock_ms = clock_ms
        self.group = group
        self._make_producer = make_producer
        self._too_few: dict[str, int] = {}
        """By topic, the lowest partition that it was seen not to have."""
        self._outbox: _Outbox | None = None
        self._closed = False

    async def write(self, letter: DeadLetter) -> Outcome:
        """Confirmed, or why not, within about twice the delivery time. Raises nothing."""
        outcome = await self._write(letter, shrunk=False)
        if isinstance(outcome, NotWritten) and outcome.kind is Failed.TOO_LARGE:
            outcome = await self._write(letter, shrunk=True)
        return outcome

    async def put(self, record: Record) -> Outcome:
        """The same for a record that is made already."""
        return await self._send(record, shrunk=False)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Waits so long for what is on its way; the rest is reported as not written."""
        self._closed = True
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            await outbox.close(timeout_s)

    async def _write(self, letter: DeadLetter, shrunk: bool) -> Outcome:
        record = write_record(
            letter, self._template, self._cluster_id, self._clock_ms(), shrunk, group=self.group
        )
        return await self._send(record, shrunk)

    async def _send(self, record: Record, shrunk: bool) -> Outcome:
        """In the origin's partition, so that the letters of one stand in one, in their order."""
        origin, too_few = record.origin, self._too_few.get(record.topic)
        if record.partition is None and origin is not None and not _is_beyond(origin, too_few):
            there = msgspec.structs.replace(record, partition=origin)
            outcome = await self._send_there(there, shrunk)
            if not isinstance(outcome, NotWritten) or not outcome.no_partition:
                return outcome
            self._too_few[record.topic] = origin
        return await self._send_there(record, shrunk)

    async def _send_there(self, record: Record, shrunk: bool) -> Outcome:
        if self._closed:
            return NotWritten(Failed.TRANSIENT, "the dead letter writer is closed")
        if self._outbox is None or self._outbox.is_dead:
            if self._outbox is not None:
                self._outbox.abandon()
            self._outbox = _Outbox(self._make_producer, self._config, asyncio.get_running_loop())
        return await self._outbox.send(record, shrunk)


def _is_beyond(partition: int, too_few: int | None) -> bool:
    return too_few is not None and partition >= too_few


class _Outbox:
    """One producer and the thread that serves it. After a fatal error it is replaced."""

    def __init__(
        self,
        make_producer: Callable[..., Producer],
        config: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._loop = loop
        self._stopping = threading.Event()
        self._waiting: set[asyncio.Future[Outcome]] = set()
        # Filled by the thread, emptied by the loop.
        self._answers: deque[_Answer] = deque()
        self._drain_is_due = False
        self._last_error: KafkaError | None = None
        self.is_dead = False
        self._producer = make_producer(
            config | {"error_cb": self._on_error}, logger=ClientLog("dead-letter-writer")
        )
        self._thread = threading.Thread(target=self._serve, name="dead-letters", daemon=True)
        self._thread.start()

    async def send(self, record: Record, shrunk: bool) -> Outcome:
        future: asyncio.Future[Outcome] = self._loop.create_future()

        def confirmed(error: KafkaError | None, message: Any) -> None:
            outcome: Outcome
            if error is None:
                self._last_error = None
                outcome = Written(record.topic, message.partition(), message.offset(), shrunk)
            else:
                outcome = self._refused(error, record)
            self._answer(future, outcome)

        try:
            self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                on_delivery=confirmed,
                partition=-1 if record.partition is None else record.partition,
            )
        except BufferError:
            return NotWritten(Failed.TRANSIENT, f"too many writes to {record.topic} are waiting")
        except KafkaException as raised:
            return self._refused(raised.args[0], record)
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    async def close(self, timeout_s: float) -> None:
        await asyncio.to_thread(self._producer.flush, timeout_s)
        self.abandon()
        await asyncio.to_thread(self._thread.join, 2 * _POLL_S)
        self._drain()
        for future in self._waiting:
            if not future.done():
                detail = "it was not confirmed before the process ended"
                future.set_result(NotWritten(Failed.TRANSIENT, detail))

    def abandon(self) -> None:
        """Let the thread end; what waits still gets its answer, since it purges first."""
        self._stopping.set()

    # --- in the producer's thread ---

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)
        self._producer.purge()
        self._producer.flush(1.0)

    def _on_error(self, error: KafkaError) -> None:
        self._last_error = error
        if error.fatal():
            self.is_dead = True
            log.warning("dead_letter_producer_ended", error=error.name(), detail=error.str())

    def _refused(self, error: KafkaError, record: Record) -> NotWritten:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.is_dead = True
        # A time-out does not say what it waited for; the client's last error does.
        cause = self._last_error or error if error.code() == KafkaError._MSG_TIMED_OUT else error
        kind = _KINDS.get(cause.code(), Failed.TRANSIENT)
        no_partition = cause.code() == KafkaError._UNKNOWN_PARTITION
        return NotWritten(kind, _sentence(kind, cause, record), no_partition)

    def _answer(self, future: asyncio.Future[Outcome], outcome: Outcome) -> None:
        self._answers.append((future, outcome))
        if self._drain_is_due:
            return
        self._drain_is_due = True
        # A closed loop has nobody who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._drain)

    # --- in the loop ---

    def _drain(self) -> None:
        # Cleared first: what is appended from here on is either popped below or causes another.
        self._drain_is_due = False
        while self._answers:
            future, outcome = self._answers.popleft()
            if not future.done():
                future.set_result(outcome)


def producer_config(
    bootstrap_servers: str,
    kafka_properties: Mapping[str, object],
    delivery_s: float = DELIVERY_S,
) -> dict[str, Any]:
    """The producer's configuration, with the operator's connection and security properties."""
    return shared_properties(kafka_properties) | {
        "bootstrap.servers": bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": int(delivery_s * 1000),
        "topic.metadata.propagation.max.ms": int(_TOPIC_UNKNOWN_S * 1000),
        "topic.metadata.refresh.interval.ms": int(_TOPIC_REFRESH_S * 1000),
        "message.max.bytes": _LARGEST_MESSAGE_BYTES,
        "batch.size": _BATCH_BYTES,
        # The source's limit holds for compressed batches; so that what passed there passes here.
        "compression.type": "zstd",
        # Same key, same partition as Java's producers, which most sources are written by.
        "partitioner": "murmur2_random",
    }


def _sentence(kind: Failed, cause: KafkaError, record: Record) -> str:
    topic = f"topic {record.topic}"
    match kind:
        case Failed.NO_TOPIC:
            return f"{topic} does not exist; create it, or set dead_letters.create: true"
        case Failed.DENIED:
            return (
                f"{topic} refused us ({cause.str()}); give this user the right to write to it,"
                " or correct the security settings in kafka.properties"
            )
        case Failed.TOO_LARGE:
            size = len(record.key or b"") + len(record.value or b"")
            return (
                f"{topic} refused a record of {size} bytes and its headers; raise the topic's"
                " max.message.bytes (or the broker's message.max.bytes)"
            )
        case Failed.TRANSIENT:
            return f"{topic} did not confirm a write ({cause.str()}); it is tried again"
        case _:
            assert_never(kind)
