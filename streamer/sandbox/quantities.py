"""How are durations, latencies, quotas and sizes written, in flags and in faults?"""

import re
from decimal import Decimal

from streamer.sandbox.fault_kinds import Distribution, Fixed, LogNormal, Uniform

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
# Exact, so that a duration that is written and read again is the same.
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_DURATION_MAX_S = 10 * 365 * 24 * 3600  # ten years: no date from now on leaves the calendar
_QUOTA = re.compile(r"([1-9][0-9]{0,8})(?:/min)?")
_SIZE = re.compile(r"([1-9][0-9]{0,11})(B|kB|KiB|MB|MiB)?")
_BYTES = {None: 1, "B": 1, "kB": 1000, "KiB": 1024, "MB": 1_000_000, "MiB": 1024 * 1024}


class WordingError(Exception):
    """A text that cannot be read: a sentence that says what was found and what to write."""


def parse_quota(text: str) -> int | None:
    """Calls a minute of `200/min`; None for `none`. Raises WordingError."""
    if text == "none":
        return None
    found = _QUOTA.fullmatch(text)
    if found is None:
        raise WordingError(f"{text[:40]!r} is no quota; write one as 200/min, or none")
    return int(found[1])


def quota_text(calls_a_minute: int | None) -> str:
    return "none" if calls_a_minute is None else f"{calls_a_minute}/min"


def parse_size(text: str) -> int:
    """Bytes of `512kB`, `1MiB` or `10MB`. Raises WordingError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise WordingError(f"{text[:40]!r} is no size; write one as 512kB, 1MiB or 10MB")
    return int(found[1]) * _BYTES[found[2]]


def size_text(size: int) -> str:
    """The shortest way to write the size exactly."""
    for unit in ("MB", "MiB", "kB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def parse_duration(text: str) -> float:
    """Seconds of `50ms`, `1.5s`, `2m` or `4h`, at most ten years. Raises WordingError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise WordingError(f"{text[:40]!r} is no duration; write one as 50ms, 1.5s, 2m or 4h")
    seconds = Decimal(found[1]) * _SECONDS[found[2]]
    if seconds > _DURATION_MAX_S:
        raise WordingError(f"{text[:40]!r} is longer than ten years; write 87600h or less")
    return float(seconds)


def duration_text(seconds: float) -> str:
    """The duration in words: `parse_duration` of them gives the same number."""
    exact = Decimal(repr(seconds))
    for unit in ("h", "m"):
        if exact >= _SECONDS[unit] and exact % _SECONDS[unit] == 0:
            return f"{int(exact / _SECONDS[unit])}{unit}"
    whole = exact >= 1 or exact == 0
    # Not as 1e+06, which is no duration.
    return f"{exact.normalize():f}s" if whole else f"{(exact * 1000).normalize():f}ms"


def parse_distribution(text: str) -> Distribution:
    """A latency: fixed, `low..high`, or log-normal by its percentiles. Raises WordingError."""
    if found := re.fullmatch(r"p50=([^,]*),p99=(.*)", text):
        p50_s, p99_s = parse_duration(found[1]), parse_duration(found[2])
        if not 0 < p50_s <= p99_s:
            raise WordingError(f"latency {text!r}: p50 must be above 0 and not above p99")
        return LogNormal(p50_s, p99_s)
    low, dots, high = text.partition("..")
    if not dots:
        return Fixed(parse_duration(text))
    low_s, high_s = parse_duration(low), parse_duration(high)
    if low_s > high_s:
        raise WordingError(f"latency {text!r}: the first must not be above the second")
    return Uniform(low_s, high_s)
