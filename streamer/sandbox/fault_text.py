"""How is a fault written, on the command line and in the admin call?

    500=5% after trigger=invoice_overdue      5 % answer 500 although they were taken in
    latency=50ms | 20ms..80ms | p50=50ms,p99=400ms
    drop=1% | cut=1% | hang=1%                connection reset, answer cut short, no answer
    503 in=10s for=30s                        an outage that starts in ten seconds
    refuse for=30s                            nobody listens for half a minute

The admin call takes the same text, or an object of the same words:
`{"status": 500, "share": 0.05, "after": true, "trigger": "invoice_overdue"}`.
"""

import math
import re
import shlex
from collections.abc import Mapping
from typing import assert_never

from streamer.sandbox.faults import (
    EVENT_CALLS,
    CallKind,
    Cut,
    Delay,
    Distribution,
    Drop,
    Fail,
    FaultRule,
    Fixed,
    Hang,
    Kind,
    LogNormal,
    Refuse,
    Uniform,
)

KINDS = ("status", "latency", "drop", "cut", "hang", "refuse")
OPTIONS = ("share", "after", "before", "call", "trigger", "instance", "in", "for", "retry_after")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_STATUS = re.compile(r"[2-5]\d\d")

_CALLS = {
    "report": frozenset({CallKind.REPORT}),
    "cancel": frozenset({CallKind.CANCEL}),
    "token": frozenset({CallKind.TOKEN}),
    "events": EVENT_CALLS,
    "all": frozenset(CallKind),
}


class FaultTextError(Exception):
    """A fault that cannot be read: a sentence that says what was found and what to write."""


def parse_fault(text: str) -> FaultRule:
    """A fault in words. Raises FaultTextError."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise FaultTextError(f"{text!r} has a quotation mark without its partner") from None
    if not words:
        raise FaultTextError(f"a fault is empty; write one such as '500=5%' or '{EXAMPLE}'")
    name, given, value = words[0].partition("=")
    said: dict[str, str] = {}
    if _STATUS.fullmatch(name):
        said["status"] = name
        if given:
            said["share"] = value
    elif name == "latency":
        said["latency"] = value
    elif name in KINDS:
        said[name] = "true"
        if given:
            said["share"] = value
    else:
        raise FaultTextError(
            f"{name!r} begins no fault; begin with a status (500), {', '.join(KINDS[1:])}"
        )
    for word in words[1:]:
        name, given, value = word.partition("=")
        if name in said:
            raise FaultTextError(f"{name!r} is given twice in {text!r}; give it once")
        said[name] = value if given else "true"
    return _rule(said)


EXAMPLE = "latency=p50=50ms,p99=400ms"


def parse_fault_object(said: Mapping[str, object]) -> FaultRule:
    """A fault as a JSON object. Raises FaultTextError."""
    words: dict[str, str] = {}
    for name, value in said.items():
        if isinstance(value, bool):
            if value:
                words[name] = "true"
        elif isinstance(value, int | float) and name == "share":
            words[name] = f"{value * 100}%"
        elif isinstance(value, str | int):
            words[name] = str(value)
        else:
            raise FaultTextError(f"{name!r} has a value of type {type(value).__name__}; use text")
    return _rule(words)


def _rule(said: Mapping[str, str]) -> FaultRule:
    for name in said:
        if name not in KINDS and name not in OPTIONS:
            raise FaultTextError(f"{name!r} is no word of a fault; use {', '.join(OPTIONS)}")
    kinds = [name for name in KINDS if name in said]
    if len(kinds) != 1:
        raise FaultTextError(
            f"a fault has exactly one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}"
        )
    kind = _kind(kinds[0], said)
    share = _share(said["share"]) if "share" in said else 1.0
    lasts_s = parse_duration(said["for"]) if "for" in said else None
    calls = said.get("call", "events")
    if calls not in _CALLS:
        raise FaultTextError(f"call={calls} is unknown; use one of {', '.join(_CALLS)}")
    if isinstance(kind, Refuse):
        _check_refuse(said)
    return FaultRule(
        kind=kind,
        share=share,
        after=_after(kind, said),
        calls=_CALLS[calls],
        trigger=said.get("trigger"),
        instance=said.get("instance"),
        starts_in_s=parse_duration(said["in"]) if "in" in said else 0.0,
        lasts_s=lasts_s,
    )


def _kind(name: str, said: Mapping[str, str]) -> Kind:
    if "retry_after" in said and name != "status":
        raise FaultTextError(f"retry_after belongs to a status, not to {name}; take it out")
    match name:
        case "status":
            return _fail(said["status"], said.get("retry_after"))
        case "latency":
            return Delay(parse_distribution(said["latency"]))
        case "drop":
            return Drop()
        case "cut":
            return Cut()
        case "hang":
            return Hang()
        case _:
            return Refuse()


def _fail(status: str, retry_after: str | None) -> Fail:
    if _STATUS.fullmatch(status) is None:
        raise FaultTextError(f"status {status!r} is none; use a number from 200 to 599")
    if retry_after is not None and not (retry_after.isascii() and retry_after.isprintable()):
        raise FaultTextError("retry_after has characters that no header can hold; use ASCII")
    return Fail(int(status), retry_after)


def _after(kind: Kind, said: Mapping[str, str]) -> bool:
    if "after" in said and "before" in said:
        raise FaultTextError("a fault is either 'after' or 'before' the call was taken in; choose")
    if isinstance(kind, Cut) and "before" in said:
        raise FaultTextError("only an answer of a call that was taken in can be cut; drop 'before'")
    # A slow answer and a cut one are those of a call that was taken in; other faults come before.
    return "before" not in said if isinstance(kind, Cut | Delay) else "after" in said


def _check_refuse(said: Mapping[str, str]) -> None:
    if "for" not in said:
        raise FaultTextError(
            "refuse has no end, and the admin call is refused too; write 'refuse for=30s'"
        )
    chosen = [name for name in said if name not in ("refuse", "in", "for")]
    if chosen:
        raise FaultTextError(
            f"refuse closes the door to every call, so that {chosen[0]!r} cannot choose; "
            "take it out, or use a status"
        )


def _share(text: str) -> float:
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else math.nan
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise FaultTextError(f"share {text!r} is none; write it as 5% (0% to 100%)")
    return share


def parse_duration(text: str) -> float:
    """Seconds of `50ms`, `1.5s`, `2m` or `4h`. Raises FaultTextError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise FaultTextError(f"{text!r} is no duration; write one as 50ms, 1.5s, 2m or 4h")
    return float(found[1]) * _SECONDS[found[2]]


