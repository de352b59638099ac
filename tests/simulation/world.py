"""A world: processes around the real core, a broker, a platform, and a clock of its own.

Every choice is drawn from one seeded generator, so a seed replays exactly. After every step the
invariants are checked (`_check_*`); a broken one raises `Broken` with the time and what was found.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from streamer.delivery import flood
from streamer.delivery.commands import Call, LetterOrder
from streamer.delivery.core import Core, CoreSettings
from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.outcomes import (
    Accepted,
    Denied,
    Outcome,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from streamer.model import (
    Action,
    BadMessage,
    Decoded,
    Event,
    Generation,
    LaneKey,
    Message,
    Offset,
    Owned,
    Partition,
    Position,
    Reason,
    Refusal,
    RefusedReport,
    Report,
    Routed,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)
from streamer.source.commit_metadata import NOTHING, read, settlement_hash
from streamer.source.done_set import DoneSet
from streamer.source.handover import Assigned, CommitFailure, CommitPlan, CommitResult
from streamer.source.offsets import Window
from tests.simulation.kafka import Broker, Committed, Record, Spec
from tests.simulation.platform import Platform

CLUSTER = "simulated"
LATE = SchemaRef("id", "7")
SESSION_S = 8.0
STALL_AFTER_S = 15.0
HAND_OVER_S = 0.15
HANGING_S = 6.0
"""Less than a session: what a dead process left in the network has arrived before its partitions
are given to another (the guarantees say what holds where that is not so)."""
REVOKE_TIMEOUT_S = 1.5
"""Less than calls that hang need, so that partitions go while theirs are in flight."""


DEPLOYMENT = Refused(Refusal(Reason.REFUSED, "deployment", status=400))


class Broken(AssertionError):
    """An invariant does not hold."""


class Silent:
    """A watch that counts nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(frozen=True)
class Plan:
    """What happens in a world; drawn from the seed (`draw_plan`), made smaller by hand."""

    seed: int
    messages: int = 250
    partitions: int = 3
    processes: int = 2
    keys: int = 20
    ordering: Ordering = Ordering.KEY
    batch_most: int = 1
    max_in_flight: int = 16
    metadata_limit: int = 4096
    unavailable: float = 0.05
    refused: float = 0.03
    throttled: float = 0.01
    lost_answers: float = 0.03
    hanging: float = 0.02
    """Calls that take seconds."""
    letter_failures: float = 0.1
    commit_failures: float = 0.05
    """Not made, and told so."""
    commits_in_doubt: float = 0.05
    """Made, and told to have failed."""
    broker_limit: int = 4096
    """What the broker takes as metadata; the windows believe `metadata_limit`."""
    gap_s: float = 0.05
    """Between two messages, on average."""
    outages: int = 1
    crashes: int = 1
    crashes_after_cancels: int = 1
    rebalances: int = 2
    stalls: int = 1
    stalls_at_assignments: int = 1
    moves_while_cancels_hang: int = 2
    token_life_s: float = 30.0
    token_refusals: float = 0.05
    registry_back_s: float = 10.0
    bad_deployment_s: float = 0.0
    """Until then the endpoint refuses all of one route."""
    flood_refusals: int = 100
    retry_for_s: float = 900.0


@dataclass
class Process:
    name: str
    core: Core
    intake: Intake
    alive: bool = True
    commits: int = 0
    """In flight."""
    refused: int = 0
    """By a bad deployment."""
    stalled_until: float = 0.0
    doubted: dict[Owned, float] = field(default_factory=dict)
    """Assignments from before a stall, and when it ended: no call before a commit since."""
    stopping: set[Owned] = field(default_factory=set)
    """What is being revoked, and it was told: no call starts."""
    position: dict[Owned, int] = field(default_factory=dict)
    cancels_in_flight: dict[int, Callable[[], None]] = field(default_factory=dict)
    needed: set[SchemaRef] = field(default_factory=set)
    next_tick: float = float("inf")


