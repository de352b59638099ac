"""What befalls the processes: crashes, moves of partitions, stalls, silent coordinators?"""

from streamer.model import Partition
from tests.simulation.clock import Clock
from tests.simulation.group import REVOKE_TIMEOUT_S, SESSION_S, Group
from tests.simulation.plan import Plan
from tests.simulation.processes import Process, Processes


class Faults:
    def __init__(
        self, plan: Plan, clock: Clock, group: Group, processes: Processes, traffic_s: float
    ) -> None:
        self._clock = clock
        self._group = group
        self._processes = processes
        self._moves_while_cancels_hang = plan.moves_while_cancels_hang
        self._crashes_after_cancels = plan.crashes_after_cancels
        self._shutdowns_between_commits = plan.shutdowns_between_commits
        self.crashed = 0
        draw = clock.random.uniform
        for times, fault in (
            (plan.crashes, self._crash),
            (plan.shutdowns, self._shut_down),
            (plan.rebalances, self._rebalance),
            (plan.stalls, self._stall),
            (plan.silences, self._silence),
        ):
            for _ in range(times):
                clock.at(draw(0, traffic_s), fault)

    def _crash(self) -> None:
        self._kill(self._clock.random.choice(self._processes.alive))

    def _kill(self, process: Process) -> None:
        self.crashed += 1
        process.alive = False
        process.in_flight = 0
        self._group.poll(self._processes.start())
        self._group.give_away(process, SESSION_S)

    def _shut_down(self) -> None:
        """An orderly end, as in a rolling restart; a process that is not able to waits."""
        running = self._processes.running
        if running and self._group.shut_down(self._clock.random.choice(running)):
            self._group.poll(self._processes.start())
        else:
            self._clock.at(self._clock.now + 1.0, self._shut_down)

    def settled(self, process: Process) -> None:
        """Where the last commit matters: several partitions have moved on since theirs."""
        if not self._shutdowns_between_commits or not process.runs or process.is_ending:
            return
        windows = [part.window for part in process.core.partitions.values()]
        if sum(window.position > window.committed_position for window in windows) < 2:
            return
        if self._clock.random.random() < 0.1:
            self._clock.at(self._clock.now, lambda: self._shut_down_between_commits(process))

    def _shut_down_between_commits(self, process: Process) -> None:
        if self._shutdowns_between_commits and self._group.shut_down(process):
            self._shutdowns_between_commits -= 1
            self._group.poll(self._processes.start())

    def _rebalance(self) -> None:
        """A partition moves in an orderly way: another one, where that one could not."""
        before = self._group.moved
        begun = self._group.move(self._clock.random.choice(list(self._group.owner)))

        def look() -> None:
            if self._group.moved == before:
                self._rebalance()

        self._clock.at(self._clock.now + (2 * REVOKE_TIMEOUT_S if begun else 0.5), look)

    def _stall(self) -> None:
        running = self._processes.running
        if running:
            self._group.stop_for_a_while(self._clock.random.choice(running))

    def _silence(self) -> None:
        running = self._processes.running
        if running:
            self._group.cut_off(self._clock.random.choice(running))

    def cancel_hangs(self, partition: Partition) -> None:
        """A cancel stays in the network for seconds: a good time to move its partition."""
        if self._moves_while_cancels_hang:
            self._moves_while_cancels_hang -= 1

            def move() -> None:
                self._group.move(partition)

            self._clock.within(0.2, move)

    def cancel_done(self, process: Process) -> None:
        """Where the cancel rule matters: a cancel took effect, and its commit is not made."""
        if self._crashes_after_cancels and process.alive and self._clock.random.random() < 0.1:
            self._crashes_after_cancels -= 1
            self._clock.within(0.6, lambda: self._kill_if_alive(process))

    def _kill_if_alive(self, process: Process) -> None:
        if process.alive:
            self._kill(process)