def parse_distribution(text: str) -> Distribution:
    """A latency: fixed, `low..high`, or log-normal by its percentiles. Raises FaultTextError."""
    if found := re.fullmatch(r"p50=([^,]*),p99=(.*)", text):
        p50_s, p99_s = parse_duration(found[1]), parse_duration(found[2])
        if not 0 < p50_s <= p99_s:
            raise FaultTextError(f"latency {text!r}: p50 must be above 0 and not above p99")
        return LogNormal(p50_s, p99_s)
    low, dots, high = text.partition("..")
    if not dots:
        return Fixed(parse_duration(text))
    low_s, high_s = parse_duration(low), parse_duration(high)
    if low_s > high_s:
        raise FaultTextError(f"latency {text!r}: the first must not be above the second")
    return Uniform(low_s, high_s)


def fault_text(rule: FaultRule) -> str:
    """The rule in words: `parse_fault` of them gives the rule again."""
    words = [_kind_text(rule)]
    natural = isinstance(rule.kind, Cut | Delay)
    if rule.after != natural:
        words.append("after" if rule.after else "before")
    if rule.calls != EVENT_CALLS:
        words += [f"call={name}" for name, calls in _CALLS.items() if calls == rule.calls]
    if isinstance(rule.kind, Fail) and rule.kind.retry_after is not None:
        words.append(shlex.quote(f"retry_after={rule.kind.retry_after}"))
    for name, chosen in (("trigger", rule.trigger), ("instance", rule.instance)):
        if chosen is not None:
            words.append(shlex.quote(f"{name}={chosen}"))
    if isinstance(rule.kind, Delay) and rule.share < 1:
        words.append(f"share={_percent(rule.share)}")
    if rule.starts_in_s:
        words.append(f"in={_duration_text(rule.starts_in_s)}")
    if rule.lasts_s is not None:
        words.append(f"for={_duration_text(rule.lasts_s)}")
    return " ".join(words)


def _kind_text(rule: FaultRule) -> str:
    share = "" if rule.share >= 1 else f"={_percent(rule.share)}"
    kind = rule.kind
    match kind:
        case Delay():
            return f"latency={_distribution_text(kind.distribution)}"
        case Fail():
            return f"{kind.status}{share}"
        case Drop():
            return f"drop{share}"
        case Cut():
            return f"cut{share}"
        case Hang():
            return f"hang{share}"
        case Refuse():
            return "refuse"
        case _:
            assert_never(kind)


def _distribution_text(distribution: Distribution) -> str:
    match distribution:
        case Fixed():
            return _duration_text(distribution.delay_s)
        case Uniform():
            low, high = distribution.low_s, distribution.high_s
            return f"{_duration_text(low)}..{_duration_text(high)}"
        case LogNormal():
            p50, p99 = distribution.p50_s, distribution.p99_s
            return f"p50={_duration_text(p50)},p99={_duration_text(p99)}"
        case _:
            assert_never(distribution)


def _duration_text(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g}ms"


def _percent(share: float) -> str:
    return f"{share * 100:g}%"
