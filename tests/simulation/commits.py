"""How do commits reach the broker, and what comes back?"""

from collections.abc import Callable

from streamer.model import Owned
from streamer.source.handover import CommitFailure, CommitPlan, CommitResult
from tests.simulation.clock import Clock
from tests.simulation.invariants.broken import Broken
from tests.simulation.kafka import Broker, Committed
from tests.simulation.plan import Plan
from tests.simulation.processes import Process

CLUSTER = "simulated"


class CommitRequests:
    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        broker: Broker,
        owns: Callable[[Process, Owned], bool],
        check: Callable[[CommitPlan], None],
    ) -> None:
        """`check` looks at each commit before it is made."""
        self._plan = plan
        self._clock = clock
        self._broker = broker
        self._owns = owns
        self._check = check
        self.made = 0

    def send(self, process: Process, plans: tuple[CommitPlan, ...]) -> None:
        process.commits += 1
        if process.commits > 1:
            raise Broken(f"{self._clock.now}: {process.name} has two commits in flight")
        # The broker decides when the request reaches it; the answer comes later.
        self._clock.within(0.1, lambda: self._arrived(process, plans))

    def _arrived(self, process: Process, plans: tuple[CommitPlan, ...]) -> None:
        if process.cut_since is not None:
            # The client holds it back until it reaches the coordinator.
            if process.alive:
                later = self._clock.now + 1.0
                self._clock.at(later, lambda: self._arrived(process, plans))
            return
        failures = [failure for plan in plans if (failure := self._one(process, plan)) is not None]
        result = CommitResult(plans, tuple(failures))

        def told() -> None:
            process.commits -= 1
            process.core.committed(result, self._clock.now)

        process.fact(0.1, told)

    def _one(self, process: Process, plan: CommitPlan) -> CommitFailure | None:
        draw = self._clock.random.random
        partition = plan.owned.partition
        if not self._owns(process, plan.owned) or draw() < self._plan.commit_failures:
            return CommitFailure(partition, "ILLEGAL_GENERATION")
        if not self.has_room(plan):
            return CommitFailure(partition, "OFFSET_METADATA_TOO_LARGE", metadata_too_large=True)
        self.make(process, plan)
        if draw() < self._plan.commits_in_doubt:
            return CommitFailure(partition, "UNKNOWN")
        return None

    def has_room(self, plan: CommitPlan) -> bool:
        return len(plan.metadata) < self._plan.broker_limit

    def make(self, process: Process, plan: CommitPlan) -> None:
        """The broker has it."""
        since = process.doubted.get(plan.owned)
        if since is not None and self._clock.now >= since:
            del process.doubted[plan.owned]
        self._check(plan)
        self._broker.committed[plan.owned.partition] = Committed(plan.position, plan.metadata)
        self.made += 1
