"""A core with one partition, driven by hand: each test brings facts and looks at the commands."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from streamer.delivery.bulk_answers import CallRefused, judge_call
from streamer.delivery.commands import Call, Commands, LetterOrder, TokenOrder
from streamer.delivery.core import Core, CoreSettings, EndpointSettings
from streamer.delivery.jobs import OwnedPartition
from streamer.delivery.outcomes import Accepted, Outcome, Refused, Unavailable
from streamer.model import (
    Action,
    Answer,
    Exchange,
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
)
from streamer.source.commit_metadata import NOTHING
from streamer.source.handover import Assigned, CommitResult
from streamer.source.offsets import Window

PARTITION = Partition("billing.invoices", 0)
OWNED = Owned(PARTITION, Generation(1))
CANCELLED = frozenset({("default", "due")})


class CountingWatch:
    """Keeps what it was told, by method name."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[object, ...]]] = []

    def __getattr__(self, name: str) -> object:
        return lambda *args, **more: self.told.append((name, (*args, *more.values())))

    def count(self, name: str) -> int:
        return sum(1 for told, _ in self.told if told == name)


class Bench:
    """`now` is set by the test; tokens are granted as they are asked for."""

    def __init__(
        self,
        settings: CoreSettings | None = None,
        grants: bool = True,
        endpoint: EndpointSettings | None = None,
    ) -> None:
        self.now = 1000.0
        self.watch = CountingWatch()
        self.core = Core(
            settings or CoreSettings(),
            {"default": endpoint or EndpointSettings()},
            CANCELLED,
            self.watch,  # type: ignore[arg-type]  # answers every method
            lambda: 0.5,
            lambda: int(self.now * 1000),
        )
        self.grants = grants
        self.part = self.core.assigned(OWNED, _window())
        self.letters: list[tuple[Reason, str]] = []
        self.last = Commands()
        self._unwritten: list[LetterOrder] = []
        self._wanted: list[TokenOrder] = []

    def _take(self) -> None:
        """The commands since the last time; letters and token calls are kept until looked after."""
        self.last = self.core.take_commands()
        self._unwritten += self.last.letters
        self._wanted += self.last.tokens

    # --- facts ---------------------------------------------------------------------------------

    def assign(self, number: int) -> OwnedPartition:
        """One more partition of the topic."""
        owned = Owned(Partition(PARTITION.topic, number), Generation(number + 1))
        return self.core.assigned(owned, _window(owned))

    def message(
        self, offset: int, key: bytes | None = b"k", part: OwnedPartition | None = None
    ) -> Message:
        part = part or self.part
        owned = part.owned
        message = Message(owned.partition, owned.generation, Offset(offset), 0, key, b"v")
        assert part.window.take_in(message.offset, message.size)
        return message

    def take_in(self, message: Message, *reports: Report | RefusedReport) -> None:
        part = self.core.owner_of(message)
        assert part is not None
        self.core.take_in(part, message, Routed(reports), self.now)

    def fill(self, offsets_: range, part: OwnedPartition | None = None, **more: Any) -> None:
        """Take in messages without a key, each with one report."""
        for offset in offsets_:
            message = self.message(offset, None, part)
            self.take_in(message, report(message, **more))

    def calls(self) -> list[Call]:
        """Every call that may start now."""
        calls = []
        while True:
            while (call := self.core.next_call(self.now)) is not None:
                calls.append(call)
            if not self.answer_tokens():
                return calls

    def answer_tokens(self) -> bool:
        """Grant every token that is asked for; False if none is."""
        self._take()
        if not (self.grants and self._wanted):
            return False
        wanted, self._wanted = self._wanted, []
        for order in wanted:
            book = self.core.books[order.endpoint]
            book.granted(order.scope, f"token-{self.now}", 14400.0, self.now)
        return True

    def call(self) -> Call:
        """The one call that may start now."""
        (call,) = self.calls()
        return call

    def answer(self, call: Call, *outcomes: Outcome) -> None:
        """An outcome for each of the call's reports, or one for all of them."""
        each = outcomes if len(outcomes) > 1 else outcomes * len(call.jobs)
        self.core.answered(call, each, self.now)

    def refuse_whole(self, call: Call, *named: int) -> None:
        """Refuse a bulk call because of items in it; `named`: their offsets, where it tells."""
        bad = Refusal(Reason.REFUSED, "400", status=400)
        indices = {i: bad for i, r in enumerate(call.batch.reports) if r.message.offset in named}
        self.core.answered(call, CallRefused(indices), self.now)

    def exchange(self, call: Call, exchange: Exchange) -> None:
        """The call's answer as it came, judged as the edge does."""
        batch = call.batch
        answer = judge_call(batch.action, len(batch.reports), exchange)
        self.core.answered(call, answer, self.now)

    def orders(self) -> list[LetterOrder]:
        """The dead letters that are ordered, and not written by the bench."""
        self._take()
        orders, self._unwritten = self._unwritten, []
        return orders

    def write_letters(self) -> None:
        """Confirm every dead letter that is ordered."""
        for order in self.orders():
            self.letters.append((order.letter.refusal.reason, order.letter.route))
            self.core.letter_written(order, self.now)

    def commit(self) -> bool:
        """Let the broker take the commit that is asked for; False if none is."""
        earlier = self.last
        self._take()
        plans = self.last.commit or earlier.commit
        self.last = Commands()
        if plans:
            self.core.committed(CommitResult(tuple(plans), ()), self.now)
        return bool(plans)

    def wait(self, seconds: float) -> None:
        """Let time pass as it does in a process that runs: in steps of a second at most."""
        end = self.now + seconds
        while self.now < end:
            due = self.core.next_due
            self.now = min(end, self.now + 1.0, max(self.now, due) if due is not None else end)
            self.core.tick(self.now)

    @property
    def position(self) -> Position:
        return self.part.window.position


