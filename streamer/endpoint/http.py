"""What does the delivery path ask of an HTTP client, and what does it read of an answer?

Two promises, two protocols. `HttpClient` makes calls. `DroppableClient` can let go of all calls at
once, so that what was not yet sent never will be; cancels need one (see the guarantees page).
Every implementation passes the same contract suite.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

from streamer.endpoint.tls import Tls
from streamer.model import Answer, Exchange

Headers = Sequence[tuple[str, str]]

ANSWER_BYTES_MOST = 1024 * 1024
"""A full bulk answer has about 100 KB; what is so much longer is not the endpoint's. 256 calls in
flight hold 256 MB of it at most."""

IDLE_S = 20.0
"""How long an idle connection is kept: well under the 60 s after which common gateways close it
(nginx 75 s, AWS' load balancer 60 s), so that few calls meet a connection that is being closed."""

Clock = Callable[[], float]
"""Wall clock, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What every client is set up with."""

    timeout_s: float = 10.0
    """Of a whole call, from connecting to the end of the answer."""
    tls: Tls = field(default_factory=Tls)
    proxy: str | None = None
    """URL, with user name and password where it wants them. The environment's are not used."""
    answer_bytes_most: int = ANSWER_BYTES_MOST
    wall_clock: Clock = time.time
    connect_share: float = 0.95
    """Of the time-out for each step to a connection: a little under the whole, so that a call that
    was never connected is told from one that was sent."""

    @property
    def connect_timeout_s(self) -> float:
        """Of each step to a connection."""
        return self.connect_share * self.timeout_s


class HttpClient(Protocol):
    """Calls that always end within the time-out, and in a value."""

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        """One call. Redirects are not followed, nothing is tried again, nothing is decompressed.

        Gives `NoAnswer` for whatever goes wrong: `NOT_SENT` only if the request certainly never
        left, `TIMEOUT`, `RESET`, `BROKEN` (this too for an answer longer than the limit), and
        `DROPPED` for a call in flight at `drop` or `aclose`. Raises nothing but the awaiting
        task's own `CancelledError`; the connection ends then too, within the time-out at most.
        """
        ...

    async def aclose(self) -> None:
        """Ends calls in flight as `DROPPED`; no call is made afterwards."""
        ...


class DroppableClient(HttpClient, Protocol):
    async def drop(self) -> None:
        """Closes all connections. Calls in flight have ended as `DROPPED` when this returns;
        what was not in the kernel's hands is not sent any more. Later calls use new ones."""
        ...


# --- reading an answer ------------------------------------------------------------------------

_SECONDS = re.compile(r"[+-]?\d{1,18}(\.\d{1,9})?")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")


def retry_after_s(text: str | None, now: float) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3) in seconds from now; a past date or negative number is 0.

    `now` in seconds since the epoch. None where it is absent or neither a number nor a date.
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return max(float(text), 0.0)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(date.timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return None


def read_answer(
    status: int, header: Callable[[str], str | None], body: bytes, wall_clock: Clock
) -> Answer:
    """The answer, from its status, its headers by name in lower case, and its whole body."""
    wait = header("retry-after")
    request_id = header("x-wix-request-id")
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        request_id = None  # it goes into logs and dead letters
    return Answer(
        status,
        body,
        None if wait is None else retry_after_s(wait, wall_clock()),
        request_id,
        header("content-type") or "",
    )
