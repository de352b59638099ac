"""A world: processes around the real core, a broker, a platform, and a clock of its own.

Every choice is drawn from one seeded generator, so a seed replays exactly. After every step the
invariants are checked; a broken one raises `Broken` with the time and what was found.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

from streamer.delivery import flood, lanes
from streamer.delivery.bulk_answers import CallRefused
from streamer.delivery.commands import Call
from streamer.delivery.outcomes import Outcome
from streamer.endpoint.requests import Request
from streamer.model import Offset, Owned, Partition
from tests.simulation.calls import Calls
from tests.simulation.clock import Clock
from tests.simulation.commits import CommitRequests
from tests.simulation.dead_letters import DeadLetters
from tests.simulation.endpoint import Endpoint
from tests.simulation.faults import Faults
from tests.simulation.group import Group
from tests.simulation.invariants.account import check_account
from tests.simulation.invariants.bodies import BodyChecks
from tests.simulation.invariants.broken import Broken
from tests.simulation.invariants.commits import CommitChecks
from tests.simulation.invariants.keys import KeyChecks
from tests.simulation.invariants.lanes import QuotaChecks, TurnChecks
from tests.simulation.invariants.letters import LetterChecks
from tests.simulation.invariants.retries import RetryChecks
from tests.simulation.invariants.settlements import Settled, SettlementChecks
from tests.simulation.invariants.shutdowns import ShutdownChecks
from tests.simulation.invariants.starts import StartChecks
from tests.simulation.kafka import Broker
from tests.simulation.plan import Plan
from tests.simulation.platform import Platform
from tests.simulation.processes import Process, Processes
from tests.simulation.token_endpoint import TokenEndpoint
from tests.simulation.traffic import Traffic
from tests.simulation.weather import Weather

PATIENCE_S = 7200.0


@contextmanager
def smaller_bounds(plan: Plan) -> Iterator[None]:
    """Constants of the core that are too large for a world to come near them."""
    before = flood.FLOOD_REFUSALS, lanes.SWEEP_FROM
    flood.FLOOD_REFUSALS, lanes.SWEEP_FROM = plan.flood_refusals, plan.sweep_from
    try:
        yield
    finally:
        flood.FLOOD_REFUSALS, lanes.SWEEP_FROM = before


class World:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        with smaller_bounds(plan):
            self._build(plan)

    def _build(self, plan: Plan) -> None:
        clock = self.clock = Clock(Random(plan.seed))
        broker = self.broker = Broker()
        for number in range(plan.partitions):
            broker.add(Partition("t", number))
        self._keys = KeyChecks(plan, clock)
        self.platform = Platform(self._keys.twice)
        self.letters = DeadLetters(plan, clock)
        settled = self.settled = Settled(self.platform, self.letters)
        self.traffic = Traffic(plan, clock, broker)
        weather = Weather(plan, clock, self.traffic.last_produced_s)
        endpoint = Endpoint(plan, clock, self.platform, weather)
        self._tokens = TokenEndpoint(plan, clock, weather)

        commits = CommitChecks(broker, settled)
        self._starts = StartChecks(plan, broker, settled, commits, lambda *one: group.owns(*one))
        self._bodies = BodyChecks(plan)
        self._retries = RetryChecks(clock)
        self._quota = QuotaChecks(plan, clock)
        self._turns = TurnChecks(plan, clock)
        self._letter_checks = LetterChecks(plan, clock, endpoint, self._tokens, self._keys)

        self.processes = Processes(plan, clock, self.traffic, self._carry_out)
        self._commits = CommitRequests(
            plan, clock, broker, lambda *one: group.owns(*one), commits.look
        )
        self._settlements = SettlementChecks(plan, broker, settled, self._tokens)
        group = self.group = Group(
            plan,
            clock,
            broker,
            self.processes,
            self._commits,
            self._settles,
            ShutdownChecks(broker).look,
        )
        faults = self.faults = Faults(
            plan, clock, group, self.processes, self.traffic.last_produced_s
        )
        self._calls = Calls(
            plan,
            clock,
            endpoint,
            self._starts_call,
            self._call_answered,
            faults.cancel_hangs,
            faults.cancel_done,
        )
        for _ in range(plan.processes):
            group.poll(self.processes.start())
        group.assign_all()

    def run(self, until_s: float = PATIENCE_S) -> None:
        """Until everything is committed to its end; Broken if that does not come."""
        try:
            with smaller_bounds(self._plan):
                self._run(until_s)
            check_account(self.broker, self.platform, self.settled)
        except Broken as broken:
            raise Broken(f"{self.clock.now:.3f} s: {broken}") from broken

    def _run(self, until_s: float) -> None:
        looked_at = (-1, -1)
        while (due := self.clock.next_due) is not None:
            if (self._commits.made, self.group.moved) != looked_at:
                looked_at = (self._commits.made, self.group.moved)
                if self._is_done:
                    return
            if due > until_s:
                break
            self.clock.step()
        raise Broken(f"not done: {self._left()}")

    @property
    def _is_done(self) -> bool:
        has_moved = self.group.moved > 0 or self._plan.rebalances == 0
        return self.traffic.is_over and self.broker.is_committed_to_its_end and has_moved

    def _call_answered(
        self, process: Process, call: Call, answer: Sequence[Outcome] | CallRefused
    ) -> None:
        self._retries.answered(process, call, answer)
        self._turns.answered(call, answer)

    def _left(self) -> str:
        left = []
        for partition, end in self.broker.ends.items():
            owner = self.group.owner[partition]
            whose = "nobody" if owner is None else owner[0].name
            position = self.broker.committed[partition].position
            left.append(f"{partition} of {whose} at {position} of {end}")
        return ", ".join(left)

    # --- commands ------------------------------------------------------------------------------

    def _carry_out(self, process: Process) -> None:
        while self._carry_out_once(process):
            pass
        self._turns.nothing_more_to_send(process)
        self._letter_checks.look(process)
        process.wake_when_due()

    def _carry_out_once(self, process: Process) -> bool:
        """Whether there may be more, since something of it told the core a fact."""
        core = process.core
        while (call := core.next_call(self.clock.now)) is not None:
            self._calls.make(process, call)
        commands = core.take_commands()
        process.upsets += sum(alert.event in UPSETS for alert in commands.alerts)
        if process.is_unheard and not core.sender.keeps_cancels:
            process.upsets += 1
        process.is_unheard = core.sender.keeps_cancels
        for letter in commands.letters:
            self._letter_checks.ordered(process, letter)
            self.letters.write(process, letter)
        for order in commands.tokens:
            self._tokens.ask(process, order)
        if commands.commit:
            self._commits.send(process, tuple(commands.commit))
        for done in commands.finished:
            assert callable(done.ticket)
            done.ticket(done.plans)
        if commands.drop_cancels:
            for drop in list(process.cancels_in_flight.values()):
                drop()
        return bool(commands.finished)

    def _settles(
        self, process: Process, owned: Owned, offset: Offset, settlement: int | None
    ) -> None:
        self._settlements.look(process, owned, offset, settlement)
        self.faults.settled(process)

    def _starts_call(self, process: Process, call: Call, request: Request) -> None:
        self._starts.look(process, call)
        self._keys.started(call)
        self._bodies.look(call, request)
        self._retries.look(process, call)
        self._quota.look(process, call)
        self._turns.started(process, call)


UPSETS = ("process_stalled", "group_unheard", "flood_guard_holds")
"""Alerts after which reports are put aside that would have gone next."""