class World:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        flood.FLOOD_REFUSALS = plan.flood_refusals
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = count()
        self._generation = count(1)
        self._calls = count()
        self.broker = Broker()
        self.platform = Platform()
        self.processes: list[Process] = []
        self.owner: dict[Partition, tuple[Process, Owned] | None] = {}
        self.moving: set[Partition] = set()
        self.letters: dict[str, str] = {}
        """Dead letters by what they are of, with their reason."""
        self.refused_by_platform: set[str] = set()
        self.done: dict[Partition, DoneSet] = {}
        """What the broker has as settled beyond each position."""
        self.pinned: dict[Partition, set[tuple[int, int]]] = {}
        """Cancels (offset, settlement) after which a report started."""
        self.outages: dict[str, float] = {}
        """By instance, until when nothing of it is answered."""
        self.steps = 0
        self.in_flight: dict[str, int] = {}
        self.started: list[str] = []
        self._look_whether_done = False
        self.moves_while_cancels_hang = plan.moves_while_cancels_hang
        self.stalls_at_assignments = plan.stalls_at_assignments
        self.crashes_after_cancels = plan.crashes_after_cancels
        self.produced = 0
        for number in range(plan.partitions):
            partition = Partition("t", number)
            self.broker.add(partition)
            self.owner[partition] = None
        for _ in range(plan.processes):
            self._start_process()
        for partition in self.owner:
            self._assign(partition)
        self._schedule_traffic()
        self._schedule_faults()

    # --- time ----------------------------------------------------------------------------------

    def at(self, due: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (due, next(self._sequence), action))

    def after(self, most_s: float, action: Callable[[], None]) -> None:
        self.at(self.now + self.random.uniform(0, most_s), action)

    def fact(self, process: Process, most_s: float, action: Callable[[], None]) -> None:
        """Bring a fact to a process, if it lives then, and not while it is stopped."""

        def bring() -> None:
            if not process.alive:
                return
            if process.stalled_until > self.now:
                self.at(process.stalled_until, bring)
                return
            action()
            self._pump(process)

        self.after(most_s, bring)

    def run(self, until_s: float = 3600.0) -> None:
        """Until everything is committed to its end; Broken if that does not come."""
        while self._heap and not (self._look_whether_done and self._is_done()):
            due, _, action = heapq.heappop(self._heap)
            if due > until_s:
                raise Broken(f"not done after {until_s} s: {self._left()}")
            self.now = max(self.now, due)
            action()
            self.steps += 1
        if not self._is_done():
            raise Broken(f"nothing happens any more: {self._left()}")
        self._check_account()

    def _is_done(self) -> bool:
        self._look_whether_done = False
        return self.produced == self.plan.messages and all(
            self.broker.committed[p].position >= end for p, end in self.broker.ends.items()
        )

    def _left(self) -> str:
        left = []
        for partition, end in self.broker.ends.items():
            owner = self.owner[partition]
            whose = "nobody" if owner is None else owner[0].name
            position = self.broker.committed[partition].position
            left.append(f"{partition} of {whose} at {position} of {end}")
        return ", ".join(left)

    # --- traffic -------------------------------------------------------------------------------

    def _schedule_traffic(self) -> None:
        at = 0.0
        for _ in range(self.plan.messages):
            at += self.random.expovariate(1 / self.plan.gap_s)
            self.at(at, self._produce)
        self.last_produced_s = at

    def _produce(self) -> None:
        random = self.random
        partition = random.choice(list(self.owner))
        offset = self.broker.ends[partition] + (random.random() < 0.03) * random.randint(1, 5)
        number = random.randrange(self.plan.keys)
        key = None if random.random() < 0.1 else f"{partition.number}-{number}".encode()
        kind = random.choices(["event", "bad", "late"], [0.93, 0.03, 0.04])[0]
        record = Record(partition, offset, key, kind, self._specs(partition, number))
        self.broker.append(record)
        self.produced += 1

    def _specs(self, partition: Partition, number: int) -> tuple[Spec, ...]:
        """Reports, cancels, both, or nothing, of an entity that stays in its partition."""
        random = self.random
        entity = f"{partition.number}-{number % 5}"
        instance = f"site-{number % 3}"
        report = Spec("reporting", "due", instance, entity=entity)
        cancel = Spec("cancelling", "due", instance, cancel=True, entity=entity)
        other = Spec("other", "welcome", f"site-{(number + 1) % 3}")
        broken = Spec("broken", "welcome", "")
        return random.choices(
            [
                (report,),
                (cancel,),
                (cancel, report),
                (other,),
                (report, other),
                (broken, other),
                (),
            ],
            [0.3, 0.15, 0.1, 0.2, 0.15, 0.05, 0.05],
        )[0]

    # --- faults --------------------------------------------------------------------------------

    def _schedule_faults(self) -> None:
        plan, random = self.plan, self.random
        span = self.last_produced_s
        for _ in range(plan.outages):
            self.at(random.uniform(0, span), self._outage)
        for _ in range(plan.crashes):
            self.at(random.uniform(0, span), self._crash)
        for _ in range(plan.rebalances):
            self.at(random.uniform(0, span), self._rebalance)
        for _ in range(plan.stalls):
            self.at(random.uniform(0, span), self._stall)

    def _outage(self) -> None:
        """Of all, or of one site: its reports hold the position while the others go on."""
        sites = ["site-0", "site-1", "site-2"]
        down = self.random.choice([sites, *([site] for site in sites)])
        until = self.now + self.random.uniform(1, 120)
        self.outages.update(dict.fromkeys(down, until))

    def _crash(self) -> None:
        alive = [p for p in self.processes if p.alive]
        self._kill(self.random.choice(alive))

    def _kill(self, process: Process) -> None:
        process.alive = False
        self.in_flight[process.name] = 0
        self._start_process()
        self._give_away(process, SESSION_S)

    def _stall(self) -> None:
        running = [p for p in self.processes if p.alive and p.stalled_until <= self.now]
        if running:
            self._stop_for_a_while(self.random.choice(running))

    def _stop_for_a_while(self, process: Process) -> None:
        if not process.alive or process.stalled_until > self.now:
            return
        length_s = self.random.choice([5.0, 20.0, 40.0])
        process.stalled_until = self.now + length_s
        if length_s > STALL_AFTER_S:
            # What it was told before it stopped it may not have looked at yet.
            for owner in self.owner.values():
                if owner is not None and owner[0] is process:
                    process.doubted[owner[1]] = process.stalled_until
        # The group may be slower to notice than we are.
        if length_s > SESSION_S and self.random.random() < 0.7:
            self._give_away(process, SESSION_S)

    def _give_away(self, process: Process, after_s: float) -> None:
        """The group notices that the process is gone, and gives its partitions to others."""

        def expelled() -> None:
            gone = [
                (partition, owner[1])
                for partition, owner in self.owner.items()
                if owner is not None and owner[0] is process
            ]
            for partition, _ in gone:
                self.owner[partition] = None
                self.moving.discard(partition)
                self._assign(partition, but=process)
            owned = [owned for _, owned in gone]

            # One that stood still learns of it only by its next heartbeat.
            self.at(
                max(self.now, process.stalled_until),
                lambda: self.fact(process, 1.0, lambda: self._lost(process, owned)),
            )

        self.at(self.now + after_s, expelled)

    def _lost(self, process: Process, owned: Sequence[Owned]) -> None:
        for one in owned:
            process.position.pop(one, None)
        process.core.fenced(owned, self.now)

    def _rebalance(self) -> None:
        self._move(self.random.choice(list(self.owner)))

    def _move(self, partition: Partition) -> None:
        """Move a partition in an orderly way: revoke, drain, commit, fence, assign."""
        owner = self.owner[partition]
        if owner is None or partition in self.moving:
            return
        process, owned = owner
        if process.stalled_until > self.now or not process.alive:
            return
        self.moving.add(partition)
        done: list[bool] = []

        def finished(plans: Sequence[CommitPlan]) -> None:
            if not done and process.alive:
                done.append(True)
                self._gone(process, owned, plans)

        def revoking() -> None:
            process.stopping.add(owned)
            process.core.revoking([owned], finished, self.now)

        self.fact(process, 0.0, revoking)

        def out_of_time() -> None:
            if not done and self._owns(process, owned):
                done.append(True)
                self._gone(process, owned, ())

        self.at(self.now + REVOKE_TIMEOUT_S, lambda: self.fact(process, 0.0, out_of_time))

    def _gone(self, process: Process, owned: Owned, plans: Sequence[CommitPlan]) -> None:
        if not self._owns(process, owned):
            return
        failures = []
        for plan in plans:
            if self.random.random() > 0.2 and self._has_room(plan):
                self._commit(process, plan)
            else:
                failures.append(CommitFailure(plan.owned.partition, "UNKNOWN"))
        if plans:
            process.core.committed(CommitResult(tuple(plans), tuple(failures)), self.now)
        process.position.pop(owned, None)
        process.core.fenced([owned], self.now)
        self.owner[owned.partition] = None
        self.moving.discard(owned.partition)
        self._assign(owned.partition)

    # --- the group -----------------------------------------------------------------------------

    def _owns(self, process: Process, owned: Owned) -> bool:
        owner = self.owner[owned.partition]
        return owner is not None and owner[0] is process and owner[1] == owned

    def _start_process(self) -> None:
        name = f"process-{len(self.processes)}"
        core = Core(
            CoreSettings(
                ordering=self.plan.ordering,
                max_in_flight=self.plan.max_in_flight,
                batch_most=self.plan.batch_most,
                retry_for_s=self.plan.retry_for_s,
                stall_after_s=STALL_AFTER_S,
            ),
            {"default": False},
            frozenset({("default", "due")}),
            Silent(),
            self.random.random,
            lambda: int(self.now * 1000),
        )
        process: Process
        known: set[SchemaRef] = set()
        intake = Intake(
            core,
            lambda message: self._decode(message, known),
            self._route,
            self.plan.ordering,
            frozenset({("default", "due")}),
            lambda ref: self._fetch(process, ref, known),
        )
        process = Process(name, core, intake)
        self.processes.append(process)
        self.in_flight[name] = 0
        core.tick(self.now)
        self._beat(process)
        self._poll(process)

    def _assign(self, partition: Partition, but: Process | None = None) -> None:
        candidates = [
            p for p in self.processes if p.alive and p is not but and p.stalled_until <= self.now
        ]
        if not candidates:
            self.at(self.now + 1.0, lambda: self._assign(partition))
            return
        if self.owner[partition] is not None:
            return
        process = self.random.choice(candidates)
        owned = Owned(partition, Generation(next(self._generation)))
        self.owner[partition] = (process, owned)
        self.moving.add(partition)

        def read_offset() -> None:
            if not self._owns(process, owned):
                return
            committed = self.broker.committed[partition]
            position = Position(committed.position)
            metadata = read(committed.metadata, position, CLUSTER, partition)
            if metadata.rejected is not None and metadata.rejected.value != "absent":
                raise Broken(f"own metadata rejected: {metadata.rejected}")
            window = Window(
                Assigned(owned, position, metadata.restored, 0),
                CLUSTER,
                "subscription",
                self.plan.metadata_limit,
            )

            def assigned() -> None:
                self.moving.discard(partition)
                process.core.tick(self.now)
                before = process.core.partitions.get(partition)
                if before is not None:  # the client tells of the loss first
                    self._lost(process, [before.owned])
                process.core.assigned(owned, window)
                process.position[owned] = position

            self.fact(process, 0.3, assigned)

        self.fact(process, 0.3, read_offset)
        if self.stalls_at_assignments and self.random.random() < 0.2:
            self.stalls_at_assignments -= 1
            self.after(0.6, lambda: self._stop_for_a_while(process))

    def _poll(self, process: Process) -> None:
        def polled() -> None:
            self._poll(process)
            if not process.alive or process.stalled_until > self.now:
                return
            for owned, position in list(process.position.items()):
                part = process.core.partitions.get(owned.partition)
                if part is None or part.stopping or part.window.held_messages > 50:
                    continue
                records = self.broker.read(owned.partition, position, 20)
                if records:
                    process.position[owned] = records[-1].offset + 1
                    self._hand_over(process, [_message(r, owned) for r in records])

        if process.alive:
            self.after(0.2, polled)

    def _hand_over(self, process: Process, messages: list[Message]) -> None:
        """It takes a moment, in which the partition may go, and come again."""

        def taken_in() -> None:
            process.core.tick(self.now)
            process.intake.take_in(messages, self.now)

        self.at(self.now + HAND_OVER_S, lambda: self.fact(process, 0.0, taken_in))

    def _beat(self, process: Process) -> None:
        def beat() -> None:
            process.core.tick(self.now)
            self._beat(process)

        self.fact(process, 2.0, beat)

    # --- decode and route ----------------------------------------------------------------------

    def _decode(self, message: Message, known: set[SchemaRef]) -> Decoded:
        record = self._record(message)
        if record.kind == "bad":
            return BadMessage(message, Refusal(Reason.UNDECODABLE, "bad"), "none")
        if record.kind == "late" and LATE not in known:
            return SchemaNeeded(message, LATE)
        return Event(message, "t", {})

    def _record(self, message: Message) -> Record:
        return self.broker.at[message.partition, message.offset]

    def _route(self, event: Event | Tombstone) -> Routed:
        message = event.message
        return Routed(tuple(_report(message, s) for s in self._record(message).specs))

    def _fetch(self, process: Process, ref: SchemaRef, known: set[SchemaRef]) -> None:
        def fetched() -> None:
            if self.now < self.plan.registry_back_s:
                self._fetch(process, ref, known)
                return
            known.add(ref)
            process.intake.learned(ref, self.now)

        self.fact(process, 2.0, fetched)

    # --- commands ------------------------------------------------------------------------------

    def _pump(self, process: Process) -> None:
        core = process.core
        while (call := core.next_call(self.now)) is not None:
            self._call(process, call)
        commands = core.take_commands()
        for letter in commands.letters:
            self._letter(process, letter)
        for token in commands.tokens:
            self._token(process, token.scope)
        if commands.commit:
            self._commit_later(process, tuple(commands.commit))
        for done in commands.finished:
            assert callable(done.ticket)
            done.ticket(done.plans)
        if commands.drop_cancels:
            for drop in list(process.cancels_in_flight.values()):
                drop()
        self._check_limits(process)
        due = core.next_due
        if due is not None and due < process.next_tick:
            process.next_tick = due
            self.at(max(due, self.now), lambda: self._ring(process))

    def _ring(self, process: Process) -> None:
        process.next_tick = float("inf")
        self.fact(process, 0.0, lambda: process.core.tick(self.now))

    def _token(self, process: Process, scope: str) -> None:
        life_s = self.plan.token_life_s
        book = process.core.books["default"]
        number = next(self._sequence)
        if self.random.random() < 0.1:
            self.fact(process, 0.3, lambda: book.unavailable(scope, "down", None, self.now))
        elif self.random.random() < self.plan.token_refusals:
            self.fact(process, 0.3, lambda: book.refused(scope, "401", self.now))
        else:
            self.fact(
                process, 0.3, lambda: book.granted(scope, f"token-{number}", life_s, self.now)
            )

    def _letter(self, process: Process, order: LetterOrder) -> None:
        failed = self.random.random() < self.plan.letter_failures

        def ended() -> None:
            if failed:
                process.core.letter_failed(order, "transient", "no broker", self.now)
            else:
                self.letters[_name(order)] = order.letter.refusal.reason
                process.core.letter_written(order, self.now)

        slow = self.random.random() < self.plan.hanging
        self.fact(process, HANGING_S if slow else 0.1, ended)

    def _commit_later(self, process: Process, plans: tuple[CommitPlan, ...]) -> None:
        process.commits += 1
        if process.commits > 1:
            raise Broken(f"{self.now}: {process.name} has two commits in flight")
        # The broker decides when the request reaches it; the answer comes later.
        arrives_s = self.random.uniform(0, 0.1)

        def arrived() -> None:
            failures = []
            for plan in plans:
                partition = plan.owned.partition
                if not self._owns(process, plan.owned) or (
                    self.random.random() < self.plan.commit_failures
                ):
                    failures.append(CommitFailure(partition, "ILLEGAL_GENERATION"))
                elif not self._has_room(plan):
                    code = "OFFSET_METADATA_TOO_LARGE"
                    failures.append(CommitFailure(partition, code, metadata_too_large=True))
                else:
                    self._commit(process, plan)
                    if self.random.random() < self.plan.commits_in_doubt:
                        failures.append(CommitFailure(partition, "UNKNOWN"))
            result = CommitResult(plans, tuple(failures))

            def told() -> None:
                process.commits -= 1
                process.core.committed(result, self.now)

            self.fact(process, 0.1, told)

        self.at(self.now + arrives_s, arrived)

    def _has_room(self, plan: CommitPlan) -> bool:
        return len(plan.metadata) < self.plan.broker_limit

    def _commit(self, process: Process, plan: CommitPlan) -> None:
        since = process.doubted.get(plan.owned)
        if since is not None and self.now >= since:
            del process.doubted[plan.owned]
        partition = plan.owned.partition
        self._check_position(plan)
        self._check_pinned(plan)
        self.broker.committed[partition] = Committed(plan.position, plan.metadata)
        self._look_whether_done = True

    # --- calls ---------------------------------------------------------------------------------

    def _call(self, process: Process, call: Call) -> None:
        self._check_start(process, call)
        number = next(self._calls)
        self.in_flight[process.name] += 1
        latency_s = self.random.choice([0.05, 0.05, 0.05, 0.5])
        if self.random.random() < self.plan.hanging:
            latency_s = self.random.uniform(0.5, HANGING_S)
            if call.batch.action is Action.CANCEL and self.moves_while_cancels_hang:
                # It may arrive when another process has gone on long since.
                self.moves_while_cancels_hang -= 1
                partition = call.batch.reports[0].message.partition
                self.after(0.2, lambda: self._move(partition))
        arrives_at = self.now + latency_s * self.random.random()
        outcomes: list[Outcome] = []
        dropped: list[bool] = []

        def arrived() -> None:
            if not dropped:
                outcomes.extend(self._answer(report) for report in call.batch.reports)
                process.refused += sum(outcome == DEPLOYMENT for outcome in outcomes)
                self._crash_after_cancel(process, call)

        def answered() -> None:
            if dropped:
                return
            process.cancels_in_flight.pop(number, None)
            self.in_flight[process.name] -= 1
            process.core.answered(call, outcomes, self.now)

        def drop() -> None:
            dropped.append(True)
            process.cancels_in_flight.pop(number, None)

            def told() -> None:
                self.in_flight[process.name] -= 1
                process.core.dropped(call, self.now)

            self.fact(process, 0.01, told)

        if call.batch.action is Action.CANCEL:
            process.cancels_in_flight[number] = drop
        self.at(arrives_at, arrived)
        self.at(self.now + latency_s, lambda: self.fact(process, 0.0, answered))

    def _crash_after_cancel(self, process: Process, call: Call) -> None:
        """Where the cancel rule matters: a cancel took effect, and its commit is not made."""
        if (
            call.batch.action is Action.CANCEL
            and self.crashes_after_cancels
            and process.alive
            and self.random.random() < 0.1
        ):
            self.crashes_after_cancels -= 1
            self.at(self.now + self.random.uniform(0, 0.6), lambda: self._kill_if_alive(process))

    def _kill_if_alive(self, process: Process) -> None:
        if process.alive:
            self._kill(process)

    def _answer(self, report: Report) -> Outcome:
        plan, draw = self.plan, self.random.random
        if self.now < self.outages.get(report.lane.instance, 0.0):
            return Unavailable(detail="503", status=503, maybe_accepted=False, retry_after_s=None)
        if draw() < plan.unavailable:
            return Unavailable(detail="500", status=500, maybe_accepted=True, retry_after_s=None)
        if draw() < plan.throttled:
            return Throttled(retry_after_s=1.0)
        if draw() < 0.005:
            return Denied(detail="403")
        if draw() < 0.005:
            return Unauthorized(detail="401")
        name = f"{report.message}/{report.route}"
        if report.route == "other" and self.now < plan.bad_deployment_s:
            return DEPLOYMENT
        # The endpoint refuses the same report each time.
        if hash_share(name, plan.seed) < plan.refused and report.action is Action.REPORT:
            self.refused_by_platform.add(name)
            return Refused(refusal=Refusal(Reason.REFUSED, "428", status=428))
        self.platform.take(report)
        if draw() < plan.lost_answers:
            return Unavailable(detail="reset", status=None, maybe_accepted=True, retry_after_s=None)
        return Accepted(activations=1, request_id=None, nothing_to_cancel=False)

    # --- what must always hold -----------------------------------------------------------------

    def _check_limits(self, process: Process) -> None:
        if self.in_flight[process.name] > self.plan.max_in_flight:
            raise Broken(f"{self.now}: {self.in_flight[process.name]} calls in flight")

    def _check_start(self, process: Process, call: Call) -> None:
        seen = set()
        for report in call.batch.reports:
            owned = Owned(report.message.partition, report.message.generation)
            if not self._owns(process, owned):
                raise Broken(f"{self.now}: {process.name} sends {report.message} of others")
            if owned in process.stopping:
                raise Broken(f"{self.now}: {report.message} starts during its revocation")
            if owned in process.doubted:
                raise Broken(f"{self.now}: {report.message} starts after a stall, uncommitted")
            self._check_cancels(report)
            key = (report.message.key, report.lane)
            if report.message.key is not None and self.plan.ordering is Ordering.KEY:
                if key in seen:
                    raise Broken(f"{self.now}: two of one ordering key in a batch")
                seen.add(key)
            self._check_order(report)

    def _check_cancels(self, report: Report) -> None:
        """The cancels before a report are committed, and from now on every commit has them."""
        if report.action is Action.CANCEL:
            return
        message = report.message
        for record in self.broker.uncommitted(message.partition):
            if record.offset > message.offset:
                break
            for spec in record.specs if record.kind != "bad" else ():
                if record.offset == message.offset and spec.route == report.route:
                    break
                named = (spec.instance, spec.trigger, spec.entity)
                if spec.cancel and named == (report.lane.instance, report.trigger, report.entity):
                    self._pin(report, record.offset, spec)

    def _pin(self, report: Report, offset: int, cancel: Spec) -> None:
        name = f"c\x00{cancel.trigger}\x00{cancel.instance}\x00{cancel.entity}"
        settlement = settlement_hash(name)
        partition = report.message.partition
        if not self.done.get(partition, NOTHING).shows(Offset(offset), settlement):
            raise Broken(f"{self.now}: {report.message} starts, its cancel {offset} uncommitted")
        self.pinned.setdefault(partition, set()).add((offset, settlement))

    def _check_pinned(self, plan: CommitPlan) -> None:
        partition = plan.owned.partition
        done = read(plan.metadata, plan.position, CLUSTER, partition).restored
        pinned = {pin for pin in self.pinned.get(partition, ()) if pin[0] >= plan.position}
        for offset, settlement in pinned:
            if not done.shows(Offset(offset), settlement):
                raise Broken(f"{self.now}: {partition} commits without its cancel {offset}")
        self.pinned[partition] = pinned
        self.done[partition] = done

    def _check_order(self, report: Report) -> None:
        """Everything before it in its order is accepted, refused for good, or dead-lettered."""
        message = report.message
        # What the position has passed was found settled when it was committed.
        for record in self.broker.uncommitted(message.partition):
            if record.offset >= message.offset:
                break
            if record.kind == "bad":
                continue
            for spec in record.specs:
                if self._is_before(record, spec, report) and not self._is_settled(record, spec):
                    raise Broken(
                        f"{self.now}: {message}/{report.route} starts before "
                        f"{record.offset}/{spec.route} is settled"
                    )

    def _is_before(self, record: Record, spec: Spec, report: Report) -> bool:
        if spec.instance != report.lane.instance:
            return False
        if self.plan.ordering is Ordering.PARTITION:
            return True
        same_key = record.key is not None and record.key == report.message.key
        if self.plan.ordering is Ordering.KEY and same_key:
            return True
        one_cancels = spec.cancel or report.action is Action.CANCEL
        same_entity = spec.entity is not None and spec.entity == report.entity
        return one_cancels and same_entity and spec.trigger == report.trigger

    def _is_settled(self, record: Record, spec: Spec) -> bool:
        name = f"{record.partition.topic}[{record.partition.number}]@{record.offset}/{spec.route}"
        if name in self.letters:
            return True
        if spec.cancel:
            return name in self.platform.cancels
        return name in self.platform.activations

    def _check_position(self, plan: CommitPlan) -> None:
        partition = plan.owned.partition
        if plan.position < self.broker.committed[partition].position:
            raise Broken(f"{self.now}: {partition} goes back to {plan.position}")
        metadata = read(plan.metadata, plan.position, CLUSTER, partition)
        done = metadata.restored
        for record in self.broker.uncommitted(partition):
            passed = record.offset < plan.position or done.covers(Offset(record.offset))
            if not passed:
                continue
            if record.kind == "bad" and f"t[{partition.number}]@{record.offset}/" in self.letters:
                continue
            unsettled = [s for s in record.specs if not self._is_settled(record, s)]
            if unsettled or record.kind == "bad":
                raise Broken(f"{self.now}: {partition} commits {record.offset}, unsettled")

    def _check_account(self) -> None:
        """At the end: nothing lost, nothing doubled, and cancels did what they should."""
        for partition, log in self.broker.log.items():
            alive: dict[tuple[str, str, str | None], list[str]] = {}
            for record in log:
                name = f"t[{partition.number}]@{record.offset}"
                for spec in record.specs if record.kind != "bad" else ():
                    if not self._is_settled(record, spec):
                        raise Broken(f"lost: {name}/{spec.route}")
                    self._replay(spec, f"{name}/{spec.route}", alive)
            self._check_reasons()
            for keys in alive.values():
                for key in keys:
                    activation = self.platform.activations.get(key)
                    if activation is not None and activation.cancelled:
                        raise Broken(f"{key} was cancelled by a cancel from before it")

    def _check_reasons(self) -> None:
        """An outage dead-letters nothing, and a bad deployment little more than the guard lets."""
        for name, reason in self.letters.items():
            if reason in (Reason.EXHAUSTED, Reason.MAYBE_DELIVERED):
                raise Broken(f"{name} was dead-lettered as {reason}")
        plan = self.plan
        most = plan.flood_refusals + plan.max_in_flight * plan.batch_most + 10
        for process in self.processes:
            if process.refused > most:
                raise Broken(f"{process.refused} refusals of one route, at most {most}")

    def _replay(
        self, spec: Spec, name: str, alive: dict[tuple[str, str, str | None], list[str]]
    ) -> None:
        of_entity = alive.setdefault((spec.instance, spec.trigger, spec.entity), [])
        if spec.entity is None or name in self.letters:
            return
        if spec.cancel:
            of_entity.clear()
        else:
            of_entity.append(name)


def hash_share(name: str, seed: int) -> float:
    """A share in [0, 1) that belongs to the name."""
    return Random(f"{seed}/{name}").random()


def _message(record: Record, owned: Owned) -> Message:
    return Message(
        partition=record.partition,
        generation=owned.generation,
        offset=Offset(record.offset),
        timestamp_ms=0,
        key=record.key,
        value=b"",
    )


def _report(message: Message, spec: Spec) -> Report | RefusedReport:
    action = Action.CANCEL if spec.cancel else Action.REPORT
    if not spec.instance:
        refusal = Refusal(Reason.EXPRESSION_FAILED, "broken")
        return RefusedReport(message, spec.route, spec.trigger, action, refusal)
    return Report(
        message=message,
        route=spec.route,
        lane=LaneKey("default", spec.instance),
        trigger=spec.trigger,
        action=action,
        entity=spec.entity,
        payload=b"{}",
        idempotency_key="" if spec.cancel else f"{message}/{spec.route}",
    )


def _name(order: LetterOrder) -> str:
    return f"{order.letter.message}/{order.letter.route}"
