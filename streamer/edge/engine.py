"""How do facts reach the core, and who carries out its commands?

The engine lives in the event loop and owns the core. Facts come from the source (as its `Sink`),
from calls, token requests, dead letter writes, schema fetches and a timer. After each turn of the
loop in which a fact came, the commands are carried out once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, assert_never

import structlog
from msgspec import Struct

from streamer.dead_letters.writer import Failed, NotWritten, Written
from streamer.delivery.bulk_answers import judge_call
from streamer.delivery.commands import Call, Commands, LetterOrder, TokenOrder
from streamer.delivery.core import Core
from streamer.delivery.intake import Intake
from streamer.delivery.retry import Backoff
from streamer.edge.clock import Clock
from streamer.edge.dependencies import Dependencies
from streamer.edge.ports import (
    CallPort,
    CallWatch,
    LetterPort,
    SourcePort,
    TokenPort,
)
from streamer.edge.schema_fetches import Learn, SchemaFetches
from streamer.edge.waiting import Waiting
from streamer.endpoint.token_client import TokenGranted, TokenRefused, TokenUnavailable
from streamer.errors import SourceError
from streamer.model import (
    Answer,
    Exchange,
    Message,
    NoAnswer,
    NoAnswerKind,
    Owned,
    Partition,
    SchemaRef,
)
from streamer.source.handover import Assigned, CommitPlan, CommitResult
from streamer.source.handover import Intake as HandedOver
from streamer.source.offsets import Window

log = structlog.get_logger()

SPAN_MOST = 1_000_000
"""Offsets from the position to the highest settled one, beyond which a partition pauses."""
GATHER_MOST_S = 0.05
"""How long calls wait for the rest of what was handed over, with bulk calls: as long as a call
takes, so that the answers of those in flight find the next ones ready."""
HEARTBEAT_S = 1.0
"""How often the core learns the time at least, so that a stall shows as a gap."""


class EndpointPorts(Struct, frozen=True, eq=False):
    """The two ways to one endpoint entry."""

    calls: CallPort
    tokens: TokenPort


P = ParamSpec("P")


def _or_end(
    method: Callable[Concatenate["Engine", P], None],
) -> Callable[Concatenate["Engine", P], None]:
    """What the method raises ends the process, and nothing is done any more after it.

    The loop would log it and go on. But a message that was not taken in looks like an offset that
    does not exist, which counts as settled: it would be lost.
    """

    @wraps(method)
    def guarded(self: "Engine", /, *args: P.args, **more: P.kwargs) -> None:
        if self.error is not None:
            return
        try:
            method(self, *args, **more)
        except Exception as error:
            self._end(error)

    return guarded


class Engine:
    """Implements the source's `Sink`; all methods are called in the event loop."""

    def __init__(
        self,
        core: Core,
        intake: Callable[[Callable[[SchemaRef], None]], Intake],
        endpoints: Mapping[str, EndpointPorts],
        letters: LetterPort,
        schemas: Learn,
        windows: Callable[[Assigned], Window],
        watch: CallWatch,
        clock: Clock,
        schema_pauses: Backoff,
        dependencies: Dependencies,
        look_after_letters: Callable[[Iterable[str]], Coroutine[Any, Any, None]],
    ) -> None:
        """`look_after_letters` is run for the topics of which a partition was assigned for the
        first time, and for those whose dead letter topic was not there."""
        self.core = core
        self._fetches = SchemaFetches(
            schemas, schema_pauses, dependencies, self._spawn, self._schema_learned
        )
        self.intake = intake(self._fetches.want)
        self._endpoints = endpoints
        self._letters = letters
        self._schemas = schemas
        self._windows = windows
        self._watch = watch
        self._clock = clock
        self.dependencies = dependencies
        self._look_after_letters = look_after_letters
        self._source: SourcePort | None = None
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[Call]] = []
        self._flush_is_due = False
        self._waiting = Waiting()
        self._gathers_until = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = float("inf")
        self._span_full: set[Owned] = set()
        self._stopping = False
        self._ended = asyncio.Event()
        self.error: BaseException | None = None
        """Why the process cannot go on."""
        self.last_turn = clock.now()
        self._topics: set[str] = set()
        self._beat()

    def connect(self, source: SourcePort) -> None:
        """The source that this engine is the sink of."""
        self._source = source
        self._spawn(self._fetches.greet())

    # --- facts from the source -----------------------------------------------------------------

    @_or_end
    def assigned(self, assignments: Sequence[Assigned]) -> None:
        self.core.tick(self._clock.now())
        for assignment in assignments:
            self.core.assigned(assignment.owned, self._windows(assignment))
        topics = {assignment.owned.partition.topic for assignment in assignments}
        if new := frozenset(topics - self._topics):
            self._topics |= new
            self._spawn(self._look_after_letters(new))
        self._changed()

    @_or_end
    def taken_in(self, handed_over: HandedOver) -> None:
        self._waiting.put(handed_over)
        self._changed()

    def _take_in(self) -> bool:
        """Take in a portion of what was handed over, if the core wants more; False if not."""
        if not self.core.wants_messages:
            return False
        now = self._clock.now()
        if self.intake.may_go_on:
            self.core.tick(now)
            self.intake.go_on(now)
            self._changed()
            return True
        if not self._waiting:
            return False
        if not self._waiting.is_midway:
            self._gathers_until = now + GATHER_MOST_S
        portion, was_last = self._waiting.take()
        self.core.tick(now)
        self._count(portion.messages)
        self._schemas.expire(now)
        self.intake.take_in(portion.messages, now)
        for end in portion.ends:
            part = self.core.partitions.get(end.owned.partition)
            if part is not None and part.owned == end.owned:
                self.core.reached(part, end.position, now)
        if was_last and self._source is not None:
            self._source.took()
        # There may be more: calls and answers come between two portions.
        self._changed()
        return True

    def _count(self, messages: Sequence[Message]) -> None:
        counts: Counter[Partition] = Counter()
        for message in messages:
            partition = message.partition
            if partition not in counts and (part := self.core.owner_of(message)) is not None:
                part.oldest_unsettled_ms()
                part.timeline.append((message.offset, message.timestamp_ms))
            counts[partition] += 1
        for partition, count in counts.items():
            self._watch.consumed(partition.topic, count)

    @_or_end
    def revoking(
        self, owned: Sequence[Owned], finished: Callable[[Sequence[CommitPlan]], None]
    ) -> None:
        self.core.revoking(owned, finished, self._clock.now())
        # The poll thread waits: do not leave its answer for the loop's next turn.
        self._flush()

    @_or_end
    def revoked(self, owned: Sequence[Owned]) -> None:
        self._fence(owned)

    @_or_end
    def lost(self, owned: Sequence[Owned]) -> None:
        self._fence(owned)

    def _fence(self, owned: Sequence[Owned]) -> None:
        self._span_full.difference_update(owned)
        self.core.fenced(owned, self._clock.now())
        self._changed()

    @_or_end
    def committed(self, result: CommitResult) -> None:
        self.core.committed(result, self._clock.now())
        self._changed()

    def heard(self, at: float) -> None:
        self.core.heard(at, self._clock.now())
        self._changed()

    def failed(self, error: SourceError) -> None:
        self._end(error)

    # --- commands ------------------------------------------------------------------------------

    def _changed(self) -> None:
        """A fact came: carry out the commands once this turn's facts are all in."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    @_or_end
    def _flush(self) -> None:
        self._flush_is_due = False
        self._start_calls()
        if self._take_in():
            self._start_calls()
        commands = self.core.take_commands()
        for letter in commands.letters:
            self._spawn(self._write(letter))
        for token in commands.tokens:
            self._spawn(self._ask(token))
        self._tell_source(commands)
        for done in commands.finished:
            assert callable(done.ticket)
            done.ticket(done.plans)
        for alert in commands.alerts:
            self.dependencies.alert(alert)
        if commands.drop_cancels:
            for ports in self._endpoints.values():
                self._spawn(ports.calls.drop_cancels())
        self._set_timer()

    def _tell_source(self, commands: Commands) -> None:
        source = self._source
        if source is None:
            return
        if commands.commit:
            source.commit(commands.commit)
        for owned, (messages, size) in commands.freed.items():
            source.settled(owned, messages, size)
            part = self.core.partitions.get(owned.partition)
            full = part is not None and part.window.span > SPAN_MOST
            if full != (owned in self._span_full):
                (self._span_full.add if full else self._span_full.discard)(owned)
                source.span_full(owned, full)

    # --- calls ---------------------------------------------------------------------------------

    def _start_calls(self) -> None:
        """Give every call that may start now to an idle worker, or to a new one."""
        while (call := self._next_call(self._clock.now())) is not None:
            while self._idle:
                waiting = self._idle.pop()
                if not waiting.done():
                    waiting.set_result(call)
                    break
            else:
                self._spawn(self._work(call))

    def _next_call(self, now: float) -> Call | None:
        if self.error is not None:
            return None
        gathers = self._waiting.is_midway and now < self._gathers_until
        if gathers and self.core.makes_bulk_calls:
            # Calls that start between two portions of a hand-over have one report each.
            return None
        return self.core.next_call(now)

    async def _work(self, first: Call) -> None:
        """A worker: one call after the other, so that a busy lane costs no task a call."""
        call: Call | None = first
        while True:
            if call is None:
                waiting: asyncio.Future[Call] = self._loop.create_future()
                self._idle.append(waiting)
                call = await waiting
            call = self._next_call(await self._call(call))

    async def _call(self, call: Call) -> float:
        """Make it, and tell the core how it ended; gives the time at which it did."""
        batch = call.batch
        exchange = await self._endpoints[batch.lane.endpoint].calls.send(batch, call.token)
        now = self._clock.now()
        reports = len(batch.reports)
        self._watch.call_ended(batch.action, reports, _status(exchange), now - call.started_at)
        if isinstance(exchange, NoAnswer) and exchange.kind is NoAnswerKind.DROPPED:
            self.core.dropped(call, now)
        else:
            answer = judge_call(batch.action, reports, exchange)
            if isinstance(exchange, Answer) and exchange.retry_after_s is not None:
                self.dependencies.asked_to_wait(batch, answer)
            self.core.answered(call, answer, now)
        self._changed()
        return now

    # --- tokens, dead letters, schemas -----------------------------------------------------------

    async def _ask(self, order: TokenOrder) -> None:
        answer = await self._endpoints[order.endpoint].tokens.ask(order.scope)
        now = self._clock.now()
        self.core.tick(now)
        book = self.core.books[order.endpoint]
        match answer:
            case TokenGranted():
                book.granted(order.scope, answer.token, answer.expires_in_s, now)
            case TokenRefused():
                self.dependencies.token_refused(order.endpoint, order.scope, answer)
                book.refused(order.scope, str(answer), now)
            case TokenUnavailable():
                self.dependencies.token_unavailable(order.endpoint, answer.detail)
                book.unavailable(order.scope, answer.detail, answer.retry_after_s, now)
            case _:
                assert_never(answer)
        self._changed()

    async def _write(self, order: LetterOrder) -> None:
        result = await self._letters.write(order.letter)
        topic = order.letter.message.partition.topic
        now = self._clock.now()
        match result:
            case Written():
                self.dependencies.letters_fine(topic)
                self.dependencies.letter_written(order.letter)
                self.core.letter_written(order, now)
            case NotWritten():
                if result.kind in (Failed.DENIED, Failed.NO_TOPIC):
                    self.dependencies.letters_refused(topic, result.detail)
                    self._spawn(self._look_after_letters((topic,)))
                self.core.letter_failed(order, result.kind, result.detail, now)
            case _:
                assert_never(result)
        self._changed()

    def _schema_learned(self, ref: SchemaRef) -> None:
        self.intake.learned(ref)
        self._changed()

    # --- time, tasks and the end -----------------------------------------------------------------

    @_or_end
    def _beat(self) -> None:
        self.last_turn = self._clock.now()
        self.core.tick(self.last_turn)
        self._changed()
        if not self._stopping:
            self._loop.call_later(HEARTBEAT_S, self._beat)

    def _set_timer(self) -> None:
        due = self.core.next_due
        if due is None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_later(max(0.0, due - self._clock.now()), self._ring)

    @_or_end
    def _ring(self) -> None:
        self._timer = None
        self.core.tick(self._clock.now())
        self._changed()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(error)

    def _end(self, error: BaseException) -> None:
        """Nothing more is committed or sent: what is not settled will be read again."""
        if self.error is None:
            self.error = error
            self._ended.set()

    async def wait_for_end(self) -> None:
        """Until the process cannot go on; `error` says why."""
        await self._ended.wait()

    @property
    def unsettled(self) -> int:
        """Messages that are taken in and not settled."""
        return sum(part.window.held_messages for part in self.core.partitions.values())

    async def drain(self, timeout_s: float) -> tuple[CommitPlan, ...]:
        """Start nothing more, wait for what is in flight; gives the last plans to commit.

        Where the process cannot go on, it ends at once and gives none; `error` says why.
        """
        if self._ended.is_set():
            return ()
        owned = [part.owned for part in self.core.partitions.values()]
        drained: asyncio.Future[Sequence[CommitPlan]] = self._loop.create_future()

        def finished(plans: Sequence[CommitPlan]) -> None:
            if not drained.done():
                drained.set_result(plans)

        self.core.revoking(owned, finished, self._clock.now())
        self._changed()
        ended = self._loop.create_task(self.wait_for_end())
        await asyncio.wait((drained, ended), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if self._ended.is_set():
            return ()
        if drained.done():
            return tuple(drained.result())
        return self.core.last_plans(self.core.partitions.values())

    async def close(self) -> None:
        """End all tasks; what they were doing is left unsettled."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _status(exchange: Exchange) -> str:
    match exchange:
        case Answer(status=status):
            return f"{status // 100}xx"
        case NoAnswer(kind=kind):
            return kind.value
