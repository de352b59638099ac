"""What is measured, and which figures fail `make bench`?"""

from enum import Enum

from msgspec import Struct


class Keys(Enum):
    """What the scenario's topic holds."""

    UNIFORM = "10,000 keys, all as often"
    ZIPF = "10,000 keys, Zipf(1.0)"
    ONE_BAD = "10,000 keys, all as often; of 100 messages one does not decode"


class Scenario(Struct, frozen=True):
    """Calls to an endpoint with one latency, from the topic's beginning."""

    name: str
    says: str
    """For the results page."""
    latency_s: float
    in_flight: int = 256
    batch: int = 1
    """Most reports in a call."""
    poll: int | None = None
    """How many messages the plain loop takes at a time; None: as many as calls in flight."""
    keys: Keys = Keys.UNIFORM
    slow_s: float = 0.0
    """The latency of one key in a hundred; 0: that of all."""
    first_s: float | None = None
    """Measured from the first call on, for so long; None: in its steady state."""
    least_share: float | None = None
    """Of `limit_per_s`, below which the benchmark fails."""
    least_times: float | None = None
    """Of the plain loop's events a second, below which it fails."""
    most_mb: float | None = None
    """Resident memory, above which it fails."""

    @property
    def limit_per_s(self) -> float | None:
        """What the calls in flight allow at this latency; None where the endpoint answers at
        once, or a call takes more than one report."""
        return self.in_flight / self.latency_s if self.latency_s and self.batch == 1 else None


BACKLOG_MB = 200.0
"""What a backlog of a million events may take."""

SCENARIOS = (
    Scenario(
        "single-50ms",
        "Single calls, endpoint with a latency of 50 ms, 256 calls in flight",
        latency_s=0.05,
        least_share=0.98,
        most_mb=BACKLOG_MB,
    ),
    Scenario(
        "single-0ms",
        "Single calls, endpoint that answers at once, 256 calls in flight",
        latency_s=0.0,
        least_times=1.5,
        most_mb=BACKLOG_MB,
    ),
    Scenario(
        "bulk-50ms",
        "Bulk calls of up to 100, endpoint with a latency of 50 ms, 256 calls in flight, key order"
        " kept; the plain loop polls 10,000 at a time and keeps none",
        latency_s=0.05,
        batch=100,
        poll=10_000,
        least_times=0.6,
        most_mb=BACKLOG_MB,
    ),
    Scenario(
        "keys-zipf",
        "Single calls, keys Zipf(1.0)-distributed, endpoint with a latency of 50 ms, 256 calls in"
        " flight; the first ten seconds, in which key order allows each key 200 events",
        latency_s=0.05,
        keys=Keys.ZIPF,
        first_s=10.0,
        least_share=0.95,
    ),
    Scenario(
        "keys-slow",
        "Single calls, of 100 keys one takes 2 s and the others 50 ms, 256 calls in flight; events"
        " of the other keys",
        latency_s=0.05,
        slow_s=2.0,
        least_share=0.95,
    ),
    Scenario(
        "bad-messages",
        "Single calls, endpoint with a latency of 50 ms, 256 calls in flight; of 100 messages one"
        " does not decode and is dead-lettered (the plain loop drops it)",
        latency_s=0.05,
        keys=Keys.ONE_BAD,
        least_share=0.93,
    ),
)
