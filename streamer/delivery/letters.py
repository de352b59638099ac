"""What happens to a report that is refused?

refused --- its flood guard holds ----> parked until the guard probes or closes
   |
   v
letter written and confirmed ---------> settled
   ^                    |
   +---- pause <---- failed (its key waits; nothing else does)
"""

from collections import deque
from collections.abc import Callable

from streamer.delivery.breaker import BreakerState
from streamer.delivery.commands import Alert, Commands, LetterOrder
from streamer.delivery.flood import FloodGuard, LastMinute
from streamer.delivery.jobs import Job
from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.delivery.watch import Watch
from streamer.model import BadMessage, DeadLetter, Reason, Refusal, RefusedReport, Report

SCHEMA_GUARDS_MOST = 1_000
"""Guards of schemas, from which on those with nothing to remember are forgotten."""

PROBE_LOOK_S = 1.0
"""How often a probe is looked after."""
PROBES_LOOKED_AT = 1_000
"""Of what is parked, at a time."""

NOT_A_FLOOD = frozenset(
    {Reason.EXHAUSTED, Reason.MAYBE_DELIVERED, Reason.LANE_HELD, Reason.UNKNOWN_INSTANCE}
)
"""Reasons that say nothing of the route: they come from time or from the lane."""


class _Held:
    """What one flood guard holds back, and its probe."""

    __slots__ = ("guard", "is_choosing", "is_looked_after", "parked", "probe")

    def __init__(self, guard: FloodGuard) -> None:
        self.guard = guard
        self.parked: deque[Job] = deque()
        self.probe: Job | None = None
        self.is_choosing = False
        self.is_looked_after = False

    @property
    def is_half_open(self) -> bool:
        return self.guard.breaker.state is BreakerState.HALF_OPEN

    def is_idle(self, now: float) -> bool:
        return not self.guard.holds and not self.parked and self.guard.is_quiet(now)


