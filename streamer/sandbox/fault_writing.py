"""How is a fault written in words?"""

import shlex
from typing import assert_never

from streamer.sandbox.fault_kinds import (
    Cut,
    DateAway,
    Delay,
    Distribution,
    Drop,
    ExpiresIn,
    Fail,
    FailItem,
    Fixed,
    Hang,
    Html,
    LogNormal,
    Refuse,
    Text,
    Undetailed,
    Uniform,
    WrongResults,
)
from streamer.sandbox.fault_text import CALLS, default_calls, is_after_by_nature
from streamer.sandbox.faults import FaultRule
from streamer.sandbox.quantities import duration_text, size_text


def fault_text(rule: FaultRule) -> str:
    """The rule in words: `parse_fault` of them gives the rule again."""
    words = [_kind_text(rule)]
    if rule.after != is_after_by_nature(rule.kind):
        words.append("after" if rule.after else "before")
    if rule.calls != default_calls(rule.kind):
        words += [f"call={name}" for name, calls in CALLS.items() if calls == rule.calls]
    if isinstance(rule.kind, Fail):
        words += _header_words(rule.kind)
    chosen_by = (
        ("trigger", rule.trigger),
        ("instance", rule.instance),
        ("entity", rule.entity),
    )
    for name, chosen in chosen_by:
        if chosen is not None:
            words.append(shlex.quote(f"{name}={chosen}"))
    if isinstance(rule.kind, Delay) and rule.share < 1:
        words.append(f"share={percent_text(rule.share)}")
    if rule.starts_in_s:
        words.append(f"in={duration_text(rule.starts_in_s)}")
    if rule.lasts_s is not None:
        words.append(f"for={duration_text(rule.lasts_s)}")
    return " ".join(words)


def _header_words(kind: Fail) -> list[str]:
    words: list[str] = []
    if isinstance(kind.retry_after, DateAway):
        sign = "-" if kind.retry_after.seconds < 0 else "+"
        words.append(f"retry_after=date{sign}{duration_text(abs(kind.retry_after.seconds))}")
    elif kind.retry_after is not None:
        words.append(shlex.quote(f"retry_after={kind.retry_after}"))
    if kind.location is not None:
        words.append(shlex.quote(f"location={kind.location}"))
    return words


def _kind_text(rule: FaultRule) -> str:
    share = "" if rule.share >= 1 else f"={percent_text(rule.share)}"
    kind = rule.kind
    match kind:
        case Delay():
            return f"latency={_distribution_text(kind.distribution)}"
        case Fail():
            code = "" if kind.code is None else f":{kind.code}"
            return f"{kind.status}{code}{share}"
        case Drop():
            return f"drop{share}"
        case Cut():
            return f"cut{share}"
        case Hang():
            return f"hang{share}"
        case Refuse():
            return "refuse"
        case Html():
            return f"html{share}" if kind.status == 200 else f"html:{kind.status}{share}"
        case Text():
            return f"text:{size_text(kind.size)}{share}"
        case WrongResults():
            return f"results:{kind.how}{share}"
        case ExpiresIn():
            said = "none" if kind.said is None else kind.said
            return shlex.quote(f"expires_in:{said}{share}")
        case FailItem():
            return f"item:{kind.code}{share}"
        case Undetailed():
            return f"undetailed{share}"
        case _:
            assert_never(kind)


def _distribution_text(distribution: Distribution) -> str:
    match distribution:
        case Fixed():
            return duration_text(distribution.delay_s)
        case Uniform():
            low, high = distribution.low_s, distribution.high_s
            return f"{duration_text(low)}..{duration_text(high)}"
        case LogNormal():
            p50, p99 = distribution.p50_s, distribution.p99_s
            return f"p50={duration_text(p50)},p99={duration_text(p99)}"
        case _:
            assert_never(distribution)


def percent_text(share: float) -> str:
    # A share has eight digits, and so a percentage six; not as 1e-06%.
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + "%"
