"""What goes wrong with this call?

Rules are drawn for each call. Delays that match come first (the first of them counts); then at
most one fault: the shares of the rules that match are laid side by side, so that `500=5%` and
`429=1%` hit 5 and 1 of 100 calls. Nothing here reads a clock or does I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from msgspec import Struct

from streamer.sandbox.fault_kinds import Delay, Fault, ItemFault, Kind, Refuse


class CallKind(StrEnum):
    REPORT = "report"
    CANCEL = "cancel"
    BULK_REPORT = "bulk-report"
    BULK_CANCEL = "bulk-cancel"
    TOKEN = "token"


REPORT_CALLS = frozenset({CallKind.REPORT, CallKind.BULK_REPORT})
CANCEL_CALLS = frozenset({CallKind.CANCEL, CallKind.BULK_CANCEL})
BULK_CALLS = frozenset({CallKind.BULK_REPORT, CallKind.BULK_CANCEL})
EVENT_CALLS = REPORT_CALLS | CANCEL_CALLS


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
    entity: str | None = None
    """In lower case. A bulk call has none: only its items do."""
    starts_in_s: float = 0.0
    """After the rules were set."""
    lasts_s: float | None = None
    """None: until the rules are set anew."""

    def matches(self, call: "Call") -> bool:
        """Whether the rule is about such a call, whatever the time."""
        return (
            call.kind in self.calls
            and (self.trigger is None or self.trigger == call.trigger)
            and (self.instance is None or self.instance == call.instance)
            and (self.entity is None or self.entity == call.entity)
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
    entity: str | None = None


class Verdict(Struct, frozen=True):
    delay_before_s: float = 0.0
    """Before the platform takes the call in."""
    delay_after_s: float = 0.0
    fault: Fault | None = None
    after: bool = False
    """The platform takes the call in, then the fault comes."""


UNHARMED = Verdict()


class Harm(Struct, frozen=True):
    """What a fault does to one item of a bulk call."""

    fault: ItemFault
    after: bool
    """The platform takes the item in, and then it is told as failed."""


class SetRule(Struct, frozen=True):
    """A rule that was set."""

    rule: FaultRule
    set_at_ms: int

    def since_s(self, now_ms: int) -> float:
        return (now_ms - self.set_at_ms) / 1000

    def is_active(self, now_ms: int) -> bool:
        return self.rule.is_active(self.since_s(now_ms))

    def window_s(self, now_ms: int) -> tuple[float, float | None]:
        """In how many seconds it begins and ends, negative where it has; None: it does not end."""
        begins_s = self.rule.starts_in_s - self.since_s(now_ms)
        return begins_s, None if self.rule.lasts_s is None else begins_s + self.rule.lasts_s


class Faults:
    """The rules that hold, and since when."""

    def __init__(self, rules: Sequence[FaultRule], random: Random, now_ms: int) -> None:
        self._random = random
        self.set_rules: tuple[SetRule, ...] = ()
        self.set(rules, now_ms)

    def set(self, rules: Sequence[FaultRule], now_ms: int) -> None:
        """Takes the place of all rules; windows count from now."""
        self.keep([SetRule(rule, now_ms) for rule in rules])

    def keep(self, set_rules: Sequence[SetRule]) -> None:
        """Takes the place of all rules; each window counts from when its rule was set."""
        self.set_rules = tuple(set_rules)
        # A refused connection makes no call to judge.
        self._of_calls = tuple(
            was_set
            for was_set in set_rules
            if not isinstance(was_set.rule.kind, ItemFault | Refuse)
        )
        self._of_items = tuple(
            was_set for was_set in set_rules if isinstance(was_set.rule.kind, ItemFault)
        )

    @property
    def spare_calls(self) -> bool:
        """No rule can harm any call now or later: judging is not needed."""
        return not self._of_calls

    @property
    def spare_items(self) -> bool:
        """No rule can harm any item of a bulk call."""
        return not self._of_items

    def judge(self, call: Call, now_ms: int) -> Verdict:
        delay: FaultRule | None = None
        delay_s = 0.0
        draw = self._random.random()
        for was_set in self._of_calls:
            rule = was_set.rule
            if not (rule.matches(call) and was_set.is_active(now_ms)):
                continue
            if isinstance(rule.kind, Delay):
                if delay is None and self._hits(rule):
                    delay = rule
                    delay_s = rule.kind.distribution.draw(self._random)
            elif not isinstance(rule.kind, ItemFault | Refuse):
                if draw < rule.share:
                    return _verdict(delay, delay_s, rule.kind, rule.after)
                draw -= rule.share
        return _verdict(delay, delay_s, None, False)

    def judge_items(
        self, call: Call, entities: Sequence[str | None], now_ms: int
    ) -> list[Harm | None]:
        """What happens to each item of a bulk call."""
        return [
            self._judge_item(Call(call.kind, call.trigger, call.instance, entity), now_ms)
            for entity in entities
        ]

    def _judge_item(self, item: Call, now_ms: int) -> Harm | None:
        draw = self._random.random()
        for was_set in self._of_items:
            rule = was_set.rule
            if not (rule.matches(item) and was_set.is_active(now_ms)):
                continue
            if isinstance(rule.kind, ItemFault):
                if draw < rule.share:
                    return Harm(rule.kind, rule.after)
                draw -= rule.share
        return None

    def _hits(self, rule: FaultRule) -> bool:
        return rule.share >= 1.0 or self._random.random() < rule.share


def _verdict(delay: FaultRule | None, delay_s: float, fault: Fault | None, after: bool) -> Verdict:
    if delay is None:
        return Verdict(fault=fault, after=after)
    if delay.after:
        return Verdict(delay_after_s=delay_s, fault=fault, after=after)
    return Verdict(delay_before_s=delay_s, fault=fault, after=after)
