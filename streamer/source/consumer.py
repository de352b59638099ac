"""How does the event loop use the source?

`Source` is the loop's side of the poll thread: facts come by the `Sink`, everything else is a
queue into the thread or a read of what it last knew. Nothing here waits for Kafka.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from streamer.dead_letters.client_log import ClientLog
from streamer.dead_letters.client_properties import shared_properties
from streamer.errors import ConfigurationError, Finding
from streamer.model import Owned, Partition, Position
from streamer.source.client import cause
from streamer.source.explain import wrong_properties
from streamer.source.handover import CommitPlan, Sink
from streamer.source.orders import Commit, Orders, Settled, SpanFull, Stop, StopIntake, Stopped
from streamer.source.pace import Pace
from streamer.source.poll_thread import PollThread
from streamer.source.properties import client_properties, property_findings
from streamer.source.settings import SourceSettings
from streamer.source.start import start_moment_ms
from streamer.source.topic_ids import Describes
from streamer.source.watch import SourceWatch, Unwatched

log = structlog.get_logger()

HAND_OVERS_AHEAD = 2
"""One that the event loop works on, and one that is there when it has done so."""

CLOSE_S = 2.0
"""How long leaving the group may take after the last commit; the thread is left behind then. With
the broker gone the client's close would wait for it."""


class Source:
    """Reads the topics of one group. All methods are for the event loop that made it."""

    def __init__(
        self,
        settings: SourceSettings,
        sink: Sink,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float],
        wall_ms: Callable[[], int],
        watch: SourceWatch | None = None,
    ) -> None:
        """`now`: monotonic seconds; `wall_ms`: milliseconds since the epoch, by which `latest`
        and `-2h` are meant. Connects to nothing yet.

        Raises ConfigurationError where the properties are not for the operator to set, or the
        client cannot start with them.
        """
        findings = property_findings(settings.properties)
        if findings:
            raise ConfigurationError(findings)
        self._settings = settings
        self._loop = loop
        self._orders = Orders()
        self._pace = Pace(HAND_OVERS_AHEAD)
        self._thread = PollThread(
            settings,
            start_moment_ms(settings.start, wall_ms()),
            self._connect,
            self._connect_admin,
            sink,
            self._tell,
            self._orders,
            self._pace,
            watch or Unwatched(),
            now,
        )
        # A daemon: where the broker is gone the client's close may outlast our bound.
        self._running = threading.Thread(target=self._thread.run, name="kafka-poll", daemon=True)

    def _connect(self, callbacks: Mapping[str, Callable[..., None]]) -> Consumer:
        settings = self._settings
        properties = client_properties(
            settings.bootstrap_servers, settings.group_id, settings.properties
        )
        try:
            return Consumer({**properties, **callbacks}, logger=_client_logger())
        except KafkaException as error:
            raise ConfigurationError([wrong_properties(cause(error).str())]) from None

    def _connect_admin(self) -> Describes:
        settings = self._settings
        properties: dict[str, Any] = shared_properties(
            client_properties(settings.bootstrap_servers, settings.group_id, settings.properties)
        )
        return AdminClient(properties, logger=ClientLog("topic-ids"))

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(method, *arguments)
        except RuntimeError:
            log.debug("loop_closed", dropped=getattr(method, "__name__", ""))

    # --- orders --------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect and begin to read."""
        self._running.start()

    def commit(self, plans: Sequence[CommitPlan]) -> None:
        """Returns at once; the end comes by the sink's `committed`."""
        self._orders.put(Commit(plans))

    def settled(self, owned: Owned, messages: int, size: int) -> None:
        """That much less is held of the partition."""
        self._orders.put(Settled(owned, messages, size))

    def took(self) -> None:
        """A hand-over (`Sink.taken_in`) was dealt with: another may come."""
        self._pace.took()

    def span_full(self, owned: Owned, full: bool) -> None:
        """Settled messages reach too far beyond the position: take nothing more in, or go on."""
        self._orders.put(SpanFull(owned, full))

    def stop_intake(self) -> None:
        """Hand over no more messages; commits and rebalances go on."""
        self._orders.put(StopIntake())

    async def stop(self, plans: Sequence[CommitPlan]) -> Stopped:
        """Commit these (bounded), leave the group, end the thread. Never raises for Kafka.

        Where it takes longer than `close_commit_timeout_s` and 4 s the thread is left behind.
        """
        if not self._running.is_alive():
            return Stopped(None, False)
        order = Stop(plans, self._loop.create_future())
        self._orders.put(order)
        settings = self._settings
        bound_s = settings.answer_timeout_s + settings.close_commit_timeout_s + CLOSE_S
        await asyncio.wait([order.ended], timeout=bound_s)
        if order.ended.done():
            return order.ended.result()
        log.warning("source_left_behind", waited_s=bound_s)
        return Stopped(None, False)

    # --- what it knows -------------------------------------------------------------------------

    @property
    def last_turn(self) -> float:
        """When the poll thread last began a turn, by `now`."""
        return self._thread.last_turn

    @property
    def cluster_id(self) -> str:
        """Known before the first `Sink.assigned`; empty until the cluster has answered."""
        return self._thread.cluster_id

    @property
    def subscription(self) -> str:
        """The fingerprint that each commit carries."""
        return self._settings.subscription

    @property
    def joined(self) -> bool:
        """In the group, with partitions or without; or waiting for a first topic to match."""
        return self._thread.joined

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with Kafka now, each with what to do."""
        return self._thread.findings

    @property
    def stuck(self) -> str | None:
        """Why nothing is read, if nothing is; None while reading goes on."""
        return self._thread.stuck

    @property
    def thread_id(self) -> int | None:
        """The poll thread's, to show where it stands; None before it runs."""
        return self._running.ident

    def paused(self) -> frozenset[Partition]:
        """Partitions that are paused because their window is full."""
        return self._thread.paused

    def ends(self) -> dict[Partition, Position]:
        """The position at the end of each partition that is read, as far as it is known: less a
        window's position that is the lag in messages."""
        return self._thread.ends


class _ToStructlog(logging.Handler):
    """Takes librdkafka's own log lines, which hold addresses and states, no secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        # What a person must act on is said as `kafka_trouble`, once and in a sentence.
        write = log.warning if record.levelno >= logging.CRITICAL else log.debug
        write("librdkafka", level_of=record.levelname.lower(), text=record.getMessage())


def _client_logger() -> logging.Logger:
    logger = logging.Logger("librdkafka")
    logger.addHandler(_ToStructlog())
    return logger
