"""Which call goes out next?"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain

from msgspec import Struct

from streamer.delivery.batches import BatchBounds, take_batch
from streamer.delivery.channels import Channel, Lane
from streamer.delivery.commands import Call
from streamer.delivery.held import HeldLanes
from streamer.delivery.jobs import Job, report_of
from streamer.delivery.lanes import Lanes
from streamer.delivery.letters import Letters
from streamer.delivery.limit import ConcurrencyLimit
from streamer.delivery.tokens import TokenBook, UnknownInstance
from streamer.delivery.watch import Watch
from streamer.model import Action, Batch, Reason, Refusal

KEY_LIFE_S = 7 * 24 * 3600.0
"""How long the endpoint remembers an idempotency key by default (its reference page)."""


UNKNOWN = "unknown-instance"
"""Why a report is skipped."""


class SenderSettings(Struct, frozen=True):
    batch: BatchBounds = BatchBounds()
    linger_s: float = 0.0
    unknown: Mapping[str, UnknownInstance] = {}
    """By endpoint entry, what becomes of the reports of an instance without a token."""
    call_timeout_s: float = 10.0


class Sender:
    """Asks lanes, tokens, breakers and the limit; counts what is in flight."""

    def __init__(
        self,
        settings: SenderSettings,
        lanes: Lanes,
        limit: ConcurrencyLimit,
        books: Mapping[str, TokenBook],
        letters: Letters,
        held: HeldLanes,
        watch: Watch,
        wall_ms: Callable[[], int],
        settle: Callable[[Job, float], None],
        is_withdrawn: Callable[[Job], bool] | None,
    ) -> None:
        """`is_withdrawn(job)` is asked just before a call: such a job is settled instead."""
        self._settings = settings
        self._lanes = lanes
        self._limit = limit
        self._books = books
        self._letters = letters
        self._held = held
        self._watch = watch
        self._wall_ms = wall_ms
        self._settle = settle
        self._is_withdrawn = is_withdrawn
        self._waiting_token: dict[tuple[str, str], list[Lane]] = {}
        self.in_flight = 0
        self.keeps_cancels = False
        """While the group's coordinator is silent: they are put aside."""

    # --- sending -------------------------------------------------------------------------------

    def put(self, job: Job, now: float) -> None:
        """The job may be sent: it waits for its lane's turn."""
        report = report_of(job)
        channel = self._lanes.channel(report.lane, report.trigger, now)
        if self._held.waited_too_long(job, channel, now):
            self._held.dead_letter(job, channel, now)
            return
        linger_s = self._settings.linger_s
        if linger_s > 0 and self._settings.batch.reports > 1:
            if not channel.anything_waits:
                self._lanes.linger(channel, now + linger_s)
            elif channel.waiting + 1 >= self._settings.batch.reports:
                channel.lingers_until = None
        self._lanes.put(channel, job)

    def next_call(self, now: float) -> Call | None:
        """The call to make now, if one may be made; ask again until there is none."""
        while self.in_flight < (limit := self._limit.limit):
            channel = self._lanes.turns.next(limit, now)
            if channel is None:
                return None
            lane = channel.lane
            book = self._books[lane.key.endpoint]
            token = book.token(lane.key.instance, now)
            if token is None:
                if book.is_unknown(lane.key.instance):
                    self._settle_unknown(channel, now)
                else:
                    self._wait_for_token(channel)
                continue
            is_probe = channel.holds is not None
            bounds = BatchBounds(1) if is_probe else self._settings.batch
            jobs = take_batch(channel, bounds, lambda job: self._may_go(job, now))
            if not jobs:
                book.not_used(lane.key.instance, token, now)
                self._lanes.close_if_empty(channel)
                self._lanes.turns.stand(channel)
                continue
            if is_probe:
                channel.probes += 1
            self._lanes.turns.served(channel, len(jobs))
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
        self._lanes.turns.started(channel)
        if channel.lane.quota is not None:
            channel.lane.quota.started(now)
        wall_ms = self._wall_ms()
        for job in jobs:
            job.attempts += 1
            job.part.in_flight += 1
            job.last_attempt_ms = wall_ms
            if job.first_attempt_at is None:
                job.first_attempt_at = now
                job.first_attempt_ms = wall_ms
            elif job.failed_at_s is not None:
                job.failed_at_s += channel.accepting_s - job.queued_at_s
        reports = tuple([report_of(job) for job in jobs])
        batch = Batch(channel.lane.key, channel.trigger, reports[0].action, reports)
        return Call(batch, token, tuple(jobs), channel, is_probe, channel.trust, now)

    def _may_go(self, job: Job, now: float) -> bool:
        """False: it was put aside, or is nobody's any more."""
        part = job.part
        is_kept = self.keeps_cancels and report_of(job).action is Action.CANCEL
        if is_kept or not part.may_call:
            if not part.ended and not part.stopping:
                part.parked.append(job)
            return False
        if self._is_withdrawn is not None and self._is_withdrawn(job):
            self._letters.told_nothing(job, now)
            self._settle(job, now)
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
        report = report_of(job)
        if report.action is Action.CANCEL or job.first_attempt_at is None:
            return False
        ttl_ms = report.idempotency_ttl_ms
        life_s = KEY_LIFE_S if ttl_ms is None else ttl_ms / 1000
        # The call may reach the endpoint at the end of its time-out.
        return now + self._settings.call_timeout_s >= job.first_attempt_at + life_s

    def _wait_for_token(self, channel: Channel) -> None:
        lane = channel.lane
        lane.needs_token = True
        self._lanes.turns.stand(channel)
        scope = self._books[lane.key.endpoint].scope_of(lane.key.instance)
        self._waiting_token.setdefault((lane.key.endpoint, scope), []).append(lane)

    def _settle_unknown(self, channel: Channel, now: float) -> None:
        """The platform does not know the instance: nothing can be delivered to it."""
        for job in channel.keep(lambda job: False):
            if not self._may_go(job, now):
                continue
            report = report_of(job)
            if self._settings.unknown[report.endpoint] is UnknownInstance.SKIP:
                self._watch.skipped(report.message.partition.topic, report.route, UNKNOWN)
                self._settle(job, now)
            else:
                detail = (
                    "the platform gives no token for this app instance, as where the app was "
                    "uninstalled; drop it, or replay it once the app is installed again"
                )
                self._letters.refuse(job, Refusal(Reason.UNKNOWN_INSTANCE, detail), now)
        self._lanes.close_if_empty(channel)
        self._lanes.turns.stand(channel)

    def is_token_wanted(self, endpoint: str, scope: str) -> bool:
        """Whether a lane that has something to send waits for a token of this scope."""
        lanes = self._waiting_token.get((endpoint, scope), ())
        return any(channel.anything_waits for lane in lanes for channel in lane.channels.values())

    def routes_without_token(self, endpoint: str) -> list[str]:
        """The routes of the reports that wait for a token of this endpoint entry, the one with
        the most app instances first."""
        lanes = chain.from_iterable(
            lanes for (entry, _), lanes in self._waiting_token.items() if entry == endpoint
        )
        firsts = (
            next(channel.waiting_jobs(), None)
            for lane in lanes
            for channel in lane.channels.values()
        )
        routes = Counter(report_of(job).route for job in firsts if job is not None)
        return [route for route, _ in routes.most_common()]

    def token_ready(self, endpoint: str, scope: str) -> None:
        """A token was granted, or never will be: the lanes that wait for it stand in the turn
        again."""
        for lane in self._waiting_token.pop((endpoint, scope), ()):
            lane.needs_token = False
            self._lanes.turns.stand_lane(lane)

    def ended(self, call: Call) -> None:
        """It is not in flight any more."""
        self.in_flight -= 1
        self._lanes.turns.ended(call.channel, call.trust)
        if call.is_probe:
            call.channel.probes -= 1
        for job in call.jobs:
            job.part.in_flight -= 1