class Letters:
    """Flood guards and dead letters. `go(job, now)` sends a parked report on its way again."""

    def __init__(
        self,
        timers: Timers,
        write_pauses: Backoff,
        flood_pauses: Backoff,
        guard_floods: bool,
        commands: Callable[[], Commands],
        watch: Watch,
        wall_ms: Callable[[], int],
        settle: Callable[[Job, float], None],
        go: Callable[[Job, float], None],
        idle: Callable[[Job], None],
        is_stuck: Callable[[Job], bool],
    ) -> None:
        """`is_stuck(job)`: it waits in a lane that sends nothing now."""
        self._timers = timers
        self._write_pauses = write_pauses
        self._flood_pauses = flood_pauses
        self._guard_floods = guard_floods
        self._commands = commands
        self._watch = watch
        self._wall_ms = wall_ms
        self._settle = settle
        self._go = go
        self._idle = idle
        self._is_stuck = is_stuck
        self._held: dict[str, _Held] = {}
        self._schema_guards: dict[str, None] = {}
        self._sweep_at = SCHEMA_GUARDS_MOST
        self._decoded: dict[str, LastMinute] = {}
        self.unwritten: dict[Job, str] = {}
        """Jobs whose letter could not be written yet, with the writer's words."""

    # --- flood guards --------------------------------------------------------------------------

    def guard_of_route(self, route: str) -> FloodGuard:
        return self._guard(f"route {route}", None)

    def guard_of_schema(self, topic: str, schema: str, now: float) -> FloodGuard:
        name = f"topic {topic}, {schema}"
        if name not in self._held:
            if len(self._schema_guards) >= self._sweep_at:
                self._sweep_schema_guards(now)
            self._schema_guards[name] = None
        return self._guard(name, self._decoded_of(topic))

    def _sweep_schema_guards(self, now: float) -> None:
        """Forget those with nothing to remember: a hostile producer can name any schema."""
        for name in [n for n in self._schema_guards if self._held[n].is_idle(now)]:
            del self._held[name], self._schema_guards[name]
        self._sweep_at = max(SCHEMA_GUARDS_MOST, 2 * len(self._schema_guards))

    @property
    def guards(self) -> int:
        """How many guards are remembered."""
        return len(self._held)

    def decoded(self, topic: str, messages: int, now: float) -> None:
        """So many messages of the topic were decoded."""
        self._decoded_of(topic).count(now, messages)

    def _decoded_of(self, topic: str) -> LastMinute:
        decoded = self._decoded.get(topic)
        if decoded is None:
            decoded = self._decoded[topic] = LastMinute()
        return decoded

    def _guard(self, name: str, fine: LastMinute | None) -> FloodGuard:
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = _Held(FloodGuard(name, self._flood_pauses, fine))
        return held.guard

    @property
    def holding(self) -> dict[str, int]:
        """Parked reports by the name of the guard that holds them."""
        return {name: len(held.parked) for name, held in self._held.items() if held.guard.holds}

    def may_pass(self, job: Job) -> bool:
        """False: the job's guard holds it, and it was parked."""
        guard = job.guard
        if not guard.holds:
            return True
        held = self._held[guard.name]
        if held.probe is job:
            return True
        if guard.breaker.state is BreakerState.HALF_OPEN and held.probe is None:
            held.probe = job
            return True
        held.parked.append(job)
        return False

    def accepted(self, job: Job, now: float) -> None:
        """A report of the guard's was accepted: if it was the probe, a hold ends."""
        guard = job.guard
        if not guard.holds:
            guard.accepted(now)
            return
        held = self._held[guard.name]
        # What was sent before the guard held tells nothing of what came since.
        if held.probe is job and guard.accepted(now):
            self._release(held, now)

    def _release(self, held: _Held, now: float) -> None:
        """The hold ended: what was parked goes on, and may begin another."""
        held.probe = None
        parked, held.parked = held.parked, deque()
        self._watch.flood(held.guard.name, holds=False)
        for waiting in parked:
            if not waiting.part.ended:
                self._go(waiting, now)

    def refuse(self, job: Job, refusal: Refusal, now: float) -> None:
        """Dead-letter the job, unless its flood guard holds it back."""
        if self._guard_floods and refusal.reason not in NOT_A_FLOOD:
            if not self.may_pass(job):
                return
            self._count(job, now)
        else:
            self.told_nothing(job, now)
        self._order(job, _letter(job, refusal, self._wall_ms()))

    def told_nothing(self, job: Job, now: float) -> None:
        """It ended without telling anything of its route: the next one is to tell."""
        held = self._held.get(job.guard.name)
        if held is not None and held.probe is job:
            held.probe = None
            self._next_probe(held, now)

    def _count(self, job: Job, now: float) -> None:
        guard = job.guard
        held = self._held[guard.name]
        if held.probe is job:
            held.probe = None
        was_holding = guard.holds
        if guard.refused(now):
            self._timers.at(guard.breaker.probe_at, lambda at: self._probe(held, at))
            if not was_holding:
                self._watch.flood(guard.name, holds=True)
                alert = {"held": guard.name, "why": guard.breaker.why}
                self._commands().alerts.append(Alert("flood_guard_holds", alert))
        elif was_holding and not guard.holds:
            self._release(held, now)

    def _probe(self, held: _Held, now: float) -> None:
        if held.guard.breaker.state is not BreakerState.OPEN:
            return
        held.guard.breaker.probe()
        self._next_probe(held, now)
        if not held.is_looked_after:
            held.is_looked_after = True
            self._timers.at(now + PROBE_LOOK_S, lambda at: self._look_after_probe(held, at))

    def _look_after_probe(self, held: _Held, now: float) -> None:
        """A probe whose lane is held tells nothing of its route: another one is to tell.

        The one that is replaced stays where it waits, as a report like any other.
        """
        if not held.is_half_open:
            held.is_looked_after = False
            return
        if held.parked and (held.probe is None or self._is_stuck(held.probe)):
            held.probe = None
            self._next_probe(held, now)
        self._timers.at(now + PROBE_LOOK_S, lambda at: self._look_after_probe(held, at))

    def _next_probe(self, held: _Held, now: float) -> None:
        """A probe that ends at once (its lane is held for too long) makes the next one follow:
        here, not from within `_go`, since there may be thousands of them."""
        if held.is_choosing:
            return
        held.is_choosing = True
        while held.parked and held.probe is None and held.is_half_open:
            self._stuck_ones_last(held.parked)
            job = held.parked.popleft()
            if not job.part.ended:
                held.probe = job
                self._go(job, now)
        held.is_choosing = False

    def _stuck_ones_last(self, parked: deque[Job]) -> None:
        for _ in range(min(len(parked) - 1, PROBES_LOOKED_AT)):
            if parked[0].part.ended or not self._is_stuck(parked[0]):
                return
            parked.rotate(-1)

    def sweep_ended(self, now: float) -> None:
        """Partitions were fenced: forget what was parked of them, and replace lost probes."""
        for held in self._held.values():
            if any(job.part.ended for job in held.parked):
                held.parked = deque(job for job in held.parked if not job.part.ended)
            if held.probe is not None and held.probe.part.ended:
                held.probe = None
                self._next_probe(held, now)
        self.unwritten = {j: why for j, why in self.unwritten.items() if not j.part.ended}

    # --- writing -------------------------------------------------------------------------------

    def _order(self, job: Job, letter: DeadLetter) -> None:
        job.part.in_flight += 1
        self._commands().letters.append(LetterOrder(job, letter))

    def written(self, order: LetterOrder, now: float) -> None:
        """The broker confirmed the write."""
        job = order.job
        job.part.in_flight -= 1
        self.unwritten.pop(job, None)
        if not job.part.ended:
            topic = order.letter.message.partition.topic
            self._watch.dead_lettered(topic, order.letter.route, order.letter.refusal.reason)
            self._settle(job, now)
        self._idle(job)

    def failed(self, order: LetterOrder, kind: str, why: str, now: float) -> None:
        """The write failed: it is tried again after a pause, and its key waits."""
        job = order.job
        part = job.part
        part.in_flight -= 1
        job.letter_failures += 1
        if not part.ended:
            self._watch.letter_failed(order.letter.message.partition.topic, kind)
            if job not in self.unwritten:
                message = order.letter.message
                fields: dict[str, object] = {"message": str(message), "why": why}
                alert = Alert("dead_letter_not_written", fields, message.partition.topic)
                self._commands().alerts.append(alert)
            self.unwritten[job] = why
            due = now + self._write_pauses.delay_s(job.letter_failures)
            self._timers.at(due, lambda _: self._again(order))
        self._idle(job)

    def _again(self, order: LetterOrder) -> None:
        part = order.job.part
        if not part.ended and not part.stopping:
            self._order(order.job, order.letter)


def _letter(job: Job, refusal: Refusal, now_ms: int) -> DeadLetter:
    subject = job.subject
    last_ms = job.last_attempt_ms if job.attempts else now_ms
    match subject:
        case BadMessage():
            return DeadLetter(
                message=subject.message,
                refusal=refusal,
                schema=subject.schema,
                last_attempt_ms=last_ms,
            )
        case RefusedReport():
            return DeadLetter(
                message=subject.message,
                refusal=refusal,
                route=subject.route,
                trigger=subject.trigger,
                action=subject.action,
                instance=subject.instance or "",
                last_attempt_ms=last_ms,
            )
        case Report():
            return DeadLetter(
                message=subject.message,
                refusal=refusal,
                route=subject.route,
                trigger=subject.trigger,
                action=subject.action,
                instance=subject.lane.instance,
                entity=subject.entity or "",
                idempotency_key=subject.idempotency_key,
                attempts=job.attempts,
                first_attempt_ms=job.first_attempt_ms,
                last_attempt_ms=last_ms,
            )
