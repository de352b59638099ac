"""Which call goes out next, and what does its answer change?"""

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from streamer.delivery.breaker import Breaker, BreakerState
from streamer.delivery.commands import Alert, Call, Commands
from streamer.delivery.jobs import Job
from streamer.delivery.lanes import Channel, Lane, Lanes, take_batch
from streamer.delivery.letters import Letters
from streamer.delivery.limit import CallEnd, ConcurrencyLimit
from streamer.delivery.outcomes import (
    Accepted,
    Denied,
    Outcome,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.delivery.tokens import TokenBook
from streamer.delivery.watch import Watch
from streamer.model import Action, Batch, LaneKey, Reason, Refusal, Report

KEY_LIFE_S = 7 * 24 * 3600.0
"""How long the endpoint remembers an idempotency key by default (its reference page)."""


class SenderSettings(Struct, frozen=True):
    batch_most: int = 1
    retry_for_s: float = 900.0
    call_timeout_s: float = 10.0


class Sender:
    """Lanes, tokens, breakers and the limit. `settle` and `letters` take what is decided."""

    def __init__(
        self,
        settings: SenderSettings,
        lanes: Lanes,
        limit: ConcurrencyLimit,
        books: Mapping[str, TokenBook],
        letters: Letters,
        timers: Timers,
        retries: Backoff,
        throttles: Backoff,
        commands: Callable[[], Commands],
        watch: Watch,
        wall_ms: Callable[[], int],
        settle: Callable[[Job, float], None],
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._limit = limit
        self._books = books
        self._letters = letters
        self._timers = timers
        self._retries = retries
        self._throttles = throttles
        self._commands = commands
        self._watch = watch
        self._wall_ms = wall_ms
        self._settle = settle
        self._waiting_token: dict[tuple[str, str], list[Lane]] = {}
        self.in_flight = 0

    # --- sending -------------------------------------------------------------------------------

    def put(self, job: Job) -> None:
        """The job may be sent: it waits for its lane's turn."""
        report = _report(job)
        self._lanes.put(self._lanes.channel(report.lane, report.trigger), job)

    def next_call(self, now: float) -> Call | None:
        """The call to make now, if one may be made; ask again until there is none."""
        while self.in_flight < (limit := self._limit.limit):
            channel = self._lanes.next(limit)
            if channel is None:
                return None
            lane = channel.lane
            token = self._books[lane.key.endpoint].token(lane.key.instance, now)
            if token is None:
                self._wait_for_token(channel)
                continue
            is_probe = channel.holds is not None
            most = 1 if is_probe else self._settings.batch_most
            jobs = take_batch(channel, most, lambda job: self._may_go(job, now))
            if is_probe and jobs:
                channel.probes += 1
            self._lanes.stand(channel)
            if jobs:
                return self._start(channel, jobs, token, is_probe, now)
        return None

    def _start(
        self,
        channel: Channel,
        jobs: list[Job],
        token: str,
        is_probe: bool,
        now: float,
    ) -> Call:
        self.in_flight += 1
        channel.in_flight += 1
        channel.lane.in_flight += 1
        wall_ms = self._wall_ms()
        for job in jobs:
            job.attempts += 1
            job.part.in_flight += 1
            job.last_attempt_ms = wall_ms
            if job.first_attempt_at is None:
                job.first_attempt_at = now
                job.first_attempt_ms = wall_ms
        reports = tuple([_report(job) for job in jobs])
        batch = Batch(channel.lane.key, channel.trigger, reports[0].action, reports)
        return Call(batch, token, tuple(jobs), channel, is_probe, now)

    def _may_go(self, job: Job, now: float) -> bool:
        """False: it was put aside, or is nobody's any more."""
        part = job.part
        if not part.may_call:
            if not part.ended and not part.stopping:
                part.parked.append(job)
            return False
        if not self._letters.may_pass(job):
            return False
        if job.may_have_arrived and self._key_may_be_gone(job, now):
            detail = (
                "an earlier attempt may have been accepted, and the endpoint may have forgotten "
                "its idempotency key; look in the automation whether it ran, then drop or replay it"
            )
            self._letters.refuse(job, Refusal(Reason.MAYBE_DELIVERED, detail), now)
            return False
        return True

    def _key_may_be_gone(self, job: Job, now: float) -> bool:
        report = _report(job)
        if report.action is Action.CANCEL or job.first_attempt_at is None:
            return False
        ttl_ms = report.idempotency_ttl_ms
        life_s = KEY_LIFE_S if ttl_ms is None else ttl_ms / 1000
        # The call may reach the endpoint at the end of its time-out.
        return now + self._settings.call_timeout_s >= job.first_attempt_at + life_s

    def _wait_for_token(self, channel: Channel) -> None:
        lane = channel.lane
        lane.needs_token = True
        self._lanes.stand(channel)
        scope = self._books[lane.key.endpoint].scope_of(lane.key.instance)
        self._waiting_token.setdefault((lane.key.endpoint, scope), []).append(lane)

    def is_token_wanted(self, endpoint: str, scope: str) -> bool:
        """Whether a lane that has something to send waits for a token of this scope."""
        lanes = self._waiting_token.get((endpoint, scope), ())
        return any(channel.queue for lane in lanes for channel in lane.channels.values())

    def token_ready(self, endpoint: str, scope: str) -> None:
        """A token was granted: the lanes that wait for it stand in the turn again."""
        for lane in self._waiting_token.pop((endpoint, scope), ()):
            lane.needs_token = False
            self._lanes.stand_lane(lane)

    # --- answers -------------------------------------------------------------------------------

    def answered(self, call: Call, outcomes: Sequence[Outcome], now: float) -> None:
        """How the call ended, an outcome for each report in the batch's order."""
        overloaded = any(isinstance(outcome, Unavailable) for outcome in outcomes)
        end = CallEnd.OVERLOADED if overloaded else CallEnd.FINE
        self._limit.ended(end, now - call.started_at, self.in_flight, now)
        self._ended(call)
        for job, outcome in zip(call.jobs, outcomes, strict=True):
            self._one(job, outcome, call, now)
        self._lanes.stand(call.channel)

    def dropped(self, call: Call, now: float) -> None:
        """We let go of the call's connection: it may have arrived, and says nothing of anyone."""
        self._ended(call)
        for job in call.jobs:
            job.may_have_arrived = True
            self._put_back(job, call.channel)
        self._lanes.stand(call.channel)

    def _ended(self, call: Call) -> None:
        self.in_flight -= 1
        call.channel.in_flight -= 1
        call.channel.lane.in_flight -= 1
        if call.is_probe:
            call.channel.probes -= 1
        for job in call.jobs:
            job.part.in_flight -= 1

    def _one(self, job: Job, outcome: Outcome, call: Call, now: float) -> None:
        channel = call.channel
        ended = job.part.ended
        match outcome:
            case Accepted():
                self._got_through(channel, now)
                self._count_acceptance(channel, now)
                if not ended:
                    self._accepted(job, outcome, now)
            case Refused(refusal=refusal):
                self._got_through(channel, now)
                if not ended:
                    self._letters.refuse(job, refusal, now)
            case Throttled(retry_after_s=retry_after_s):
                self._throttle(channel.lane, retry_after_s, now)
                self._again(job, channel, "throttled")
            case Unauthorized():
                key = channel.lane.key
                self._books[key.endpoint].rejected(key.instance, call.token, now)
                self._again(job, channel, "unauthorized")
            case Denied(detail=detail):
                self._failed(channel, channel.denial, "denied", detail, None, now)
                self._again(job, channel, "denied", last=True)
            case Unavailable():
                self._unavailable(job, outcome, channel, now)
            case _:
                assert_never(outcome)

    def _accepted(self, job: Job, outcome: Accepted, now: float) -> None:
        report = _report(job)
        age_s = None
        if report.message.timestamp_ms >= 0:
            age_s = max(0.0, (self._wall_ms() - report.message.timestamp_ms) / 1000)
        self._watch.delivered(report.route, report.action, age_s)
        if outcome.nothing_to_cancel:
            self._watch.nothing_to_cancel(report.route)
        self._letters.accepted(job, now)
        self._settle(job, now)

    def _got_through(self, channel: Channel, now: float) -> None:
        lane = channel.lane
        lane.throttles = 0
        self._books[lane.key.endpoint].worked(lane.key.instance)
        if channel.denial.got_through():
            channel.recovered_at = now
            self._watch.breaker(lane.key, channel.trigger, "denied", is_open=False)
        if channel.outage.got_through():
            channel.recovered_at = now
            self._watch.breaker(lane.key, channel.trigger, "outage", is_open=False)

    def _throttle(self, lane: Lane, retry_after_s: float | None, now: float) -> None:
        lane.throttles += 1
        until = now + self._throttles.delay_s(lane.throttles, retry_after_s)
        if lane.held_until is not None and lane.held_until >= until:
            return
        lane.held_until = until

        def over(_: float) -> None:
            if lane.held_until == until:
                lane.held_until = None
                self._lanes.stand_lane(lane)

        self._timers.at(until, over)

    def _unavailable(self, job: Job, outcome: Unavailable, channel: Channel, now: float) -> None:
        if outcome.finding is not None:
            alert: dict[str, object] = {"finding": outcome.finding}
            about = channel.lane.key.endpoint
            self._commands().alerts.append(Alert("endpoint_finding", alert, about))
        self._failed(channel, channel.outage, "outage", outcome.detail, outcome.retry_after_s, now)
        if channel.denial.state is BreakerState.HALF_OPEN:
            # The probe told nothing of the denial: the next one has its pause too.
            self._failed(channel, channel.denial, "denied", channel.denial.why, None, now)
        job.may_have_arrived = job.may_have_arrived or outcome.maybe_accepted
        if job.part.ended:
            return
        self._watch.retried(_report(job).route, "unavailable")
        if self._spend(job, channel) >= self._settings.retry_for_s:
            detail = (
                f"tried {job.attempts} times while other reports of its lane and trigger were "
                f"accepted; the last answer: {outcome.detail}"
            )
            refusal = Refusal(Reason.EXHAUSTED, detail, status=outcome.status)
            self._letters.refuse(job, refusal, now)
        elif channel.holds is not None:
            self._put_back(job, channel, last=True)
        else:
            self._retry_later(job, channel, outcome.retry_after_s, now)

    def _count_acceptance(self, channel: Channel, now: float) -> None:
        """The channel's clock runs from one acceptance to the next, and only while calls are made.

        Time before a breaker closed is not counted. Of a long time between two acceptances a
        quarter of the budget is: the lane may have waited for a token, or the process stood
        still. So at least four others are accepted before a report is exhausted.
        """
        accepted_at, channel.accepted_at = channel.accepted_at, now
        if accepted_at is not None:
            passed_s = now - max(accepted_at, channel.recovered_at)
            channel.accepting_s += min(passed_s, self._settings.retry_for_s / 4)

    def _spend(self, job: Job, channel: Channel) -> float:
        """Spend of the budget what the channel's clock counted since the report failed first."""
        if job.failed_at_s is None:
            job.failed_at_s = channel.accepting_s
        job.failures += 1
        return channel.accepting_s - job.failed_at_s

    def _retry_later(
        self, job: Job, channel: Channel, retry_after_s: float | None, now: float
    ) -> None:
        channel.waiting_retry += 1

        def due(_: float) -> None:
            channel.waiting_retry -= 1
            if not job.part.ended:
                self._lanes.put(channel, job)

        self._timers.at(now + self._retries.delay_s(job.failures, retry_after_s), due)

    def _failed(
        self,
        channel: Channel,
        breaker: Breaker,
        kind: str,
        why: str,
        at_least_s: float | None,
        now: float,
    ) -> None:
        """Count a failure of the channel; a breaker that opens is probed after its pause."""
        was_closed = breaker.is_closed
        if not breaker.failed(now, why, at_least_s):
            return
        self._timers.at(breaker.probe_at, lambda _: self._probe(channel, breaker))
        if was_closed:
            key = channel.lane.key
            self._watch.breaker(key, channel.trigger, kind, is_open=True)
            alert: dict[str, object] = {
                "kind": kind,
                "endpoint": key.endpoint,
                "instance": key.instance,
                "trigger": channel.trigger,
                "why": why,
            }
            self._commands().alerts.append(Alert("breaker_opened", alert))

    def _probe(self, channel: Channel, breaker: Breaker) -> None:
        if breaker.state is BreakerState.OPEN:
            breaker.probe()
            self._lanes.stand(channel)

    def _again(self, job: Job, channel: Channel, why: str, last: bool = False) -> None:
        """The lane or the trigger is at fault, not the report: it waits for its turn again."""
        if not job.part.ended:
            self._watch.retried(_report(job).route, why)
            self._put_back(job, channel, last)

    def _put_back(self, job: Job, channel: Channel, last: bool = False) -> None:
        """First in the queue, or last, so that the next probe is another report's."""
        if not job.part.ended:
            self._lanes.put(channel, job, first=not last)

    # --- for health and the status -------------------------------------------------------------

    def held_lanes(self) -> list["HeldLane"]:
        """Every channel that waits for something other than its turn."""
        return [
            held
            for lane in self._lanes
            for channel in lane.channels.values()
            if (held := _held(lane, channel)) is not None
        ]


class HeldLane(Struct, frozen=True):
    """What one lane's trigger waits for."""

    lane: LaneKey
    trigger: str
    reports: int
    kind: str
    """`breaker`, `token` or `throttled`."""
    why: str


def _held(lane: Lane, channel: Channel) -> HeldLane | None:
    breaker = channel.holds
    if breaker is not None:
        kind, why = "breaker", breaker.why or "probing"
    elif lane.needs_token:
        kind, why = "token", "waits for a token"
    elif lane.held_until is not None:
        kind, why = "throttled", "throttled by the endpoint"
    else:
        return None
    reports = len(channel.queue) + channel.waiting_retry
    return HeldLane(lane.key, channel.trigger, reports, kind, why)


def _report(job: Job) -> Report:
    assert isinstance(job.subject, Report)
    return job.subject
