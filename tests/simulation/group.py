"""Who owns which partition, and how do they come and go?"""

from collections.abc import Callable, Sequence
from itertools import count

from streamer.model import Generation, Message, Offset, Owned, Partition, Position
from streamer.source.commit_metadata import read
from streamer.source.handover import Assigned, CommitFailure, CommitPlan, CommitResult
from tests.simulation.clock import Clock
from tests.simulation.commits import CLUSTER, CommitRequests
from tests.simulation.invariants.broken import Broken
from tests.simulation.invariants.settlements import WatchedWindow
from tests.simulation.kafka import Broker
from tests.simulation.plan import Plan
from tests.simulation.processes import STALL_AFTER_S, Process, Processes
from tests.simulation.traffic import message_of

SESSION_S = 8.0
SILENT_SESSION_S = 45.0
"""Longer than `STALL_AFTER_S` and the longest call together, as the guarantees ask for."""
HAND_OVER_S = 0.15
DRAIN_TIMEOUT_S = 4.0
REVOKE_TIMEOUT_S = 1.5
"""Less than calls that hang need, so that partitions go while theirs are in flight."""
POLL_S = 0.2
WINDOW_MESSAGES = 50


class Group:
    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        broker: Broker,
        processes: Processes,
        commits: CommitRequests,
        settled: Callable[[Process, Owned, Offset, int | None], None],
        left: Callable[[Process, Sequence[Owned]], None],
    ) -> None:
        """`settled` looks at each settlement, `left` at what was committed when a process drained
        and ended."""
        self._plan = plan
        self._clock = clock
        self._broker = broker
        self._processes = processes
        self._commits = commits
        self._settled = settled
        self._looks_left = left
        self.moved = 0
        """Orderly moves that were made."""
        self._generation = count(1)
        self._moving: set[Partition] = set()
        self._stalls_at_assignments = plan.stalls_at_assignments
        self.owner: dict[Partition, tuple[Process, Owned] | None] = dict.fromkeys(broker.ends)

    def owns(self, process: Process, owned: Owned) -> bool:
        owner = self.owner[owned.partition]
        return owner is not None and owner[0] is process and owner[1] == owned

    def owned_by(self, process: Process) -> list[Owned]:
        owners = self.owner.values()
        return [owner[1] for owner in owners if owner is not None and owner[0] is process]

    def assign_all(self) -> None:
        for partition in self.owner:
            self._assign(partition)

    # --- coming --------------------------------------------------------------------------------

    def _assign(self, partition: Partition, but: Process | None = None) -> None:
        candidates = [
            process
            for process in self._processes.running
            if process is not but and process.cut_since is None and not process.is_ending
        ]
        if not candidates:
            self._clock.at(self._clock.now + 1.0, lambda: self._assign(partition))
            return
        if self.owner[partition] is not None:
            return
        process = self._clock.random.choice(candidates)
        owned = Owned(partition, Generation(next(self._generation)))
        self.owner[partition] = (process, owned)
        self._moving.add(partition)
        process.fact(0.3, lambda: self._read_offset(process, owned))
        if self._stalls_at_assignments and self._clock.random.random() < 0.2:
            self._stalls_at_assignments -= 1
            self._clock.within(0.6, lambda: self.stop_for_a_while(process))

    def _read_offset(self, process: Process, owned: Owned) -> None:
        if not self.owns(process, owned):
            return
        committed = self._broker.committed[owned.partition]
        position = Position(committed.position)
        metadata = read(committed.metadata, position, CLUSTER, owned.partition)
        if metadata.rejected is not None and metadata.rejected.value != "absent":
            raise Broken(f"own metadata rejected: {metadata.rejected}")
        assigned = Assigned(owned, position, metadata.restored, 0)
        window = WatchedWindow(
            assigned,
            CLUSTER,
            "subscription",
            self._plan.metadata_limit,
            lambda *settlement: self._settled(process, *settlement),
        )

        def told() -> None:
            self._moving.discard(owned.partition)
            process.core.tick(self._clock.now)
            before = process.core.partitions.get(owned.partition)
            if before is not None:  # the client tells of the loss first
                self._lost(process, [before.owned])
            process.core.assigned(owned, window)
            process.position[owned] = position

        process.fact(0.3, told)

    # --- going ---------------------------------------------------------------------------------

    def stop_for_a_while(self, process: Process) -> None:
        """SIGSTOP, and on again."""
        if not process.runs:
            return
        random, now = self._clock.random, self._clock.now
        length_s = random.choice([5.0, 20.0, 40.0])
        process.stalled_until = now + length_s
        if length_s > STALL_AFTER_S:
            # What it was told before it stopped it may not have looked at yet.
            process.doubted.update(dict.fromkeys(self.owned_by(process), process.stalled_until))
        # The group may be slower to notice than we are.
        if length_s > SESSION_S and random.random() < 0.7:
            self.give_away(process, SESSION_S)

    def give_away(self, process: Process, after_s: float) -> None:
        """The group notices that the process is gone, and gives its partitions to others."""

        def expelled() -> None:
            owned = self.owned_by(process)
            for one in owned:
                self.owner[one.partition] = None
                self._moving.discard(one.partition)
                self._assign(one.partition, but=process)

            # One that stood still learns of it only by its next heartbeat.
            self._clock.at(
                max(self._clock.now, process.stalled_until),
                lambda: process.fact(1.0, lambda: self._lost(process, owned)),
            )

        self._clock.at(self._clock.now + after_s, expelled)

    def _lost(self, process: Process, owned: Sequence[Owned]) -> None:
        for one in owned:
            process.position.pop(one, None)
        process.core.fenced(owned, self._clock.now)

    def cut_off(self, process: Process) -> None:
        """Its coordinator is silent, and its calls still go out. Once its session has ended its
        partitions are others', and it learns of it only when it hears again."""
        if not process.alive or process.cut_since is not None or process.is_ending:
            return
        clock = self._clock
        if any(one.partition in self._moving for one in self.owned_by(process)):
            clock.at(clock.now + 1.0, lambda: self.cut_off(process))
            return
        cut_at = process.cut_since = clock.now

        def session_ends() -> None:
            if process.alive and process.cut_since == cut_at:
                owned = self.owned_by(process)
                process.unaware.update(owned)
                for one in owned:
                    self.owner[one.partition] = None
                    self._assign(one.partition, but=process)

        def mended() -> None:
            process.cut_since = None
            lost = list(process.unaware)
            process.fact(2.0, lambda: self._lost(process, lost))

        clock.at(clock.now + SILENT_SESSION_S, session_ends)
        clock.at(clock.now + clock.random.choice([20.0, 60.0, 90.0]), mended)

    def move(self, partition: Partition) -> bool:
        """Move a partition in an orderly way: revoke, drain, commit, fence, assign. False if it
        cannot now."""
        owner = self.owner[partition]
        if owner is None or partition in self._moving or not self._is_well(owner[0]):
            return False
        process, owned = owner
        self._moving.add(partition)
        done: list[bool] = []

        def finished(plans: Sequence[CommitPlan]) -> None:
            if not done and process.alive:
                done.append(True)
                self._gone(process, owned, plans)

        def revoking() -> None:
            process.stopping.add(owned)
            process.core.revoking([owned], finished, self._clock.now)

        process.fact(0.0, revoking)

        def out_of_time() -> None:
            if not done and self.owns(process, owned):
                done.append(True)
                self._gone(process, owned, ())

        late = self._clock.now + REVOKE_TIMEOUT_S
        self._clock.at(late, lambda: process.fact(0.0, out_of_time))
        return True

    def _is_well(self, process: Process) -> bool:
        return process.runs and process.cut_since is None and not process.is_ending

    def _gone(self, process: Process, owned: Owned, plans: Sequence[CommitPlan]) -> None:
        if not self.owns(process, owned):
            return
        failures = self._commit_last(process, plans)
        if plans:
            process.core.committed(CommitResult(tuple(plans), tuple(failures)), self._clock.now)
        process.position.pop(owned, None)
        process.core.fenced([owned], self._clock.now)
        self.owner[owned.partition] = None
        self._moving.discard(owned.partition)
        self.moved += 1
        self._assign(owned.partition)

    def _commit_last(self, process: Process, plans: Sequence[CommitPlan]) -> list[CommitFailure]:
        failures = []
        for plan in plans:
            if self._clock.random.random() > 0.2 and self._commits.has_room(plan):
                self._commits.make(process, plan)
            else:
                failures.append(CommitFailure(plan.owned.partition, "UNKNOWN"))
        return failures

    def shut_down(self, process: Process) -> bool:
        """SIGTERM: read no more, let calls end, commit, leave. False if it cannot now."""
        owned = self.owned_by(process)
        if not self._is_well(process) or any(one.partition in self._moving for one in owned):
            return False
        process.is_ending = True
        self._moving.update(one.partition for one in owned)
        process.position.clear()
        done: list[bool] = []

        def finished(plans: Sequence[CommitPlan]) -> None:
            if not done:
                done.append(True)
                self._has_drained(process, owned)
                self._leave(process, owned, plans)

        def ending() -> None:
            process.stopping.update(owned)
            process.core.revoking(owned, finished, self._clock.now)

        def out_of_time() -> None:
            if not done:
                done.append(True)
                core = process.core
                self._leave(process, owned, core.last_plans(core.partitions.values()))

        process.fact(0.0, ending)
        late = self._clock.now + DRAIN_TIMEOUT_S
        self._clock.at(late, lambda: process.fact(0.0, out_of_time))
        return True

    def _has_drained(self, process: Process, owned: Sequence[Owned]) -> None:
        for one in owned:
            if self.owns(process, one) and process.reports_in_flight[one]:
                raise Broken(f"{process.name} is drained, and reports of {one} are in flight")

    def _leave(self, process: Process, owned: Sequence[Owned], plans: Sequence[CommitPlan]) -> None:
        ours = [one for one in owned if self.owns(process, one)]
        mine = [plan for plan in plans if plan.owned in ours]
        failed = {failure.partition for failure in self._commit_last(process, mine)}
        self._looks_left(process, [one for one in ours if one.partition not in failed])
        process.alive = False
        process.in_flight = 0
        for one in ours:
            self.owner[one.partition] = None
            self._moving.discard(one.partition)
            self._assign(one.partition)

    # --- reading -------------------------------------------------------------------------------

    def poll(self, process: Process, is_busy: bool = True) -> None:
        def polled() -> None:
            self.poll(process, process.runs and self._read(process))

        if process.alive:
            # Hours in which nothing is to be read cost little.
            self._clock.within(POLL_S if is_busy else 5 * POLL_S, polled)

    def _read(self, process: Process) -> bool:
        found = False
        for owned, position in list(process.position.items()):
            part = process.core.partitions.get(owned.partition)
            if part is None or part.stopping or part.window.held_messages > WINDOW_MESSAGES:
                continue
            records = self._broker.read(owned.partition, position, 20)
            read_to = records[-1].offset + 1 if records else position
            is_end = not self._broker.read(owned.partition, read_to, 1)
            if is_end:
                read_to = self._broker.ends[owned.partition]
            if read_to > position:
                found = True
                process.position[owned] = read_to
                messages = [message_of(record, owned) for record in records]
                self._hand_over(process, messages, owned, Position(read_to) if is_end else None)
        return found

    def _hand_over(
        self, process: Process, messages: list[Message], owned: Owned, end: Position | None
    ) -> None:
        """It takes a moment, in which the partition may go, and come again. `end`: the end of the
        partition, if it was read to there."""

        def taken_in() -> None:
            now = self._clock.now
            process.core.tick(now)
            process.taken_at |= {(it.generation, it.offset): now for it in messages}
            process.intake.take_in(messages, now)
            part = process.core.partitions.get(owned.partition)
            if end is not None and part is not None and part.owned == owned:
                process.core.reached(part, end, now)

        later = self._clock.now + HAND_OVER_S
        self._clock.at(later, lambda: process.fact(0.0, taken_in))
