"""Does a commit pass only what is settled, and does it carry the cancels that it must?"""

from collections import defaultdict

from streamer.model import Offset, Partition, Position
from streamer.source.commit_metadata import NOTHING, read
from streamer.source.done_set import DoneSet
from streamer.source.handover import CommitPlan
from tests.simulation.commits import CLUSTER
from tests.simulation.invariants.broken import Broken
from tests.simulation.invariants.settlements import Settled
from tests.simulation.kafka import Broker


class CommitChecks:
    def __init__(self, broker: Broker, settled: Settled) -> None:
        self._broker = broker
        self._settled = settled
        self._done: dict[Partition, DoneSet] = {}
        """What the broker has as settled beyond each position."""
        self._pinned: dict[Partition, set[tuple[int, int]]] = defaultdict(set)
        """Cancels (offset, settlement) after which a report started."""

    def pin(self, partition: Partition, offset: int, settlement: int) -> bool:
        """A report starts after this cancel: whether it is committed. From now on it stays so."""
        if not self._done.get(partition, NOTHING).shows(Offset(offset), settlement):
            return False
        self._pinned[partition].add((offset, settlement))
        return True

    def look(self, plan: CommitPlan) -> None:
        partition, position = plan.owned.partition, plan.position
        if position < self._broker.committed[partition].position:
            raise Broken(f"{partition} goes back to {position}")
        done = read(plan.metadata, position, CLUSTER, partition).restored
        self._passes_what_is_settled(partition, position, done)
        pinned = {pin for pin in self._pinned[partition] if pin[0] >= position}
        for offset, settlement in pinned:
            if not done.shows(Offset(offset), settlement):
                raise Broken(f"{partition} commits without its cancel {offset}")
        self._pinned[partition] = pinned
        self._done[partition] = done

    def _passes_what_is_settled(
        self, partition: Partition, position: Position, done: DoneSet
    ) -> None:
        for record in self._broker.uncommitted(partition):
            if record.offset >= position and not done.covers(Offset(record.offset)):
                continue
            if record.kind == "bad":
                is_settled = self._settled.bad_message(record)
            else:
                is_settled = all(self._settled.report(record, spec) for spec in record.specs)
            if not is_settled:
                raise Broken(f"{partition} commits {record.offset}, unsettled")
