"""What happens when partitions come and go?

The client calls in here out of `poll`, and waits until it returns:

    assigned   owned, paused, and left to `Opening`: nothing of them is read yet
    revoked    the loop finishes its calls in flight (bounded), their last positions are
               committed (bounded), then they are let go
    lost       gone already: let go at once, nothing is committed

While it waits the poll thread serves commits and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streamer.model import Owned, Partition, Position
from streamer.source.client import Client, cause
from streamer.source.commits import Commits
from streamer.source.handover import Assigned, CommitPlan, Sink
from streamer.source.inbox import Inbox
from streamer.source.opening import Opening
from streamer.source.orders import Commit, LastPlans, Order, Orders
from streamer.source.watch import SourceWatch

log = structlog.get_logger()

LAST_COMMIT_S = 1.0
"""What the last commit has at least, where waiting for calls in flight took all of the time."""


class Rebalances:
    """The partitions that are owned and open, and the callbacks that change them."""

    def __init__(
        self,
        client: Client,
        commits: Commits,
        inbox: Inbox,
        opening: Opening,
        orders: Orders,
        sink: Sink,
        tell: Callable[..., None],
        watch: SourceWatch,
        now: Callable[[], float],
        revoke_timeout_s: float,
    ) -> None:
        """`tell(method, *arguments)` calls a method of the sink in the event loop."""
        self._client = client
        self._commits = commits
        self._inbox = inbox
        self._opening = opening
        self._orders = orders
        self._sink = sink
        self._tell = tell
        self._watch = watch
        self._now = now
        self._revoke_timeout_s = revoke_timeout_s
        self._owned: dict[Partition, Owned] = {}
        self._starts: dict[Partition, Position] = {}
        self.topic_digests: dict[Partition, int] = {}
        """Of the topics that the open partitions are of, as far as it is known."""
        self._revocations = 0
        self._left_over: list[Order] = []
        self.closing = False
        """Whatever is revoked from now on was committed already: let it go at once."""

    @property
    def owned(self) -> Mapping[Partition, Owned]:
        """The open partitions."""
        return self._owned

    def is_owned(self, plan: CommitPlan) -> bool:
        """Whether the plan is of an assignment of now."""
        return self._owned.get(plan.owned.partition) == plan.owned

    def take_left_over(self) -> list[Order]:
        """Orders that came while a callback waited and were not its affair."""
        left_over, self._left_over = self._left_over, []
        return left_over

    def started_at(self, partition: Partition) -> Position | None:
        """Where the present generation of an open partition began; None: it is not open."""
        return self._starts.get(partition) if partition in self._owned else None

    def open(self, assigned: Assigned) -> None:
        partition = assigned.owned.partition
        self._owned[partition] = assigned.owned
        self._starts[partition] = assigned.position
        if assigned.topic_digest is not None:
            self.topic_digests[partition] = assigned.topic_digest
        self._inbox.opened(assigned.owned)

    def close(self, partitions: Sequence[Partition]) -> list[Owned]:
        """From now on nothing of these is handed over; gives those that were open."""
        self._opening.remove(partitions)
        closed = [owned for p in partitions if (owned := self._owned.pop(p, None)) is not None]
        for owned in closed:
            self._inbox.closed(owned)
            self.topic_digests.pop(owned.partition, None)
        return closed

    def begin_anew(self, partition: Partition, position: Position | None) -> None:
        """What was read so far is of other messages: end that generation. The next begins at the
        position, or where the group committed."""
        closed = self.close([partition])
        self._client.hold_again(partition)
        self._opening.add([partition], position)
        self._tell(self._sink.revoked, closed)

    # --- callbacks -----------------------------------------------------------------------------

    def assigned(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        partitions = [Partition(part.topic, part.partition) for part in parts]
        try:
            self._client.hold(partitions)
        except KafkaException as error:
            # The assignment is out of date already: the client calls again with the next.
            log.warning("assignment_failed", partitions=len(parts), why=cause(error).name())
            return
        if partitions:
            self._opening.add(partitions)
            self._watch.rebalanced("assigned", len(partitions))
            log.info("assigned", partitions=_names(partitions))

    def revoked(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        partitions = [Partition(part.topic, part.partition) for part in parts]
        self._opening.remove(partitions)
        owned = [self._owned[p] for p in partitions if p in self._owned]
        for gone in owned:
            self._inbox.closed(gone)
        if owned and not self.closing:
            self._drain(owned)
        self._let_go(parts)
        for partition in partitions:
            self._owned.pop(partition, None)
            self.topic_digests.pop(partition, None)
        if owned:
            self._tell(self._sink.revoked, owned)
        self._watch.rebalanced("revoked", len(partitions))
        log.info("revoked", partitions=_names(partitions))

    def lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        partitions = [Partition(part.topic, part.partition) for part in parts]
        owned = self.close(partitions)
        if owned:
            self._tell(self._sink.lost, owned)
        self._let_go(parts)
        self._watch.rebalanced("lost", len(partitions))
        log.warning("lost", partitions=_names(partitions))

    def _let_go(self, parts: list[TopicPartition]) -> None:
        try:
            self._client.consumer.incremental_unassign(parts)
        except KafkaException as error:
            log.warning("unassignment_failed", partitions=len(parts), why=cause(error).name())

    # --- while a revocation waits --------------------------------------------------------------

    def _drain(self, owned: Sequence[Owned]) -> None:
        self._revocations += 1
        number = self._revocations
        deadline = self._now() + self._revoke_timeout_s

        def finished(plans: Sequence[CommitPlan]) -> None:
            self._orders.put(LastPlans(number, plans))

        self._tell(self._sink.revoking, owned, finished)
        self._resolve(min(deadline, self._now() + LAST_COMMIT_S))
        plans = self._wait_for(number, deadline)
        if plans is None:
            log.warning("revoke_timeout", partitions=len(owned), waited_s=self._revoke_timeout_s)
        elif plans:
            self._commit(plans, max(deadline, self._now() + LAST_COMMIT_S))

    def _wait_for(self, number: int, deadline: float) -> Sequence[CommitPlan] | None:
        """The last plans; None where they did not come in time. Commits are served meanwhile."""
        plans: Sequence[CommitPlan] | None = None
        while plans is None and (left := deadline - self._now()) > 0:
            self._orders.wait(left)
            for order in self._orders.take():
                match order:
                    case LastPlans(revocation=revocation, plans=last) if revocation == number:
                        plans = last
                    case Commit(plans=others):
                        self._commit(others, deadline)
                    case _:
                        self._left_over.append(order)
        return plans

    def _commit(self, plans: Sequence[CommitPlan], deadline: float) -> None:
        result = self._commits.make(plans, self.is_owned)
        if result is not None:
            self._tell(self._sink.committed, result)
        else:
            self._resolve(deadline)

    def _resolve(self, deadline: float) -> None:
        """The callback of a commit is not served in here: ask the broker what it has."""

        def shown(plans: Sequence[CommitPlan]) -> set[Partition]:
            return set(self._client.shown(plans, max(0.0, deadline - self._now())))

        result = self._commits.resolve(shown)
        if result is not None:
            self._tell(self._sink.committed, result)


def _names(partitions: Sequence[Partition]) -> list[str]:
    """The first few, so that a thousand partitions are still one line."""
    names = [str(partition) for partition in partitions[:20]]
    more = len(partitions) - len(names)
    return [*names, f"and {more} more"] if more else names
