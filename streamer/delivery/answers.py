"""What does the answer to a call change?

Something got through: each item's outcome is its own. Nothing got through: it is the lane's, the
trigger's or the endpoint's affair, and counts once however many reports the call had. The whole was
refused because of an item: it is taken apart.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from streamer.delivery.breaker import Breaker, BreakerState
from streamer.delivery.bulk_answers import CallRefused
from streamer.delivery.channels import Channel, HeldBy, Trust
from streamer.delivery.commands import Alert, Call, Commands
from streamer.delivery.jobs import Job, report_of
from streamer.delivery.lanes import Lanes
from streamer.delivery.letters import Letters
from streamer.delivery.limit import HUNG_S, CallEnd
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
from streamer.model import Reason, Refusal, Report

STOOD_STILL_S = 60.0
"""A channel that got no call through for longer stood still."""


class Answers:
    """Settles, puts back, and tells lanes, breakers and tokens. The call was counted off before."""

    def __init__(
        self,
        retry_for_s: float,
        lanes: Lanes,
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
        self._retry_for_s = retry_for_s
        self._lanes = lanes
        self._books = books
        self._letters = letters
        self._timers = timers
        self._retries = retries
        self._throttles = throttles
        self._commands = commands
        self._watch = watch
        self._wall_ms = wall_ms
        self._settle = settle
        self._retries_numbered = 0

    def answered(self, call: Call, answer: Sequence[Outcome] | CallRefused, now: float) -> CallEnd:
        """How the call ended: an outcome for each report in the batch's order, or a refusal of
        the whole that is to be taken apart. Gives what it tells of the endpoint's health."""
        end = CallEnd.FINE
        if isinstance(answer, CallRefused):
            self._got_through(call, now)
            self._take_apart(call, answer, now)
        else:
            kinds = set(map(type, answer))
            if Unavailable in kinds:
                _remember_arrivals(call, answer)
            if Accepted in kinds or Refused in kinds:
                self._got_through(call, now)
                self._items(call, answer, kinds, now)
            else:
                self._came_to_nothing(call, answer, kinds, now)
            if kinds == {Unavailable}:
                end = CallEnd.OVERLOADED
        self._leave(call)
        return end

    def dropped(self, call: Call, now: float) -> None:
        """We let go of the call's connection: it may have arrived, and says nothing of anyone."""
        for job in call.jobs:
            job.may_have_arrived = True
        key = call.channel.lane.key
        self._books[key.endpoint].told_nothing(key.instance, call.token, call.started_at, now)
        self._put_back(call.jobs, call.channel)
        self._leave(call)

    def _leave(self, call: Call) -> None:
        self._lanes.close_if_empty(call.channel)
        self._lanes.turns.stand(call.channel)

    def _take_apart(self, call: Call, answer: CallRefused, now: float) -> None:
        """Send what the answer names apart from the rest; where it names nothing, the halves.

        What is named in a call of nothing else is refused. So one bad report of 100 costs two
        calls more where it is named, and 14 where it is not.
        """
        alive = [(index, job) for index, job in enumerate(call.jobs) if not job.part.ended]
        named = [job for index, job in alive if index in answer.named]
        if named and len(named) == len(call.jobs):
            for index, job in alive:
                self._letters.refuse(job, answer.named[index], now)
            return
        for _, job in alive:
            self._watch.retried(report_of(job).route, "taken-apart")
        if named:
            groups = [[job for index, job in alive if index not in answer.named], named]
        else:
            jobs = [job for _, job in alive]
            half = (len(jobs) + 1) // 2
            groups = [jobs[:half], jobs[half:]]
        self._lanes.put_apart(call.channel, groups)

    def _items(self, call: Call, outcomes: Sequence[Outcome], kinds: set[type], now: float) -> None:
        """Something got through: what did not is that item's own affair, not the lane's."""
        channel = call.channel
        if Accepted in kinds:
            self._count_acceptance(channel, now)
        if Throttled in kinds:
            self._throttle(call, outcomes, now)
        accepted: list[Report] = []
        for job, outcome in zip(call.jobs, outcomes, strict=True):
            if job.part.ended:
                continue
            match outcome:
                case Accepted():
                    accepted.append(report_of(job))
                    self._accepted(job, outcome, now)
                case Refused(refusal=refusal):
                    self._letters.refuse(job, refusal, now)
                case Throttled():
                    self._again_later(job, channel, "throttled", _of_item(outcome), now)
                case Unauthorized() | Denied():
                    self._again_later(job, channel, "refused-item", _of_item(outcome), now)
                case Unavailable():
                    self._again_later(job, channel, "unavailable", outcome, now)
                case _:
                    assert_never(outcome)
        self._tell_delivered(accepted)

    def _tell_delivered(self, reports: Sequence[Report]) -> None:
        """Once a call, and for each route: what a metric costs is mostly the asking."""
        by_route: dict[str, list[Report]] = {}
        for report in reports:
            by_route.setdefault(report.route, []).append(report)
        wall_ms = self._wall_ms()
        for route, some in by_route.items():
            stamps = [report.message.timestamp_ms for report in some]
            ages_s = [max(0.0, (wall_ms - stamp) / 1000) for stamp in stamps if stamp >= 0]
            self._watch.delivered(route, some[0].action, len(some), ages_s)

    def _came_to_nothing(
        self, call: Call, outcomes: Sequence[Outcome], kinds: set[type], now: float
    ) -> None:
        """Nothing got through: it is the lane's, the trigger's or the endpoint's affair."""
        channel, key = call.channel, call.channel.lane.key
        denied = next((outcome for outcome in outcomes if isinstance(outcome, Denied)), None)
        down = next((outcome for outcome in outcomes if isinstance(outcome, Unavailable)), None)
        if Throttled in kinds:
            self._throttle(call, outcomes, now)
        book = self._books[key.endpoint]
        if Unauthorized in kinds:
            book.rejected(key.instance, call.token, call.started_at, now)
        elif denied is not None:  # it knew who asks
            book.worked(key.instance, call.token, call.started_at)
        else:
            book.told_nothing(key.instance, call.token, call.started_at, now)
        if denied is not None:
            self._failed(channel, channel.denial, "denied", denied.detail, None, now)
        elif down is not None:
            self._endpoint_failed(channel, down, now)
            if now - call.started_at >= HUNG_S:
                self._lanes.turns.hung(channel, call.trust)
        # The first time they are tried again together: a hundred single calls would burn the
        # quota. After that each by itself, so that one that makes its call fail shows.
        together_s = None
        if down is not None and len(call.jobs) > 1:
            together_s = self._retries.delay_s(1, down.retry_after_s)
        first: list[Job] = []
        for job, outcome in zip(call.jobs, outcomes, strict=True):
            if job.part.ended:
                continue
            match outcome:
                case Accepted() | Refused():
                    raise AssertionError("something got through")
                case Throttled():
                    self._watch.retried(report_of(job).route, "throttled")
                    first.append(job)
                case Unauthorized():
                    self._watch.retried(report_of(job).route, "unauthorized")
                    first.append(job)
                case Denied():
                    self._watch.retried(report_of(job).route, "denied")
                    self._put_last(job, channel)
                case Unavailable():
                    self._again_later(job, channel, "unavailable", outcome, now, together_s)
                case _:
                    assert_never(outcome)
        self._put_back(first, channel)

    def _accepted(self, job: Job, outcome: Accepted, now: float) -> None:
        if outcome.nothing_to_cancel:
            self._watch.nothing_to_cancel(report_of(job).route)
        self._letters.accepted(job, now)
        self._settle(job, now)

    def _got_through(self, call: Call, now: float) -> None:
        channel = call.channel
        lane = channel.lane
        lane.throttles = 0
        if lane.quota is not None:
            lane.quota.went_well()
        self._books[lane.key.endpoint].worked(lane.key.instance, call.token, call.started_at)
        if now - channel.got_through_at > STOOD_STILL_S:
            channel.resumed_at = now
        channel.got_through_at = now
        if channel.denial.got_through():
            channel.recovered_at = now
        if channel.outage.got_through():
            channel.recovered_at = now
        self._lanes.turns.trust(channel, Trust.SURE)

    def _throttle(self, call: Call, outcomes: Sequence[Outcome], now: float) -> None:
        lane = call.channel.lane
        if lane.quota is not None:
            lane.quota.throttled(call.started_at, now)
        if call.started_at > lane.throttled_at:
            # Those that were under way when it was held tell the same story again.
            lane.throttles += 1
            lane.throttled_at = now
        throttled = [outcome for outcome in outcomes if isinstance(outcome, Throttled)]
        wanted = [it.retry_after_s for it in throttled if it.retry_after_s is not None]
        at_least_s = max(wanted) if wanted else None
        until = now + self._throttles.delay_s(lane.throttles, at_least_s)
        self._lanes.hold(lane, until, HeldBy.THROTTLED)

    def _endpoint_failed(self, channel: Channel, outcome: Unavailable, now: float) -> None:
        if outcome.finding is not None:
            key = channel.lane.key
            alert: dict[str, object] = {
                "endpoint": key.endpoint,
                "instance": key.instance,
                "trigger": channel.trigger,
                "finding": outcome.finding,
            }
            self._commands().alerts.append(Alert("endpoint_finding", alert, key.endpoint))
        self._failed(channel, channel.outage, "outage", outcome.detail, outcome.retry_after_s, now)
        if channel.denial.state is BreakerState.HALF_OPEN:
            # The probe told nothing of the denial: the next one has its pause too.
            self._failed(channel, channel.denial, "denied", channel.denial.why, None, now)

    def _again_later(
        self,
        job: Job,
        channel: Channel,
        why: str,
        outcome: Unavailable,
        now: float,
        together_s: float | None = None,
    ) -> None:
        """The job failed: it spends of its budget, and is tried again if some is left.

        `together_s`: the pause of all reports of its call, if it failed for the first time.
        """
        self._watch.retried(report_of(job).route, why)
        if self._spend(job, channel) >= self._retry_for_s:
            detail = (
                f"tried {job.attempts} times while other reports of its lane and trigger were "
                f"accepted; the last answer: {outcome.detail}"
            )
            refusal = Refusal(Reason.EXHAUSTED, detail, status=outcome.status)
            self._letters.refuse(job, refusal, now)
        elif channel.holds is not None:
            self._put_last(job, channel)
        else:
            delay_s = together_s
            if delay_s is None or job.failures > 1:
                delay_s = self._retries.delay_s(job.failures, outcome.retry_after_s)
            self._retry_at(job, channel, now + delay_s)

    def _count_acceptance(self, channel: Channel, now: float) -> None:
        """The channel's clock runs from one acceptance to the next, and only while calls are made.

        Time before a breaker closed is not counted. Of a long time between two acceptances a
        quarter of the budget is: the lane may have waited for a token, or the process stood
        still. So at least four others are accepted before a report is exhausted.
        """
        accepted_at, channel.accepted_at = channel.accepted_at, now
        if accepted_at is not None:
            passed_s = now - max(accepted_at, channel.recovered_at)
            channel.accepting_s += min(passed_s, self._retry_for_s / 4)

    def _spend(self, job: Job, channel: Channel) -> float:
        """Spend of the budget what the channel's clock counted since the report failed first,
        without the time in which it waited for its turn."""
        if job.failed_at_s is None:
            job.failed_at_s = channel.accepting_s
        job.failures += 1
        return channel.accepting_s - job.failed_at_s

    def _retry_at(self, job: Job, channel: Channel, at: float) -> None:
        """The timer knows its number only: a fenced partition's reports are forgotten at once,
        however far away the next attempt is."""
        self._retries_numbered += 1
        number = self._retries_numbered
        channel.retries[number] = job
        job.next_attempt_at = at

        def due(_: float) -> None:
            job = channel.retries.pop(number, None)
            if job is not None:
                self._put_last(job, channel)

        self._timers.at(at, due)

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
            self._watch.breaker_opened(kind)
            alert: dict[str, object] = {
                "kind": kind,
                "endpoint": key.endpoint,
                "instance": key.instance,
                "trigger": channel.trigger,
                "why": why,
            }
            # An outage opens those of thousands of instances together.
            about = f"{key.endpoint} {kind}"
            self._commands().alerts.append(Alert("breaker_opened", alert, about))

    def _probe(self, channel: Channel, breaker: Breaker) -> None:
        if breaker.state is BreakerState.OPEN:
            breaker.probe()
            self._lanes.close_if_empty(channel)
            self._lanes.turns.stand(channel)

    def _put_back(self, jobs: Sequence[Job], channel: Channel) -> None:
        """First in the queue, in their order; a part of a call that was taken apart stays one, or
        the bad one in it would be looked for anew, among others."""
        alive = [job for job in jobs if not job.part.ended]
        if all(job.is_apart for job in alive):
            self._lanes.put_apart(channel, [alive])
            return
        for job in reversed(alive):
            self._lanes.put(channel, job, first=True)

    def _put_last(self, job: Job, channel: Channel) -> None:
        """Last in the queue, so that the next probe is another report's."""
        self._lanes.put(channel, job)


def _remember_arrivals(call: Call, outcomes: Sequence[Outcome]) -> None:
    for job, outcome in zip(call.jobs, outcomes, strict=True):
        if isinstance(outcome, Unavailable) and outcome.maybe_accepted:
            job.may_have_arrived = True


def _of_item(outcome: Throttled | Unauthorized | Denied) -> Unavailable:
    """One item of a call failed as only a whole lane should, while another got through."""
    match outcome:
        case Throttled(retry_after_s=retry_after_s):
            return Unavailable("throttled", 429, False, retry_after_s)
        case Unauthorized(detail=detail):
            return Unavailable(detail, 401, False)
        case Denied(detail=detail):
            return Unavailable(detail, 403, False)
        case _:
            assert_never(outcome)
