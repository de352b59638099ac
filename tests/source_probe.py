"""What does a test put in the event loop's place to see what the source does?"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamer.errors import SourceError
from streamer.model import Message, Owned, Partition, Position
from streamer.source.consumer import Source
from streamer.source.handover import Assigned, CommitPlan, CommitResult, Intake
from streamer.source.offsets import Window
from streamer.source.orders import Stopped
from streamer.source.settings import SourceSettings


class CountingWatch:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.deleted = 0
        """Offsets, before they were read."""

    def rebalanced(self, kind: str, partitions: int) -> None:
        self.events.append(("rebalanced", kind))

    def metadata_rejected(self, why: str) -> None:
        self.events.append(("rejected", why))

    def out_of_range(self, topic: str, deleted: int) -> None:
        self.events.append(("out-of-range", topic))
        self.deleted += deleted

    def made_anew(self, topic: str, partitions: int) -> None:
        self.events.append(("made-anew", topic))


class Probe:
    """A sink with real windows. It settles every message at once unless `holds` is set."""

    def __init__(self, settings: SourceSettings) -> None:
        self.settings = settings
        self.watch = CountingWatch()
        self.source = Source(
            settings,
            self,
            asyncio.get_running_loop(),
            time.monotonic,
            lambda: time.time_ns() // 1_000_000,
            self.watch,
        )
        self.windows: dict[Owned, Window] = {}
        self.messages: list[Message] = []
        self.unsettled: dict[Owned, list[Message]] = {}
        self.facts: list[tuple[str, Any]] = []
        self.results: list[CommitResult] = []
        self.failure: SourceError | None = None
        self.heard_at: float | None = None
        self.holds = False
        self.finishes = True
        self._committer: asyncio.Task[None] | None = None
        self._busy = False

    # --- the sink ------------------------------------------------------------------------------

    def assigned(self, assignments: Sequence[Assigned]) -> None:
        for assigned in assignments:
            self.facts.append(("assigned", assigned))
            self.unsettled[assigned.owned] = []
            self.windows[assigned.owned] = Window(
                assigned, self.source.cluster_id, self.source.subscription
            )

    def taken_in(self, intake: Intake) -> None:
        for message in intake.messages:
            owned = Owned(message.partition, message.generation)
            self.facts.append(("message", owned))
            if not self.windows[owned].take_in(message.offset, message.size):
                self.source.settled(owned, 1, message.size)
                continue
            self.messages.append(message)
            self.unsettled[owned].append(message)
            if not self.holds:
                self.settle(message)
        for end in intake.ends:
            self.windows[end.owned].reached(end.position)
        self.source.took()

    def settle(self, message: Message) -> None:
        owned = Owned(message.partition, message.generation)
        self.unsettled[owned].remove(message)
        self.windows[owned].settle(message.offset)
        self.source.settled(owned, 1, message.size)

    def settle_all(self) -> None:
        for messages in list(self.unsettled.values()):
            for message in list(messages):
                self.settle(message)

    def revoking(
        self, owned: Sequence[Owned], finished: Callable[[Sequence[CommitPlan]], None]
    ) -> None:
        self.facts.append(("revoking", tuple(owned)))
        if self.finishes:
            finished(self.plans(owned))

    def revoked(self, owned: Sequence[Owned]) -> None:
        self._fence("revoked", owned)

    def lost(self, owned: Sequence[Owned]) -> None:
        self._fence("lost", owned)

    def _fence(self, fact: str, owned: Sequence[Owned]) -> None:
        self.facts.append((fact, tuple(owned)))
        for one in owned:
            del self.windows[one]
            del self.unsettled[one]

    def committed(self, result: CommitResult) -> None:
        self._busy = False
        self.results.append(result)
        failures = {failure.partition: failure for failure in result.failures}
        for plan in result.plans:
            window = self.windows.get(plan.owned)
            if window is None:
                continue
            failure = failures.get(plan.owned.partition)
            if failure is None:
                window.committed(plan.number)
            else:
                window.not_committed(plan.number, failure.metadata_too_large)

    def heard(self, at: float) -> None:
        self.heard_at = at

    def failed(self, error: SourceError) -> None:
        self.failure = error

    # --- what a test does ----------------------------------------------------------------------

    def plans(self, owned: Sequence[Owned] | None = None) -> list[CommitPlan]:
        windows = [w for o, w in self.windows.items() if owned is None or o in owned]
        return [plan for window in windows if (plan := window.plan()) is not None]

    def start(self) -> "Probe":
        self.source.start()
        self._committer = asyncio.create_task(self._commit_often())
        return self

    async def _commit_often(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            if not self._busy and (plans := self.plans()):
                self._busy = True
                self.source.commit(plans)

    async def stop(self) -> Stopped:
        self.stop_committing()
        return await self.source.stop(self.plans())

    def stop_committing(self) -> None:
        if self._committer is not None:
            self._committer.cancel()
            self._committer = None

    @property
    def partitions(self) -> set[Partition]:
        return {owned.partition for owned in self.windows}

    @property
    def positions(self) -> Mapping[Partition, Position]:
        return {owned.partition: window.position for owned, window in self.windows.items()}

    @property
    def committed_positions(self) -> Mapping[Partition, Position]:
        return {
            owned.partition: window.committed_position for owned, window in self.windows.items()
        }

    @property
    def values(self) -> list[bytes | None]:
        return [message.value for message in self.messages]
