"""What is a process of the simulation: the real core and intake, and how facts come to them?"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from streamer.delivery.core import Core, CoreSettings, EndpointSettings
from streamer.delivery.intake import Intake
from streamer.model import Generation, Offset, Owned, SchemaRef
from tests.simulation.clock import Clock
from tests.simulation.plan import Plan
from tests.simulation.traffic import CANCELLED, Traffic

STALL_AFTER_S = 15.0
BEAT_S = 2.0
HEAR_EVERY_S = 1.0


class Silent:
    """A watch that counts nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(eq=False)
class Process:
    name: str
    clock: Clock
    core: Core
    carry_out: Callable[["Process"], None]
    """Does what the core asks for; called after each fact."""
    alive: bool = True
    stalled_until: float = 0.0
    doubted: dict[Owned, float] = field(default_factory=dict)
    """Assignments from before a stall, and when it ended: no call before a commit since."""
    is_ending: bool = False
    """It was asked to end, and does so in an orderly way."""
    cut_since: float | None = None
    """Since then it cannot reach its group's coordinator."""
    heard_at: float = 0.0
    """When the coordinator answered last, as far as it was told."""
    unaware: set[Owned] = field(default_factory=set)
    """What the group gave to others while nobody could tell it so."""
    stopping: set[Owned] = field(default_factory=set)
    """What is being revoked, and it was told: no call starts."""
    position: dict[Owned, int] = field(default_factory=dict)
    """What it reads, and from where on."""
    in_flight: int = 0
    """Calls."""
    reports_in_flight: Counter[Owned] = field(default_factory=Counter)
    cancels_in_flight: dict[int, Callable[[], None]] = field(default_factory=dict)
    """How to drop each."""
    commits: int = 0
    """In flight."""
    upsets: int = 0
    """How often it put reports aside: a stall, a coordinator that fell silent or is heard again, or
    a flood guard that began to hold."""
    is_unheard: bool = False
    taken_at: dict[tuple[Generation, Offset], float] = field(default_factory=dict)
    """When each message was handed over."""
    known: set[SchemaRef] = field(default_factory=set)
    next_tick: float = float("inf")
    intake: Intake = field(init=False)

    @property
    def runs(self) -> bool:
        return self.alive and self.stalled_until <= self.clock.now

    def fact(self, most_s: float, action: Callable[[], None]) -> None:
        """Bring it a fact, if it lives then, and not while it is stopped."""
        clock = self.clock

        def bring() -> None:
            if not self.alive:
                return
            if self.stalled_until > clock.now:
                clock.at(self.stalled_until, bring)
                return
            action()
            while self.intake.may_go_on:
                self.intake.go_on(clock.now)
            self.carry_out(self)

        clock.within(most_s, bring)

    def beat(self) -> None:
        """Tell it the time again and again."""

        def beat() -> None:
            self.core.tick(self.clock.now)
            self.beat()

        self.fact(BEAT_S, beat)

    def hear(self) -> None:
        """Its client tells it once a second when the coordinator answered last."""
        at = self.clock.now if self.cut_since is None else self.cut_since

        def told() -> None:
            if at > self.heard_at:
                self._hears_again(at)
            self.core.heard(at, self.clock.now)

        if self.runs:
            self.fact(0.3, told)
        if self.alive:
            self.clock.at(self.clock.now + HEAR_EVERY_S, self.hear)

    def _hears_again(self, at: float) -> None:
        """From now on it is to find out whose its partitions are before it makes a call."""
        self.unaware.clear()
        # Of less it may not have noticed anything.
        if at - self.heard_at > STALL_AFTER_S + 10.0:
            owned = [part.owned for part in self.core.partitions.values()]
            self.doubted.update(dict.fromkeys(owned, self.clock.now))
        self.heard_at = at

    def wake_when_due(self) -> None:
        due = self.core.next_due
        if due is not None and due < self.next_tick:
            self.next_tick = due
            self.clock.at(max(due, self.clock.now), self._ring)

    def _ring(self) -> None:
        self.next_tick = float("inf")
        self.fact(0.0, lambda: self.core.tick(self.clock.now))


class Processes:
    """Those that live, and those that lived."""

    def __init__(
        self, plan: Plan, clock: Clock, traffic: Traffic, carry_out: Callable[[Process], None]
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._traffic = traffic
        self._carry_out = carry_out
        self._number = count()
        self.all: list[Process] = []

    @property
    def alive(self) -> list[Process]:
        return [process for process in self.all if process.alive]

    @property
    def running(self) -> list[Process]:
        return [process for process in self.all if process.runs]

    def start(self) -> Process:
        name = f"process-{next(self._number)}"
        process = Process(name, self._clock, self._core(), self._carry_out)
        process.heard_at = self._clock.now
        process.intake = Intake(
            process.core,
            self._traffic.decoder(process.known),
            self._traffic.route,
            self._plan.ordering,
            self._cancelled,
            lambda ref: self._fetch(process, ref),
        )
        self.all.append(process)
        process.core.tick(self._clock.now)
        process.beat()
        if self._plan.silences:
            process.hear()
        return process

    @property
    def _cancelled(self) -> frozenset[tuple[str, str]]:
        return frozenset((name, CANCELLED) for name in self._plan.endpoints)

    def _core(self) -> Core:
        plan, clock = self._plan, self._clock
        settings = CoreSettings(
            ordering=plan.ordering,
            max_in_flight=plan.max_in_flight,
            batch_most=plan.batch_most,
            batch_bytes_most=plan.batch_bytes,
            batch_linger_s=plan.linger_s,
            hold_after_s=plan.hold_after_s,
            retry_for_s=plan.retry_for_s,
            payload_bytes_most=plan.payload_room,
            commit_interval_s=plan.commit_interval_s,
            stall_after_s=STALL_AFTER_S,
        )
        endpoints = {
            name: EndpointSettings(
                shared_token=name == "second",
                quota_per_minute=plan.quota,
                unknown_instance=plan.unknown_instance,
            )
            for name in plan.endpoints
        }
        return Core(
            settings,
            endpoints,
            self._cancelled,
            Silent(),
            clock.random.random,
            lambda: int(clock.now * 1000),
        )

    def _fetch(self, process: Process, ref: SchemaRef) -> None:
        def fetched() -> None:
            if self._clock.now < self._plan.registry_back_s:
                self._fetch(process, ref)
                return
            process.known.add(ref)
            process.intake.learned(ref)

        process.fact(2.0, fetched)
