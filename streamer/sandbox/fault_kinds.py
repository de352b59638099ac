"""What can go wrong with a call, or with an item of a bulk call?"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from random import Random


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
class DateAway:
    """A date, so many seconds from the answer; in the past where negative."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Answers with a status."""

    status: int
    retry_after: str | DateAway | None = None
    """The `Retry-After` header, as it is to stand there or as a date."""
    location: str | None = None
    """Where a redirect points."""
    code: str | None = None
    """In the error; None: the one that the status has without a word."""


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
class Html:
    """Answers with a web page: something else than the endpoint stands there."""

    status: int = 200


@dataclass(frozen=True, slots=True)
class Text:
    """Answers 200 with so many bytes of text."""

    size: int


class ResultsFault(StrEnum):
    """What is wrong with a bulk answer's results, though the call was taken in as always."""

    DOUBLED = "doubled"
    CONTRADICTING = "contradicting"
    """Doubled, and the second says the contrary."""
    MISSING = "missing"
    """Left out and not counted in `undetailedFailures` either."""
    NONE = "none"
    """There are no results at all."""
    OUT_OF_RANGE = "out-of-range"
    """With an `originalIndex` that no item has."""
    OUT_OF_ORDER = "out-of-order"
    """In the reverse of the items' order, for certain."""
    CUT = "cut"
    """Half of the body, under a Content-Length that fits it."""


@dataclass(frozen=True, slots=True)
class WrongResults:
    how: ResultsFault


@dataclass(frozen=True, slots=True)
class ExpiresIn:
    """A token is given with another `expires_in`."""

    said: str | None
    """JSON as it is to stand there; None: the field is left out."""

    @property
    def lifetime_s(self) -> int | None:
        """How long the token is good where the text is a number of seconds that a token can have;
        None: as long as other tokens."""
        return int(self.said) if self.said is not None and _WHOLE.fullmatch(self.said) else None


_WHOLE = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class FailItem:
    """An item of a bulk call is told as failed with a code."""

    code: str


@dataclass(frozen=True, slots=True)
class Undetailed:
    """An item of a bulk call is counted as failed and left out of the results."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens: connections are refused, open ones reset."""


SpoiltSuccess = Cut | WrongResults | ExpiresIn
"""Only the answer to a call that was taken in can go wrong so."""

Fault = Fail | Drop | Hang | Html | Text | SpoiltSuccess
ItemFault = FailItem | Undetailed
Kind = Delay | Fault | ItemFault | Refuse
