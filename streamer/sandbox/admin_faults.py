"""How are faults seen and changed while the sandbox runs?"""

from collections.abc import Callable, Sequence
from typing import Any

from streamer.sandbox.admin_requests import AdminError, AdminRequest, json_of
from streamer.sandbox.fault_sentences import fault_sentence
from streamer.sandbox.fault_text import parse_fault, parse_fault_object
from streamer.sandbox.fault_writing import fault_text
from streamer.sandbox.faults import FaultRule, Faults, SetRule
from streamer.sandbox.quantities import WordingError

KeepFaults = Callable[[Sequence[SetRule]], None]
"""Has these take the place of all faults, each with the time from which its window counts."""

_USAGE = (
    'send {"faults": ["500=5%", "latency=50ms"]} to set them all (an empty list ends all), '
    '{"add": [...]} or {"remove": [...]}'
)


class FaultSwitches:
    def __init__(self, faults: Faults, keep: KeepFaults, clock_ms: Callable[[], int]) -> None:
        self._faults = faults
        self._keep = keep
        self._clock_ms = clock_ms

    def list(self) -> list[dict[str, Any]]:
        """Those that are set, in the order in which they count."""
        now_ms = self._clock_ms()
        return [_shown(was_set, now_ms) for was_set in self._faults.set_rules]

    def change(self, request: AdminRequest) -> dict[str, Any]:
        """Raises AdminError."""
        wanted = json_of(request)
        if not isinstance(wanted, dict) or len(wanted) != 1:
            raise AdminError(_USAGE)
        ((word, given),) = wanted.items()
        if word not in ("faults", "add", "remove") or not isinstance(given, list):
            raise AdminError(_USAGE)
        now_ms = self._clock_ms()
        rules = _fault_rules(word, given)
        kept = [] if word == "faults" else list(self._faults.set_rules)
        if word == "remove":
            kept = _without(kept, rules)
        else:
            # First, since the first of several latencies is the one that counts.
            kept = [*(SetRule(rule, now_ms) for rule in rules), *kept]
        self._keep([it for it in kept if not _is_over(it, now_ms)])
        return {"faults": self.list()}

    def end_all(self) -> None:
        self._keep(())


def _shown(was_set: SetRule, now_ms: int) -> dict[str, Any]:
    begins_s, ends_s = was_set.window_s(now_ms)
    return {
        "fault": fault_text(was_set.rule),
        "says": fault_sentence(was_set.rule),
        "active": was_set.is_active(now_ms),
        "begins_in_s": max(begins_s, 0.0),
        "ends_in_s": None if ends_s is None else max(ends_s, 0.0),
    }


def _is_over(was_set: SetRule, now_ms: int) -> bool:
    ends_s = was_set.window_s(now_ms)[1]
    return ends_s is not None and ends_s <= 0


def _without(kept: list[SetRule], rules: Sequence[FaultRule]) -> list[SetRule]:
    """Those left when each rule was taken out once: the newest, which is over last.

    Raises AdminError where one is not there: nobody is to believe that it is off now.
    """
    left = list(kept)
    for index, rule in enumerate(rules):
        place = next((place for place, it in enumerate(left) if it.rule == rule), None)
        if place is None:
            raise AdminError(
                f"remove[{index}]: no fault {fault_text(rule)!r} is set; "
                "GET /sandbox/faults has the words of those that are"
            )
        del left[place]
    return left


def _fault_rules(word: str, given: Sequence[object]) -> list[FaultRule]:
    rules: list[FaultRule] = []
    for index, fault in enumerate(given):
        try:
            if isinstance(fault, str):
                rules.append(parse_fault(fault))
            elif isinstance(fault, dict):
                rules.append(parse_fault_object(fault))
            else:
                raise WordingError("a fault is a text or an object")
        except WordingError as error:
            raise AdminError(f"{word}[{index}]: {error}") from None
    return rules
