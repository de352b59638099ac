"""The delivery core: facts in, commands out.

Every method is a fact, with the time it was learnt at; what is to be done about it is taken by
`take_commands` and `next_call`. Nothing here does I/O, reads a clock or draws a random number by
itself. `now` is seconds of a monotonic clock that counts suspension; the wall clock, for records
that people read, is given as a function.

    take_in -> order (order.py) -> ready -> lane's turn (turns.py) -> call (sender.py)
                                                                        |
       settled <- dead letter (letters.py) <- refused <- outcome <------+
          |
          +-> window (source/offsets.py) -> commit (commits.py) -> frees what waits for it
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from streamer.delivery.answers import Answers
from streamer.delivery.batches import BatchBounds
from streamer.delivery.bulk_answers import CallRefused
from streamer.delivery.commands import Alert, Call, Commands, Finished, LetterOrder, TokenOrder
from streamer.delivery.commits import Commits
from streamer.delivery.held import HeldLanes
from streamer.delivery.jobs import Entry, Job, OwnedPartition
from streamer.delivery.lanes import Lanes
from streamer.delivery.letters import Letters
from streamer.delivery.limit import CallEnd, ConcurrencyLimit
from streamer.delivery.order import (
    CancelledTriggers,
    Ordering,
    line_up,
    release,
    remember_settled_cancel,
)
from streamer.delivery.outcomes import Outcome
from streamer.delivery.retry import Backoff, Draw
from streamer.delivery.sender import Sender, SenderSettings
from streamer.delivery.timers import Timers
from streamer.delivery.tokens import TokenBook, UnknownInstance
from streamer.delivery.watch import Watch
from streamer.errors import Severity
from streamer.model import (
    Action,
    BadMessage,
    LaneKey,
    Message,
    Owned,
    Partition,
    Position,
    Reason,
    RefusedReport,
    Report,
    Routed,
)
from streamer.source.commit_metadata import settlement_hash
from streamer.source.handover import CommitPlan, CommitResult
from streamer.source.offsets import Pin, Window

_UNHEARD = (
    "nothing for a moment: cancels wait until the group's coordinator answers again; if it lasts,"
    " see whether the brokers can be reached"
)


ROUTES_NAMED = 5


class CoreSettings(Struct, frozen=True):
    """What of the configuration the core needs; times in seconds."""

    ordering: Ordering = Ordering.KEY
    max_in_flight: int = 256
    batch_most: int = 1
    batch_bytes_most: int = 1_048_576
    batch_linger_s: float = 0.0
    hold_after_s: float | None = None
    retry_for_s: float = 900.0
    call_timeout_s: float = 10.0
    payload_bytes_most: int = 64 * 1024 * 1024
    """Of the payloads that were made of what is not settled; half of it is divided among the
    partitions, so that each always has its share."""
    commit_interval_s: float = 0.2
    stall_after_s: float = 15.0
    guard_floods: bool = True


class EndpointSettings(Struct, frozen=True):
    """What the core needs to know of one endpoint entry."""

    shared_token: bool = False
    """One ready token serves all its instances."""
    quota_per_minute: int | None = None
    """Calls a minute for each instance; None: without a quota."""
    unknown_instance: UnknownInstance = UnknownInstance.DEAD_LETTER


class Core:
    """One process's delivery: all partitions it owns, all lanes it sends to."""

    def __init__(
        self,
        settings: CoreSettings,
        endpoints: Mapping[str, EndpointSettings],
        cancelled: CancelledTriggers,
        watch: Watch,
        draw: Draw,
        wall_ms: Callable[[], int],
        is_withdrawn: Callable[[Job], bool] | None = None,
    ) -> None:
        """`endpoints`: by the name of the entry. `is_withdrawn(job)`: whether it is not to be sent
        any more, which only a replay knows."""
        self._settings = settings
        self._cancelled = cancelled
        self._watch = watch
        self._commands = Commands()
        self.timers = Timers()
        self.partitions: dict[Partition, OwnedPartition] = {}
        self._revocations: list[tuple[object, list[OwnedPartition]]] = []
        self._payload_bytes = 0
        """Of all partitions."""
        self._last_fact: float | None = None
        self._stalled_at: float | None = None
        """When the last stall was noticed."""
        self._heard_at: float | None = None
        """When the group's coordinator answered last; None until it did."""
        self.lanes = Lanes(
            pauses=Backoff(1.0, 60.0, draw),
            denials=Backoff(30.0, 300.0, draw),
            timers=self.timers,
            quotas={name: it.quota_per_minute for name, it in endpoints.items()},
            quantum=settings.batch_most,
        )
        self.limit = ConcurrencyLimit(settings.max_in_flight)
        self.letters = Letters(
            timers=self.timers,
            write_pauses=Backoff(0.5, 30.0, draw),
            flood_pauses=Backoff(10.0, 60.0, draw),
            guard_floods=settings.guard_floods,
            commands=lambda: self._commands,
            watch=watch,
            wall_ms=wall_ms,
            settle=self._settle,
            go=self._go,
            idle=lambda job: self._look_for_finished(job.part),
            is_stuck=lambda job: self.held.is_stuck(job),
        )
        self.books = {
            name: self._book(name, endpoint, Backoff(2.0, 60.0, draw))
            for name, endpoint in endpoints.items()
        }
        self.held = HeldLanes(
            settings.hold_after_s, self.lanes, self.books, self.letters, self.timers
        )
        # Once the time is known.
        self.timers.at(0.0, self.held.look)
        self.sender = Sender(
            settings=SenderSettings(
                batch=BatchBounds(settings.batch_most, settings.batch_bytes_most),
                linger_s=settings.batch_linger_s,
                unknown={name: it.unknown_instance for name, it in endpoints.items()},
                call_timeout_s=settings.call_timeout_s,
            ),
            lanes=self.lanes,
            limit=self.limit,
            books=self.books,
            letters=self.letters,
            held=self.held,
            watch=watch,
            wall_ms=wall_ms,
            settle=self._settle,
            is_withdrawn=is_withdrawn,
        )
        self.answers = Answers(
            retry_for_s=settings.retry_for_s,
            lanes=self.lanes,
            books=self.books,
            letters=self.letters,
            timers=self.timers,
            retries=Backoff(0.2, 60.0, draw),
            throttles=Backoff(1.0, 60.0, draw),
            commands=lambda: self._commands,
            watch=watch,
            wall_ms=wall_ms,
            settle=self._settle,
        )
        self.commits = Commits(
            settings.commit_interval_s,
            self.timers,
            lambda: self._commands,
            watch,
            self._committed,
        )

    def _book(self, name: str, endpoint: EndpointSettings, pauses: Backoff) -> TokenBook:
        whose = "its `token`" if endpoint.shared_token else "its `app`"

        def rejected(scope: str, why: str) -> None:
            fields = {
                "endpoint": name,
                "instance": scope,
                "why": why,
                "do": f"see whether {whose} is meant for the platform at its `base_url`",
            }
            alert = Alert("token_rejected", fields, name, Severity.ERROR)
            self._commands.alerts.append(alert)

        def unknown(scope: str, why: str, now: float) -> None:
            fields = {
                "endpoint": name,
                "instance": scope,
                "why": why,
                "its_reports": endpoint.unknown_instance.value,
            }
            self._commands.alerts.append(Alert("instance_unknown", fields, name))
            # What waits for its token is settled when it has its turn.
            self.sender.token_ready(name, scope)

        def many(scopes: int) -> None:
            fields = {
                "endpoint": name,
                "instances": scopes,
                "routes": self.sender.routes_without_token(name)[:ROUTES_NAMED],
                "do": "see whether `instance` of these routes gives ids of app instances",
            }
            self._commands.alerts.append(Alert("many_instances_refused", fields, name))

        def told_of_app(why: str) -> None:
            if why:
                fields = {
                    "endpoint": name,
                    "why": why,
                    "do": f"{whose} is refused: look whether its secret was rotated",
                }
                alert = Alert("app_held", fields, name, Severity.ERROR)
            else:
                alert = Alert("app_granted", {"endpoint": name}, name, Severity.WARNING)
            self._commands.alerts.append(alert)

        return TokenBook(
            endpoint.shared_token,
            self.timers,
            pauses,
            ask=lambda scope: self._commands.tokens.append(TokenOrder(name, scope)),
            ready=lambda scope: self.sender.token_ready(name, scope),
            tell_rejected=rejected,
            is_wanted=lambda scope: self.sender.is_token_wanted(name, scope),
            policy=endpoint.unknown_instance,
            unknown=unknown,
            tell_app=told_of_app,
            tell_many=many,
        )

    # --- commands ------------------------------------------------------------------------------

    def take_commands(self) -> Commands:
        """Everything to be done that the facts so far asked for."""
        commands, self._commands = self._commands, Commands()
        return commands

    def next_call(self, now: float) -> Call | None:
        """A call to start now, if one may."""
        self.tick(now)
        return self.sender.next_call(now)

    @property
    def makes_bulk_calls(self) -> bool:
        return self._settings.batch_most > 1

    @property
    def wants_messages(self) -> bool:
        """Whether nothing that was taken in could go out if only more calls might be in flight.

        What waits for its key, a token or a breaker does not count: the rest goes on. Batches
        are filled from what was taken in, so with them there is never enough of it.
        """
        return self.makes_bulk_calls or not self.lanes.turns.anything_stands

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do next."""
        return self.timers.next_due

    # --- facts: time ---------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """It is now `now`. A gap since the last fact means that the process did not run."""
        last, self._last_fact = self._last_fact, now
        if last is not None and now - last > self._settings.stall_after_s:
            self._stalled(now - last, now)
        self._listen(now)
        self.timers.fire(now)

    def _stalled(self, gap_s: float, now: float) -> None:
        """The group may have gone on without us: no call before a commit shows the opposite."""
        self._stalled_at = now
        self._watch.stalled(gap_s)
        self._commands.alerts.append(Alert("process_stalled", {"seconds": round(gap_s, 1)}))
        self._commands.drop_cancels = True
        for part in self.partitions.values():
            self._doubt(part)

    def heard(self, at: float, now: float) -> None:
        """The group's coordinator answered at `at`, and may not have since."""
        self._heard_at = at
        self.tick(now)

    def _listen(self, now: float) -> None:
        """A group that does not hear of us gives our partitions to others, and nobody tells.

        A report that both of us send is one, for its key. A cancel has none: it would end what
        the other has reported since.
        """
        at = self._heard_at
        is_unheard = at is not None and now - at > self._settings.stall_after_s
        if is_unheard == self.sender.keeps_cancels:
            return
        self.sender.keeps_cancels = is_unheard
        if is_unheard:
            self._commands.drop_cancels = True
            fields = {"seconds": round(self._settings.stall_after_s, 1), "do": _UNHEARD}
            self._commands.alerts.append(Alert("group_unheard", fields))
        else:
            for part in self.partitions.values():
                self._doubt(part)

    @property
    def _stalled_lately(self) -> bool:
        now, at = self._last_fact, self._stalled_at
        return now is not None and at is not None and now - at < self._settings.stall_after_s

    def _doubt(self, part: OwnedPartition) -> None:
        """Start no call of it before a commit showed that it is still ours."""
        assert self._last_fact is not None, "a stall is noticed by the time"
        part.verified = False
        self.commits.verify(part, self._last_fact)

    # --- facts: partitions ---------------------------------------------------------------------

    def assigned(self, owned: Owned, window: Window) -> OwnedPartition:
        """This partition is ours from now on; `tick` was told the time before."""
        part = OwnedPartition(owned, window)
        self.partitions[owned.partition] = part
        if self._stalled_lately:
            # The stall may have held up the news: the assignment may be from before it.
            self._doubt(part)
        return part

    def owner_of(self, message: Message) -> OwnedPartition | None:
        """The assignment that the message came under, if it still holds."""
        part = self.partitions.get(message.partition)
        if part is None or part.owned.generation != message.generation:
            return None
        return part

    def revoking(self, owned: Sequence[Owned], ticket: object, now: float) -> None:
        """Start no new call of these; `Finished` comes once none is in flight."""
        self.tick(now)
        parts = self._current(owned)
        for part in parts:
            part.stopping = True
        self._revocations.append((ticket, parts))
        self._finish_revocations()

    def fenced(self, owned: Sequence[Owned], now: float) -> None:
        """These are not ours any more: what still happens to their reports changes nothing."""
        self.tick(now)
        parts = self._current(owned)
        for part in parts:
            part.ended = True
            del self.partitions[part.owned.partition]
            if part.in_flight:
                self._commands.drop_cancels = True
            self._payload_bytes -= part.payload_bytes
            part.forget_all()
        self.commits.forget(parts)
        self.lanes.sweep_ended()
        self.letters.sweep_ended(now)
        # One that waited for these alone has nothing to wait for any more.
        self._finish_revocations()

    def _current(self, owned: Iterable[Owned]) -> list[OwnedPartition]:
        found = [self.partitions.get(one.partition) for one in owned]
        return [
            part
            for part, one in zip(found, owned, strict=True)
            if part is not None and part.owned == one
        ]

    def _look_for_finished(self, part: OwnedPartition) -> None:
        if part.stopping and part.in_flight == 0:
            self._finish_revocations()

    def _finish_revocations(self) -> None:
        waiting = []
        for ticket, parts in self._revocations:
            if any(part.in_flight for part in parts if not part.ended):
                waiting.append((ticket, parts))
            else:
                self._commands.finished.append(Finished(ticket, self.last_plans(parts)))
        self._revocations = waiting

    def last_plans(self, parts: Iterable[OwnedPartition]) -> tuple[CommitPlan, ...]:
        """What to commit before the partitions go, in flight already or not; what the broker has
        for certain is left out."""
        plans = [part.window.last_plan() for part in parts if not part.ended]
        return tuple([plan for plan in plans if plan is not None])

    # --- facts: messages -----------------------------------------------------------------------

    def has_room(self, part: OwnedPartition) -> bool:
        """Whether payloads may be made of further messages of the partition: a message of little
        bytes may become a large payload, and what was made is held until it is settled."""
        half = self._settings.payload_bytes_most // 2
        return self._payload_bytes <= half or part.payload_bytes <= half // len(self.partitions)

    def take_in(self, part: OwnedPartition, message: Message, routed: Routed, now: float) -> None:
        """The message was decoded and routed. It is in the window already."""
        for skipped in routed.skipped:
            self._watch.skipped(message.partition.topic, skipped.route, skipped.why)
        reports = self._unsettled(part, message, routed.reports)
        if not reports:
            self._settle_message(part, message, now)
            return
        payload_bytes = sum([len(it.payload) for it in reports if isinstance(it, Report)])
        entry = Entry(message, part, len(reports), now, payload_bytes)
        part.payload_bytes += payload_bytes
        self._payload_bytes += payload_bytes
        before: dict[LaneKey, Job] = {}
        jobs = []
        for report in reports:
            job = Job(report, entry, self.letters.guard_of_route(report.route))
            line_up(job, report, self._settings.ordering, self._cancelled, before)
            jobs.append(job)
        for job in jobs:
            if job.blockers == 0:
                self._go(job, now)

    def take_bad(self, part: OwnedPartition, bad: BadMessage, now: float) -> None:
        """The message will never decode: nothing waits for its dead letter but its offset."""
        is_unknown = bad.refusal.reason is Reason.UNKNOWN_SCHEMA
        # Counted as one, or each of a thousand wrong ids would have a guard of its own.
        schema = "an unknown schema" if is_unknown else bad.schema
        guard = self.letters.guard_of_schema(bad.message.partition.topic, schema, now)
        self._go(Job(bad, Entry(bad.message, part, 1, now), guard), now)

    def _unsettled(
        self, part: OwnedPartition, message: Message, reports: Sequence[Report | RefusedReport]
    ) -> Sequence[Report | RefusedReport]:
        """Leave out what was settled, and committed as such, before a restart."""
        settled = part.window.settled_parts(message.offset)
        if not settled:
            return reports
        left = []
        for report in reports:
            settlement = settlement_hash(report.settlement_id)
            if settlement not in settled:
                left.append(report)
            elif isinstance(report, Report) and self._is_known_cancel(report):
                remember_settled_cancel(part, report, settlement)
        return left

    def _is_known_cancel(self, report: Report) -> bool:
        return report.action is Action.CANCEL and report.entity is not None

    # --- the way of a job ----------------------------------------------------------------------

    def _go(self, job: Job, now: float) -> None:
        """Nothing before it is unsettled: on to its lane, unless a cancel must be committed."""
        if not isinstance(job.subject, Report):
            # What could not be decoded or made is a refusal already.
            self.letters.refuse(job, job.subject.refusal, now)
            return
        if job.follows_cancel and not self._cancels_are_committed(job, now):
            return
        if self.letters.may_pass(job):
            self.sender.put(job, now)

    def _cancels_are_committed(self, job: Job, now: float) -> bool:
        part = job.part
        entity = job.entity
        assert entity is not None, "what follows a cancel has an entity"
        marks = entity.cancels_not_held(job.follows_cancel)
        pins = [part.window.pin(mark.offset, mark.settlement) for mark in marks]
        for mark, pin in zip(marks, pins, strict=True):
            if pin is not Pin.HELD:
                break
            entity.held_until = mark.number
        if all(pin is Pin.HELD for pin in pins):
            job.follows_cancel = 0
            return True
        part.commit_waiters.append(job)
        if Pin.NOT_COMMITTED in pins:
            self.commits.urgent(part, now)
        return False

    def _settle(self, job: Job, now: float) -> None:
        part = job.part
        entry = job.entry
        entry.open -= 1
        if entry.open == 0:
            part.payload_bytes -= entry.payload_bytes
            self._payload_bytes -= 0 if part.ended else entry.payload_bytes
            self._settle_message(part, entry.message, now)
        else:
            part.window.settle_part(entry.message.offset, job.settlement)
            self.commits.changed(part, now)
        for follower in release(job):
            self._go(follower, now)

    def _settle_message(self, part: OwnedPartition, message: Message, now: float) -> None:
        part.window.settle(message.offset)
        self._commands.free(part.owned, message.size)
        self.commits.changed(part, now)

    # --- facts: answers ------------------------------------------------------------------------

    def answered(self, call: Call, answer: Sequence[Outcome] | CallRefused, now: float) -> None:
        """How a call ended: an outcome for each of its reports, or a refusal of the whole."""
        self.tick(now)
        in_flight = self.sender.in_flight
        self.sender.ended(call)
        end = self.answers.answered(call, answer, now)
        # That a site is still down says nothing of the endpoint: it is held anyway.
        if not (call.is_probe and end is CallEnd.OVERLOADED):
            lane = call.channel.lane.key
            self.limit.ended(lane, end, now - call.started_at, in_flight, now)
        for job in call.jobs:
            self._look_for_finished(job.part)

    def dropped(self, call: Call, now: float) -> None:
        """A call whose connection we let go of."""
        self.tick(now)
        self.sender.ended(call)
        self.answers.dropped(call, now)
        for job in call.jobs:
            self._look_for_finished(job.part)

    def letter_written(self, order: LetterOrder, now: float) -> None:
        self.tick(now)
        self.letters.written(order, now)

    def letter_failed(self, order: LetterOrder, kind: str, why: str, now: float) -> None:
        self.tick(now)
        self.letters.failed(order, kind, why, now)

    def committed(self, result: CommitResult, now: float) -> None:
        """How a commit ended, partition by partition."""
        self.tick(now)
        self.commits.ended(result, now)

    def _committed(self, part: OwnedPartition, plan: CommitPlan, now: float) -> None:
        part.forget_passed(plan.position)
        for waiting in (part.commit_waiters, part.parked):
            jobs = waiting[:]
            waiting.clear()
            for job in jobs:
                self._go(job, now)

    def settled_before(self, part: OwnedPartition, message: Message, now: float) -> None:
        """A message that the committed done-set shows as settled came again."""
        self._commands.free(part.owned, message.size)
        self.commits.changed(part, now)

    def reached(self, part: OwnedPartition, position: Position, now: float) -> None:
        """The consumer read to the partition's end: control records and gaps are behind us."""
        part.window.reached(position)
        self.commits.changed(part, now)
