"""How is a fault written, on the command line and in the admin call?

    500=5% after trigger=invoice_overdue      5 % answer 500 although they were taken in
    409:ALREADY_EXISTS=1%                     a status with another code than its usual one
    latency=50ms | 20ms..80ms | p50=50ms,p99=400ms
    drop=1% | cut=1% | hang=1%                connection reset, answer cut short, no answer
    html:502=1% | text:10MB=1%                a web page, or so much text
    item:UNAVAILABLE=2% | undetailed=2%       items of bulk calls
    results:doubled=2% | expires_in:none=2%   a success that is told wrongly
    503 in=10s for=30s                        an outage that starts in ten seconds
    refuse for=30s                            nobody listens for half a minute

What follows a colon belongs to the kind. The admin call takes the same text, or an object of the
same words: `{"status": 500, "share": 0.05, "after": true, "trigger": "invoice_overdue"}`,
`{"item": "UNAVAILABLE", "share": 0.02}`.
"""

import math
import re
import shlex
from collections.abc import Mapping

import msgspec

from streamer.sandbox.fault_kinds import (
    Cut,
    DateAway,
    Delay,
    Drop,
    ExpiresIn,
    Fail,
    FailItem,
    Hang,
    Html,
    ItemFault,
    Kind,
    Refuse,
    ResultsFault,
    SpoiltSuccess,
    Text,
    Undetailed,
    WrongResults,
)
from streamer.sandbox.faults import (
    BULK_CALLS,
    CANCEL_CALLS,
    EVENT_CALLS,
    REPORT_CALLS,
    CallKind,
    FaultRule,
)
from streamer.sandbox.quantities import (
    WordingError,
    parse_distribution,
    parse_duration,
    parse_size,
)

_PLAIN_KINDS = ("drop", "cut", "hang", "refuse", "undetailed")
_DETAILED_KINDS = {
    "html": "html, or html:502",
    "text": "text:10MB",
    "item": "item:UNAVAILABLE",
    "results": f"results: and one of {', '.join(ResultsFault)}",
    "expires_in": "expires_in:-1, or expires_in:none to leave it out",
}
KINDS = ("status", "latency", *_PLAIN_KINDS, *_DETAILED_KINDS)
OPTIONS = (
    *("share", "after", "before", "call", "trigger", "instance", "entity", "in", "for"),
    *("retry_after", "location"),
)

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,79}|[1-5][0-9]{2}")
_EXPIRES_IN = re.compile(r'[A-Za-z0-9_.+"-]{1,40}')
_DATE_AWAY = re.compile(r"date([+-])(.+)")
_TEXT_MAX = 100_000_000  # bytes of one answer, kept in memory
_STATUS = re.compile(r"[2-5][0-9]{2}")
_NAMED_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_SHARE_DIGITS = 8  # of a share, 0.000001%: it is written with all of its digits

CALLS = {
    "report": REPORT_CALLS,
    "cancel": CANCEL_CALLS,
    "single": EVENT_CALLS - BULK_CALLS,
    "bulk": BULK_CALLS,
    "token": frozenset({CallKind.TOKEN}),
    "events": EVENT_CALLS,
    "all": frozenset(CallKind),
}


