"""What is the smallest world in which it still goes wrong, and how is it written down?

A world is drawn from its seed by `draw_plan`; a smaller one is the same plan with a few fields
changed. In writing: `17 messages=31 crashes=0`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from tests.simulation.plan import Plan, draw_plan

Fault = Callable[[Plan], str | None]
"""What goes wrong in a world; None: nothing."""

_TYPES = get_type_hints(Plan)
_BOOLEANS = {"True": True, "False": False}

_CALMER: dict[str, Any] = {
    # What befalls it: none of it, where it plays no part.
    **dict.fromkeys(("crashes", "crashes_after_cancels", "rebalances", "stalls", "silences"), 0),
    **dict.fromkeys(("shutdowns", "shutdowns_between_commits", "markers", "late"), 0),
    **dict.fromkeys(("stalls_at_assignments", "moves_while_cancels_hang", "outages"), 0),
    **dict.fromkeys(("long_holds", "letter_failures", "commit_failures", "commits_in_doubt"), 0),
    **dict.fromkeys(("unavailable", "refused", "throttled", "lost_answers", "hanging"), 0),
    **dict.fromkeys(("item_errors", "undetailed", "odd_results", "garbled"), 0),
    **dict.fromkeys(("token_refusals", "bad_deployment_s", "registry_back_s", "linger_s"), 0),
    **dict.fromkeys(("quota", "endpoint_quota", "endpoint_bytes", "hold_after_s"), None),
    "key_life_s": None,
    "commit_interval_s": 0.2,
    **dict.fromkeys(("entries", "sites", "partitions", "processes", "batch_most"), 1),
    "counts_throttled": False,
    "says_retry_after": False,
    "token_life_s": 100_000.0,
    "metadata_limit": 4_096,
    "broker_limit": 4_096,
    "sweep_from": 10_000,
    "flood_refusals": 100,
}

_NUMBERS = ("messages", "keys", "rebalances", "crashes", "stalls", "outages")
"""Smaller by steps, where none at all is too few."""


def shrink(plan: Plan, fault: Fault, within_s: float) -> tuple[Plan, str]:
    """A plan with as little in it as is found in the time, and what goes wrong there: the same,
    in other numbers. `plan` itself must go wrong."""
    until = time.monotonic() + within_s
    said = fault(plan)
    assert said is not None, "nothing goes wrong in it"
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(plan):
            if time.monotonic() > until:
                return plan, said
            found = fault(candidate)
            if found is not None and _kind(found) == _kind(said):
                plan, said, smaller = candidate, found, True
                break
    return plan, said


def _kind(said: str) -> str:
    """The same fault in another world: its words without the numbers and what they stand in."""
    return " ".join(word for word in said.split() if not any(map(str.isdigit, word)))


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Half of it first, then one thing after the other, at last message by message."""
    for part in (2, 4):
        if plan.messages >= 2 * part:
            yield replace(plan, messages=plan.messages - plan.messages // part)
    for name, value in _CALMER.items():
        if getattr(plan, name) != value:
            yield replace(plan, **{name: value})
    for name in _NUMBERS:
        number = getattr(plan, name)
        for less in dict.fromkeys((number // 2, number - 1)):
            if 0 < less < number:
                yield replace(plan, **{name: less})


# --- in writing -------------------------------------------------------------------------------


def written(plan: Plan) -> str:
    """The seed, and what is other than `draw_plan` has it."""
    drawn = draw_plan(plan.seed)
    changed = [
        f"{each.name}={_text(getattr(plan, each.name))}"
        for each in fields(Plan)
        if getattr(plan, each.name) != getattr(drawn, each.name)
    ]
    return " ".join([str(plan.seed), *changed])


def plan_of(text: str) -> Plan:
    """The plan that is written so. Raises ValueError with what is wrong."""
    seed, *changed = text.split() or [""]
    if not seed.isdigit():
        raise ValueError(f"{text!r} does not begin with a seed, such as 17")
    values: dict[str, Any] = {}
    for each in changed:
        name, _, value = each.partition("=")
        if name not in _TYPES or name == "seed":
            raise ValueError(f"{name!r} is no field of a plan: see tests/simulation/plan.py")
        values[name] = _value(name, value)
    return replace(draw_plan(int(seed)), **values)


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _value(name: str, text: str) -> Any:
    declared = _TYPES[name]
    kinds = get_args(declared) if isinstance(declared, UnionType) else (declared,)
    if text == "None" and NoneType in kinds:
        return None
    kind = next(kind for kind in kinds if kind is not NoneType)
    try:
        return _BOOLEANS[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise ValueError(f"{name}={text}: it is no {kind.__name__}") from None
