"""What goes wrong with this call?

Rules are drawn for each call. Delays that match come first (the first of them counts); then at
most one fault: the shares of the rules that match are laid side by side, so that `500=5%` and
`429=1%` hit 5 and 1 of 100 calls. Nothing here reads a clock or does I/O.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from msgspec import Struct


class CallKind(StrEnum):
    REPORT = "report"
    CANCEL = "cancel"
    TOKEN = "token"


EVENT_CALLS = frozenset({CallKind.REPORT, CallKind.CANCEL})


@dataclass(frozen=True, slots=True)
class Fixed:
    delay_s: float

    def draw(self, random: Random) -> float:
        return self.delay_s


@dataclass(frozen=True, slots=True)
class Uniform:
    low_s: float
    high_s: float

    def draw(self, random: Random) -> float:
        return random.uniform(self.low_s, self.high_s)


# The standard normal distribution's 99th percentile: log(p99 / p50) is so many sigmas.
_SIGMAS_AT_P99 = 2.3263478740408408


@dataclass(frozen=True, slots=True)
class LogNormal:
    """The usual shape of latencies: half of the calls under `p50_s`, one in 100 over `p99_s`."""

    p50_s: float
    p99_s: float

    def draw(self, random: Random) -> float:
        sigma = math.log(self.p99_s / self.p50_s) / _SIGMAS_AT_P99
        return self.p50_s * math.exp(sigma * random.gauss(0.0, 1.0))


Distribution = Fixed | Uniform | LogNormal


@dataclass(frozen=True, slots=True)
class Delay:
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class Fail:
    """Answers with a status."""

    status: int
    retry_after: str | None = None
    """The `Retry-After` header as it is to stand there."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Resets the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection in the middle of a success's body."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Keeps the connection open and never answers."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: connections are refused, open ones reset."""


Fault = Fail | Drop | Cut | Hang
Kind = Delay | Fault | Refuse


@dataclass(frozen=True, slots=True)
class FaultRule:
    kind: Kind
    share: float = 1.0
    """Of the calls that match, 0 to 1."""
    after: bool = False
    """The platform took the call in before the fault came: "maybe accepted" for the caller."""
    calls: frozenset[CallKind] = field(default=EVENT_CALLS)
    trigger: str | None = None
    instance: str | None = None
    starts_in_s: float = 0.0
    """After the rules were set."""
    lasts_s: float | None = None
    """None: until the rules are set anew."""

    def matches(self, call: "Call", since_s: float) -> bool:
        return (
            call.kind in self.calls
            and (self.trigger is None or self.trigger == call.trigger)
            and (self.instance is None or self.instance == call.instance)
            and self.is_active(since_s)
        )

    def is_active(self, since_s: float) -> bool:
        """Whether the rule holds `since_s` seconds after the rules were set."""
        if since_s < self.starts_in_s:
            return False
        return self.lasts_s is None or since_s < self.starts_in_s + self.lasts_s


class Call(Struct, frozen=True):
    """What a rule may choose by; a trigger or instance that could not be read is None."""

    kind: CallKind
    trigger: str | None
    instance: str | None


class Verdict(Struct, frozen=True):
    delay_before_s: float = 0.0
    """Before the platform takes the call in."""
    delay_after_s: float = 0.0
    fault: Fault | None = None
    after: bool = False
    """The platform takes the call in, then the fault comes."""


UNHARMED = Verdict()


class Faults:
    """The rules that hold, and since when."""

    def __init__(self, rules: Sequence[FaultRule], random: Random, now_ms: int) -> None:
        self._random = random
        self.rules: tuple[FaultRule, ...] = ()
        self.set_at_ms = now_ms
        self.set(rules, now_ms)

    def set(self, rules: Sequence[FaultRule], now_ms: int) -> None:
        """Takes the place of all rules; windows count from now."""
        self.rules = tuple(rules)
        self.set_at_ms = now_ms
        # A refused connection makes no call to judge.
        self._judged = tuple(rule for rule in rules if not isinstance(rule.kind, Refuse))

    @property
    def spare_all(self) -> bool:
        """No rule can harm any call now or later: judging is not needed."""
        return not self._judged

    def judge(self, call: Call, now_ms: int) -> Verdict:
        since_s = (now_ms - self.set_at_ms) / 1000
        delay: FaultRule | None = None
        delay_s = 0.0
        draw = self._random.random()
        for rule in self._judged:
            if not rule.matches(call, since_s):
                continue
            if isinstance(rule.kind, Delay):
                if delay is None and self._hits(rule):
                    delay = rule
                    delay_s = rule.kind.distribution.draw(self._random)
            elif not isinstance(rule.kind, Refuse):
                if draw < rule.share:
                    return self._verdict(delay, delay_s, rule.kind, rule.after)
                draw -= rule.share
        return self._verdict(delay, delay_s, None, False)

    def _hits(self, rule: FaultRule) -> bool:
        return rule.share >= 1.0 or self._random.random() < rule.share

    @staticmethod
    def _verdict(
        delay: FaultRule | None, delay_s: float, fault: Fault | None, after: bool
    ) -> Verdict:
        if delay is None:
            return Verdict(fault=fault, after=after)
        if delay.after:
            return Verdict(delay_after_s=delay_s, fault=fault, after=after)
        return Verdict(delay_before_s=delay_s, fault=fault, after=after)
