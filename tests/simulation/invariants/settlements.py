"""Is each report settled exactly once under one assignment, and what counts as settled at all?"""

from collections.abc import Callable

from streamer.delivery.tokens import UnknownInstance
from streamer.model import Offset, Owned
from streamer.source.handover import Assigned
from streamer.source.offsets import Window
from tests.simulation.dead_letters import DeadLetters
from tests.simulation.invariants.broken import Broken
from tests.simulation.kafka import Broker, Record, Spec
from tests.simulation.plan import Plan
from tests.simulation.platform import Platform
from tests.simulation.processes import Process
from tests.simulation.token_endpoint import TokenEndpoint

Told = Callable[[Owned, Offset, int | None], None]


class WatchedWindow(Window):
    """The real window; a message that is settled twice it finds by itself."""

    def __init__(
        self, assigned: Assigned, cluster: str, subscription: str, limit: int, told: Told
    ) -> None:
        """`told(owned, offset, settlement)` of each settlement; None: of the whole message."""
        super().__init__(assigned, cluster, subscription, limit)
        self._told = told

    def settle(self, offset: Offset) -> None:
        super().settle(offset)
        self._told(self.owned, offset, None)

    def settle_part(self, offset: Offset, settlement: int) -> None:
        if settlement in self.settled_parts(offset):
            raise Broken(f"{self.owned}: a report of {offset} is settled twice")
        super().settle_part(offset, settlement)
        self._told(self.owned, offset, settlement)


class Settled:
    """What the outside world knows to be settled, whatever a process believes."""

    def __init__(self, platform: Platform, letters: DeadLetters) -> None:
        self._platform = platform
        self._letters = letters
        self.skipped: set[str] = set()
        """Reports of unknown instances."""

    def report(self, record: Record, spec: Spec) -> bool:
        """Accepted by the platform, confirmed as a dead letter, or rightly skipped."""
        name = record.name_of(spec)
        if name in self._letters.written or name in self.skipped:
            return True
        if spec.cancel:
            return name in self._platform.cancels
        return name in self._platform.activations

    def bad_message(self, record: Record) -> bool:
        return f"{record.partition}@{record.offset}/" in self._letters.written


class SettlementChecks:
    def __init__(self, plan: Plan, broker: Broker, settled: Settled, tokens: TokenEndpoint) -> None:
        self._skips = plan.unknown_instance is UnknownInstance.SKIP
        self._broker = broker
        self._settled = settled
        self._tokens = tokens

    def look(self, process: Process, owned: Owned, offset: Offset, settlement: int | None) -> None:
        """A process believes that this message (None), or this report of it, is settled."""
        record = self._broker.at[owned.partition, offset]
        if record.kind == "bad":
            if not self._settled.bad_message(record):
                raise Broken(f"{record.partition}@{offset} is settled without a dead letter")
            return
        for spec in record.specs:
            if settlement not in (None, spec.settlement) or self._settled.report(record, spec):
                continue
            if not self._skips or not self._tokens.is_unknown(process, spec.lane):
                raise Broken(f"{record.name_of(spec)} is settled, and nothing came of it")
            self._settled.skipped.add(record.name_of(spec))
