"""A core with one partition, driven by hand: each test brings facts and looks at the commands."""

from collections.abc import Sequence

from streamer.delivery.commands import Call, Commands
from streamer.delivery.core import Core, CoreSettings
from streamer.delivery.outcomes import Accepted, Outcome, Refused, Unavailable
from streamer.model import (
    Action,
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

    def __init__(self, settings: CoreSettings | None = None, grants: bool = True) -> None:
        self.now = 1000.0
        self.watch = CountingWatch()
        self.core = Core(
            settings or CoreSettings(),
            {"default": False},
            CANCELLED,
            self.watch,  # type: ignore[arg-type]  # answers every method
            lambda: 0.5,
            lambda: int(self.now * 1000),
        )
        self.grants = grants
        self.part = self.core.assigned(OWNED, _window())
        self.letters: list[tuple[Reason, str]] = []
        self.last = Commands()

    # --- facts ---------------------------------------------------------------------------------

    def message(self, offset: int, key: bytes | None = b"k") -> Message:
        message = Message(PARTITION, OWNED.generation, Offset(offset), 0, key, b"v")
        assert self.part.window.take_in(message.offset, message.size)
        return message

    def take_in(self, message: Message, *reports: Report | RefusedReport) -> None:
        self.core.take_in(self.part, message, Routed(reports), self.now)

    def calls(self) -> list[Call]:
        """Every call that may start now."""
        calls = []
        while True:
            while (call := self.core.next_call(self.now)) is not None:
                calls.append(call)
            self.last = self.core.take_commands()
            if not (self.grants and self.last.tokens):
                return calls
            for order in self.last.tokens:
                book = self.core.books[order.endpoint]
                book.granted(order.scope, f"token-{self.now}", 14400.0, self.now)

    def call(self) -> Call:
        """The one call that may start now."""
        (call,) = self.calls()
        return call

    def answer(self, call: Call, outcome: Outcome) -> None:
        self.core.answered(call, [outcome] * len(call.jobs), self.now)

    def write_letters(self) -> None:
        """Confirm every dead letter that is ordered."""
        orders = self.core.take_commands().letters or self.last.letters
        self.last = Commands()
        for order in orders:
            self.letters.append((order.letter.refusal.reason, order.letter.route))
            self.core.letter_written(order, self.now)

    def commit(self) -> bool:
        """Let the broker take the commit that is asked for; False if none is."""
        plans = self.core.take_commands().commit or self.last.commit
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


def _window() -> Window:
    return Window(Assigned(OWNED, Position(0), NOTHING, 0), "cluster", "subscription")


def report(message: Message, route: str = "r", trigger: str = "t", **more: object) -> Report:
    """A report of the message; `instance`, `entity`, `action`, `ttl_ms` where they matter."""
    action = more.get("action", Action.REPORT)
    entity, ttl_ms = more.get("entity"), more.get("ttl_ms")
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
        payload=b"{}",
        idempotency_key=f"{message}/{route}",
        idempotency_ttl_ms=ttl_ms,
    )


def offsets(calls: Sequence[Call]) -> list[int]:
    return [r.message.offset for call in calls for r in call.batch.reports]


ACCEPTED = Accepted()
REFUSED = Refused(Refusal(Reason.REFUSED, "428", status=428))
UNAVAILABLE = Unavailable("503", status=503, maybe_accepted=False)
LOST = Unavailable("reset", maybe_accepted=True)