def _window(owned: Owned = OWNED) -> Window:
    return Window(Assigned(owned, Position(0), NOTHING, 0), "cluster", "subscription")


# --- answers ------------------------------------------------------------------------------------


def json_answer(status: int, body: object, retry_after_s: float | None = None) -> Answer:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, encoded, retry_after_s, "request-1", "application/json")


def bulk_answer(*results: object, undetailed: int = 0) -> Answer:
    """A bulk call's answer 200 with these results."""
    counts = {"totalSuccesses": 0, "totalFailures": 0, "undetailedFailures": undetailed}
    body = {"triggerKey": "t", "results": results, "bulkActionMetadata": counts}
    return json_answer(200, body)


def result(index: object, success: object = True, code: object = None) -> Mapping[str, object]:
    """One item's result; with a code it is a failure."""
    if code is None:
        return {"itemMetadata": {"originalIndex": index, "success": success}}
    error = {"code": code, "description": "no", "data": {}}
    return {"itemMetadata": {"originalIndex": index, "success": False, "error": error}}


# --- reports ------------------------------------------------------------------------------------


def report(message: Message, route: str = "r", trigger: str = "t", **more: object) -> Report:
    """A report of the message; `instance`, `entity`, `action`, `ttl_ms`, `payload` and `key` where
    they matter."""
    action, payload = more.get("action", Action.REPORT), more.get("payload", b"{}")
    entity, ttl_ms = more.get("entity"), more.get("ttl_ms")
    assert isinstance(payload, bytes)
    assert isinstance(action, Action)
    assert entity is None or isinstance(entity, str)
    assert ttl_ms is None or isinstance(ttl_ms, int)
    return Report(
        message=message,
        route=route,
        lane=LaneKey("default", str(more.get("instance", "site"))),
        trigger=trigger,
        action=action,
        entity=entity,
        payload=payload,
        idempotency_key=str(more.get("key", f"{message}/{route}")),
        idempotency_ttl_ms=ttl_ms,
    )


def offsets(calls: Sequence[Call]) -> list[int]:
    return [r.message.offset for call in calls for r in call.batch.reports]


ACCEPTED = Accepted()
REFUSED = Refused(Refusal(Reason.REFUSED, "428", status=428))
UNAVAILABLE = Unavailable("503", status=503, maybe_accepted=False)
LOST = Unavailable("reset", maybe_accepted=True)