def parse_fault(text: str) -> FaultRule:
    """A fault in words. Raises WordingError."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise WordingError(f"{text!r} has a quotation mark without its partner") from None
    if not words:
        raise WordingError(f"a fault is empty; write one such as '500=5%' or '{EXAMPLE}'")
    said = _first_word(words[0])
    for word in words[1:]:
        name, given, value = word.partition("=")
        if name in said:
            raise WordingError(f"{name!r} is given twice in {text!r}; give it once")
        said[name] = value if given else "true"
    return _rule(said)


def _first_word(word: str) -> dict[str, str]:
    name, given, value = word.partition("=")
    kind, colon, detail = name.partition(":")
    if kind == "latency" and not colon:
        return {"latency": value}
    if _STATUS.fullmatch(kind):
        said = {"status": name}
    elif kind in _DETAILED_KINDS or (kind in _PLAIN_KINDS and not colon):
        said = {kind: detail if colon else "true"}
    else:
        raise WordingError(
            f"{name!r} begins no fault; begin with a status (500), {', '.join(KINDS[1:])}"
        )
    if given:
        said["share"] = value
    return said


EXAMPLE = "latency=p50=50ms,p99=400ms"


def parse_fault_object(said: Mapping[str, object]) -> FaultRule:
    """A fault as a JSON object. Raises WordingError."""
    words: dict[str, str] = {}
    for name, value in said.items():
        if isinstance(value, bool):
            if value:
                words[name] = "true"
        elif isinstance(value, int | float) and name == "share":
            words[name] = _share_in_words(value)
        elif isinstance(value, str | int):
            words[name] = str(value)
        else:
            raise WordingError(f"{name!r} has a value of type {type(value).__name__}; use text")
    return _rule(words)


def _rule(said: Mapping[str, str]) -> FaultRule:
    for name in said:
        if name not in KINDS and name not in OPTIONS:
            raise WordingError(f"{name!r} is no word of a fault; use {', '.join(OPTIONS)}")
    kinds = [name for name in KINDS if name in said]
    if len(kinds) != 1:
        raise WordingError(
            f"a fault has exactly one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}"
        )
    kind = _kind(kinds[0], said)
    share = _share(said["share"]) if "share" in said else 1.0
    lasts_s = parse_duration(said["for"]) if "for" in said else None
    if isinstance(kind, Refuse):
        _check_refuse(said)
    return FaultRule(
        kind=kind,
        share=share,
        after=_after(kind, said),
        calls=_calls(kind, said),
        trigger=said.get("trigger"),
        instance=said.get("instance"),
        entity=said["entity"].lower() if "entity" in said else None,
        starts_in_s=parse_duration(said["in"]) if "in" in said else 0.0,
        lasts_s=lasts_s,
    )


def _calls(kind: Kind, said: Mapping[str, str]) -> frozenset[CallKind]:
    default = default_calls(kind)
    name = said.get("call")
    if name is None:
        return default
    if name not in CALLS:
        raise WordingError(f"call={name} is unknown; use one of {', '.join(CALLS)}")
    calls = CALLS[name]
    if default != EVENT_CALLS and not calls & default:
        raise WordingError(
            f"this fault can never hit a call={name}; take call= out and it hits what it can"
        )
    return calls


def default_calls(kind: Kind) -> frozenset[CallKind]:
    """Which calls a fault is about without the word `call`."""
    if isinstance(kind, ItemFault | WrongResults):
        return BULK_CALLS
    return CALLS["token"] if isinstance(kind, ExpiresIn) else EVENT_CALLS


def _kind(name: str, said: Mapping[str, str]) -> Kind:
    for option in ("retry_after", "location"):
        if option in said and name != "status":
            raise WordingError(f"{option} belongs to a status, not to {name}; take it out")
    detail = said[name]
    match name:
        case "status":
            return _fail(said)
        case "latency":
            return Delay(parse_distribution(detail))
        case "drop":
            return Drop()
        case "cut":
            return Cut()
        case "hang":
            return Hang()
        case "undetailed":
            return Undetailed()
        case "refuse":
            return Refuse()
        case _:
            return _detailed_kind(name, detail)


def _detailed_kind(name: str, detail: str) -> Kind:
    match name:
        case "html" if detail == "true":
            return Html()
        case "html" if _STATUS.fullmatch(detail):
            return Html(int(detail))
        case "text" if (size := _text_size(detail)) is not None:
            return Text(size)
        case "item" if _CODE.fullmatch(detail):
            return FailItem(detail)
        case "results" if detail in tuple(ResultsFault):
            return WrongResults(ResultsFault(detail))
        case "expires_in" if _EXPIRES_IN.fullmatch(detail) and detail != "true":
            return ExpiresIn(None if detail == "none" else _as_json(detail))
        case _:
            raise WordingError(
                f"{name} with {detail[:40]!r} is none; write {_DETAILED_KINDS[name]}"
            )


def _text_size(detail: str) -> int | None:
    try:
        size = parse_size(detail)
    except WordingError:
        return None
    return size if size <= _TEXT_MAX else None


def _as_json(text: str) -> str:
    """The text where it is JSON, otherwise as a JSON string."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return msgspec.json.encode(text).decode()
    return text


def _fail(said: Mapping[str, str]) -> Fail:
    retry_after, location = said.get("retry_after"), said.get("location")
    status, colon, named = said["status"].partition(":")
    if _STATUS.fullmatch(status) is None:
        raise WordingError(f"status {status[:40]!r} is none; use a number from 200 to 599")
    if colon and _NAMED_CODE.fullmatch(named) is None:
        raise WordingError(f"{named[:40]!r} is no code; write one as 409:ALREADY_EXISTS")
    code = named if colon else None
    for name, text in (("retry_after", retry_after), ("location", location)):
        if text is not None and not (text.isascii() and text.isprintable()):
            raise WordingError(f"{name} has characters that no header can hold; use ASCII")
    if location is not None and not status.startswith("3"):
        raise WordingError(f"location belongs to a redirect (3xx), not to {status}; take it out")
    date = None if retry_after is None else _DATE_AWAY.fullmatch(retry_after)
    if date is None:
        return Fail(int(status), retry_after, location, code)
    seconds = parse_duration(date[2])
    return Fail(int(status), DateAway(-seconds if date[1] == "-" else seconds), location, code)


def _after(kind: Kind, said: Mapping[str, str]) -> bool:
    if "after" in said and "before" in said:
        raise WordingError("a fault is either 'after' or 'before' the call was taken in; choose")
    if isinstance(kind, SpoiltSuccess) and "before" in said:
        raise WordingError("only the answer of a call that was taken in is spoilt; drop 'before'")
    return "before" not in said if is_after_by_nature(kind) else "after" in said


def is_after_by_nature(kind: Kind) -> bool:
    """Whether it comes after the call was taken in without the word `after`: a slow answer and a
    spoilt one are those of a call that was; other faults come before."""
    return isinstance(kind, SpoiltSuccess | Delay)


def _check_refuse(said: Mapping[str, str]) -> None:
    if "for" not in said:
        raise WordingError(
            "refuse has no end, and the admin call is refused too; write 'refuse for=30s'"
        )
    chosen = [name for name in said if name not in ("refuse", "in", "for")]
    if chosen:
        raise WordingError(
            f"refuse closes the door to every call, so that {chosen[0]!r} cannot choose; "
            "take it out, or use a status"
        )


def _share_in_words(share: float) -> str:
    # What is beyond is refused as it came: a long integer has no floating point number.
    return f"{share * 100:.15f}%" if 0 <= share <= 1 else f"{str(share)[:40]} of 1"


def _share(text: str) -> float:
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else math.nan
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise WordingError(f"share {text[:40]!r} is none; write it as 5% (0% to 100%)")
    if 0 < share < 10**-_SHARE_DIGITS:
        raise WordingError(f"share {text[:40]!r} is too fine; write 0.000001% or more, or 0%")
    return round(share, _SHARE_DIGITS)
