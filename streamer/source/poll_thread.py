"""What does the thread that owns the Kafka consumer do, turn by turn?

It polls always. In each turn: orders of the event loop, the topics of the subscription, partitions
that are to be opened, pausing and resuming, then one blocking `poll` with a short time-out and
`consume` without one (given a time-out, that waits until all it was asked for are there).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import assert_never

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streamer.errors import Finding, SourceError
from streamer.model import Generation, Partition, Position
from streamer.source.client import Client, answers_of, cause
from streamer.source.closing import Closing
from streamer.source.commits import Commits
from streamer.source.ends import Ends
from streamer.source.flow import Flow
from streamer.source.following import Following
from streamer.source.handover import Sink
from streamer.source.inbox import Inbox
from streamer.source.made_anew import MadeAnew
from streamer.source.opening import Opening
from streamer.source.orders import (
    Commit,
    LastPlans,
    Order,
    Orders,
    Settled,
    SpanFull,
    Stop,
    StopIntake,
    Stopped,
)
from streamer.source.pace import Pace
from streamer.source.pausing import Pausing
from streamer.source.ranges import Ranges
from streamer.source.rebalances import Rebalances
from streamer.source.settings import SourceSettings
from streamer.source.statistics import Statistics, is_member, read_statistics
from streamer.source.topic_ids import Describes, TopicIds
from streamer.source.topics import Subscription
from streamer.source.troubles import Troubles
from streamer.source.watch import SourceWatch

log = structlog.get_logger()

IDLE_S = 0.1
"""How long one poll waits where nothing is under way."""
BUSY_S = 0.01
"""How long it waits where a commit may be ordered: so much later an order is seen at most."""
MOST_A_TURN = 500
"""Messages of one turn: enough to make the turn's own cost small, and so few that what does not
fit and has to wait in the inbox is little."""


class PollThread:
    """All state of the thread; `run` is its body."""

    def __init__(
        self,
        settings: SourceSettings,
        configured_ms: int,
        connect: Callable[[Mapping[str, Callable[..., None]]], Consumer],
        connect_admin: Callable[[], Describes],
        sink: Sink,
        tell: Callable[..., None],
        orders: Orders,
        pace: Pace,
        watch: SourceWatch,
        now: Callable[[], float],
    ) -> None:
        """`connect(callbacks)` makes the consumer, `connect_admin()` what is asked for topics'
        ids; `tell(method, *arguments)` calls a method in
        the event loop, in order."""
        self._settings = settings
        self._sink = sink
        self._tell = tell
        self._orders = orders
        self._pace = pace
        self._watch = watch
        self._now = now
        self._troubles = Troubles(settings.bootstrap_servers, now)
        self._consumer = connect(
            {
                "on_commit": self._commit_ended,
                "error_cb": self._troubles.failed,
                "stats_cb": self._told,
            }
        )
        self._client = Client(self._consumer, settings.answer_timeout_s, self._troubles.failed)
        self._commits = Commits(self._client.submit)
        self._flow = Flow(settings.window_messages, settings.window_bytes)
        self._inbox = Inbox(self._flow)
        self._pausing = Pausing(self._client, self._inbox, self._flow)
        self._ends = Ends(self._end_of)
        self._following = Following(
            self._client,
            Subscription(settings.topics, settings.excluded),
            self._subscribe,
            self._troubles,
            settings.topics_refresh_s,
        )
        topic_ids = TopicIds(
            connect_admin,
            lambda: self._following.names_controller,
            settings.answer_timeout_s,
            now,
        )
        generations = count(1)
        self._opening = Opening(
            self._client,
            self._commits,
            settings.subscription,
            configured_ms,
            lambda: self._following.topics,
            lambda: Generation(next(generations)),
            watch,
            settings.answer_timeout_s,
            topic_ids,
        )
        self._rebalances = Rebalances(
            self._client,
            self._commits,
            self._inbox,
            self._opening,
            orders,
            sink,
            tell,
            watch,
            now,
            settings.revoke_timeout_s,
        )
        self._made_anew = MadeAnew(
            self._client,
            self._rebalances,
            self._ends,
            topic_ids,
            watch,
            self._flow.held_messages,
            settings.topics_refresh_s,
        )
        self._ranges = Ranges(
            self._client, self._rebalances, self._ends, watch, self._made_anew.look_soon
        )
        self._closing = Closing(
            self._consumer,
            self._commits,
            self._rebalances,
            self._troubles,
            now,
            settings.close_commit_timeout_s,
        )
        self._waiting_commits: list[Commit] = []
        self._takes_in = True
        self._stop: Stop | None = None
        self._ended = False
        self._statistics = Statistics()
        self._is_member = False
        self._member_as_of = self._statistics
        self.last_turn = now()

    # --- seen from outside; reads only, so that any thread may ----------------------------------

    @property
    def cluster_id(self) -> str:
        return self._following.cluster_id

    @property
    def joined(self) -> bool:
        """In the group, or waiting for the first topic that a pattern matches."""
        if self._ended or not self.cluster_id:
            return False
        return self._is_member or not self._following.topics

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self._troubles.findings

    @property
    def paused(self) -> frozenset[Partition]:
        return frozenset(owned.partition for owned in self._pausing.paused)

    @property
    def ends(self) -> dict[Partition, Position]:
        """Where the open partitions end, as far as it is known."""
        return self._ends.of(list(self._rebalances.owned))

    @property
    def stuck(self) -> str | None:
        """Why nothing is read, if nothing is; None while reading goes on."""
        if not self.cluster_id:
            return "the Kafka cluster has not answered yet"
        if self._following.is_silent:
            return "the Kafka cluster does not answer"
        if not self._following.topics:
            return "no topic matches yet"
        if not self._is_member:
            return f"not in the consumer group ({self._statistics.join_state or 'asked to join'})"
        owned = len(self._rebalances.owned)
        if owned and len(self._pausing.paused) == owned:
            return "all partitions are paused: their windows are full of what is not settled"
        return self._opening.problem

    # --- the turns -----------------------------------------------------------------------------

    def run(self) -> None:
        """Until `Stop`, or until the client ends for good."""
        try:
            while not self._ended:
                self._turn()
        except Exception as error:
            log.exception("poll_thread_failed")
            self._fail(SourceError(f"the poll thread ended: {type(error).__name__}; see the log"))

    def _turn(self) -> None:
        self.last_turn = now = self._now()
        self._carry_out([*self._rebalances.take_left_over(), *self._orders.take()])
        self._commit()
        if self._stop is not None:
            self._ended = True
            self._tell(_ended, self._stop, self._closing.finish(self._stop))
            return
        self._following.turn(now)
        self._made_anew.turn(now)
        self._open()
        self._hand_over()
        self._pausing.turn(self._rebalances.owned.values())
        self._ends.measure([owned.partition for owned in self._pausing.paused], now)
        self._poll()
        self._serve_errors()
        self._ranges.turn()
        self._look_at_membership()
        if self._troubles.fatal is not None:
            self._fail(self._troubles.fatal)

    def _poll(self) -> None:
        is_busy = self._flow.held_bytes or self._commits.busy or self._opening.partitions
        try:
            if not self._pace.has_room:
                self._pace.wait(BUSY_S)
            has_room = self._pace.has_room
            # Without room too, for the callbacks; the one message that it may give waits.
            first = self._consumer.poll((BUSY_S if is_busy else IDLE_S) if has_room else 0)
            if first is not None:
                self._inbox.take([first])
            if first is not None and has_room:
                self._inbox.take(self._consumer.consume(self._flow.next_count(MOST_A_TURN), 0))
        except KafkaException as error:
            self._troubles.failed(cause(error))
        self._hand_over()

    def _hand_over(self) -> None:
        if not self._takes_in or not self._pace.has_room:
            return
        intake = self._inbox.release()
        if intake is not None:
            self._pace.gave()
            self._tell(self._sink.taken_in, intake)

    def _serve_errors(self) -> None:
        for raw in self._inbox.take_errors():
            error = raw.error()
            if error is not None and not self._ranges.noted(raw, error):
                self._troubles.failed(error)

    def _open(self) -> None:
        opened = self._opening.turn(self._now(), self.cluster_id)
        for assigned in opened:
            self._rebalances.open(assigned)
        if opened:
            self._tell(self._sink.assigned, opened)

    def _look_at_membership(self) -> None:
        if self._member_as_of is not self._statistics:
            self._member_as_of = self._statistics
            group = self._consumer.consumer_group_metadata()
            self._is_member = is_member(group, self._statistics)

    def _subscribe(self, topics: Sequence[str]) -> None:
        rebalances = self._rebalances
        self._consumer.subscribe(
            list(topics), rebalances.assigned, rebalances.revoked, rebalances.lost
        )

    def _end_of(self, partition: Partition) -> Position | None:
        marks = self._client.marks(partition)
        return None if marks is None else marks[1]

    # --- orders --------------------------------------------------------------------------------

    def _carry_out(self, orders: Sequence[Order]) -> None:
        for order in orders:
            match order:
                case Settled(owned=owned, messages=messages, size=size):
                    self._flow.settled(owned, messages, size)
                case Commit():
                    self._waiting_commits.append(order)
                case SpanFull(owned=owned, full=full):
                    self._pausing.span_full(owned, full)
                case LastPlans():
                    pass  # its revocation waited no longer
                case StopIntake():
                    self._takes_in = False
                case Stop():
                    self._takes_in = False
                    self._stop = order
                case _:
                    assert_never(order)

    def _commit(self) -> None:
        while self._waiting_commits and not self._commits.busy:
            order = self._waiting_commits.pop(0)
            result = self._commits.make(order.plans, self._rebalances.is_owned)
            if result is not None:
                self._tell(self._sink.committed, result)

    def _fail(self, error: SourceError) -> None:
        """Nothing is committed any more: what is not settled will be read again."""
        self._ended = True
        self._tell(self._sink.failed, error)
        stops = [order for order in self._orders.take() if isinstance(order, Stop)]
        for stop in [self._stop, *stops]:
            if stop is not None:
                self._tell(_ended, stop, Stopped(None, False))

    # --- callbacks, which come out of `poll` ------------------------------------------------------

    def _commit_ended(self, error: KafkaError | None, parts: list[TopicPartition]) -> None:
        failures = {failure for part in parts if (failure := part.error or error) is not None}
        for failure in failures:
            self._troubles.commit_failed(failure)
        if not failures:
            self._troubles.answered()
        result = self._commits.answered(answers_of(error, parts))
        if result is not None:
            self._tell(self._sink.committed, result)

    def _told(self, text: str) -> None:
        self._statistics = read_statistics(text)
        silent_s = self._statistics.coordinator_silent_s
        if silent_s is not None:
            self._tell(self._sink.heard, self._now() - silent_s)
        self._ends.told(self._statistics)


def _ended(stop: Stop, how: Stopped) -> None:
    if not stop.ended.done():
        stop.ended.set_result(how)
