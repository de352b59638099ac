"""What does a fault do, in a sentence for a person?"""

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
    ResultsFault,
    Text,
    Undetailed,
    Uniform,
    WrongResults,
)
from streamer.sandbox.fault_text import CALLS, default_calls, is_after_by_nature
from streamer.sandbox.fault_writing import percent_text
from streamer.sandbox.faults import FaultRule
from streamer.sandbox.quantities import duration_text, size_text

_CALLS = {
    "report": "report calls",
    "cancel": "cancel calls",
    "single": "single calls",
    "bulk": "bulk calls",
    "token": "token calls",
    "events": "reports and cancels",
    "all": "calls",
}

_RESULTS = {
    ResultsFault.DOUBLED: "have results twice",
    ResultsFault.CONTRADICTING: "have results twice, the second saying the contrary",
    ResultsFault.MISSING: "lack results",
    ResultsFault.NONE: "have no results at all",
    ResultsFault.OUT_OF_RANGE: "have results of items that do not exist",
    ResultsFault.OUT_OF_ORDER: "have their results in reverse order",
    ResultsFault.CUT: "are answered with half of the JSON",
}


def fault_sentence(rule: FaultRule) -> str:
    """What the rule does to which calls; when it does is not said."""
    kind = rule.kind
    if isinstance(kind, Refuse):
        return "Nobody listens: connections are refused, open ones reset, this page's too"
    said = [f"{_who(rule)} {_what(rule)}"]
    if rule.after and not is_after_by_nature(kind):
        said.append("though taken in")
    if isinstance(kind, Delay) and not rule.after:
        said.append("before being taken in")
    chosen = [
        f"{word} {value}"
        for word, value in (
            ("trigger", rule.trigger),
            ("instance", rule.instance),
            ("entity", rule.entity),
        )
        if value is not None
    ]
    if chosen:
        said.append(f"only {', '.join(chosen)}")
    return ", ".join(said)


def _who(rule: FaultRule) -> str:
    word = next((word for word, calls in CALLS.items() if calls == rule.calls), "all")
    calls = _CALLS[word]
    if isinstance(rule.kind, FailItem | Undetailed):
        calls = (
            "items of bulk calls" if rule.calls == default_calls(rule.kind) else f"items, {calls}"
        )
    return f"All {calls}" if rule.share >= 1 else f"{percent_text(rule.share)} of {calls}"


def _what(rule: FaultRule) -> str:
    kind = rule.kind
    match kind:
        case Delay():
            return f"wait {_wait(kind.distribution)}"
        case Fail():
            code = "" if kind.code is None else f" {kind.code}"
            return f"answer {kind.status}{code}{_headers(kind)}"
        case Drop():
            return "end with a reset and no answer"
        case Cut():
            return "end in the middle of the answer"
        case Hang():
            return "get no answer while they wait"
        case Html():
            return f"answer {kind.status} with a web page"
        case Text():
            return f"answer 200 with {size_text(kind.size)} of text"
        case WrongResults():
            return _RESULTS[kind.how]
        case ExpiresIn():
            return (
                "answer without expires_in" if kind.said is None else f"say expires_in {kind.said}"
            )
        case FailItem():
            return f"fail with {kind.code}"
        case Undetailed():
            return "fail and have no result"
        case Refuse():
            return "are refused"
        case _:
            assert_never(kind)


def _wait(distribution: Distribution) -> str:
    match distribution:
        case Fixed():
            return duration_text(distribution.delay_s)
        case Uniform():
            return f"{duration_text(distribution.low_s)} to {duration_text(distribution.high_s)}"
        case LogNormal():
            p50, p99 = duration_text(distribution.p50_s), duration_text(distribution.p99_s)
            return f"about {p50}, one in 100 over {p99}"
        case _:
            assert_never(distribution)


def _headers(kind: Fail) -> str:
    if isinstance(kind.retry_after, DateAway):
        ago = "ago" if kind.retry_after.seconds < 0 else "ahead"
        away = duration_text(abs(kind.retry_after.seconds))
        return f" with Retry-After, a date {away} {ago}"
    if kind.retry_after is not None:
        return f" with Retry-After: {kind.retry_after}"
    return " with a Location elsewhere" if kind.location is not None else ""
