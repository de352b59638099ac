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

NOT_A_FLOOD = frozenset({Reason.EXHAUSTED, Reason.MAYBE_DELIVERED})
"""Reasons that say nothing of the route: they come from time, not from what the route makes."""


class _Held:
    """What one flood guard holds back, and its probe."""

    __slots__ = ("guard", "parked", "probe")

    def __init__(self, guard: FloodGuard) -> None:
        self.guard = guard
        self.parked: deque[Job] = deque()
        self.probe: Job | None = None


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
    ) -> None:
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
        self._held: dict[str, _Held] = {}
        self._decoded: dict[str, LastMinute] = {}
        self.unwritten: dict[Job, str] = {}
        """Jobs whose letter could not be written yet, with the writer's words."""

    # --- flood guards --------------------------------------------------------------------------

    def guard_of_route(self, route: str) -> FloodGuard:
        return self._guard(f"route {route}", None)

    def guard_of_schema(self, topic: str, schema: str) -> FloodGuard:
        return self._guard(f"topic {topic}, {schema}", self._decoded_of(topic))

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
        """A report of the guard's was accepted: a hold ends."""
        if job.guard.accepted(now):
            held = self._held[job.guard.name]
            held.probe = None
            parked, held.parked = held.parked, deque()
            self._watch.flood(job.guard.name, holds=False)
            for waiting in parked:
                if not waiting.part.ended:
                    self._go(waiting, now)

    def refuse(self, job: Job, refusal: Refusal, now: float) -> None:
        """Dead-letter the job, unless its flood guard holds it back."""
        if self._guard_floods and refusal.reason not in NOT_A_FLOOD:
            if not self.may_pass(job):
                return
            self._count(job, now)
        self._order(job, _letter(job, refusal, self._wall_ms()))

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

    def _probe(self, held: _Held, now: float) -> None:
        if held.guard.breaker.state is not BreakerState.OPEN:
            return
        held.guard.breaker.probe()
        self._next_probe(held, now)

    def _next_probe(self, held: _Held, now: float) -> None:
        while held.parked:
            job = held.parked.popleft()
            if not job.part.ended:
                held.probe = job
                self._go(job, now)
                return

    def sweep_ended(self, now: float) -> None:
        """Partitions were fenced: forget what was parked of them, and replace lost probes."""
        for held in self._held.values():
            if any(job.part.ended for job in held.parked):
                held.parked = deque(job for job in held.parked if not job.part.ended)
            if held.probe is not None and held.probe.part.ended:
                held.probe = None
                if held.guard.breaker.state is BreakerState.HALF_OPEN:
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
                fields: dict[str, object] = {"message": str(order.letter.message), "why": why}
                self._commands().alerts.append(Alert("dead_letter_not_written", fields))
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
