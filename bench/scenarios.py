"""What is measured, and which figures fail `make bench`?"""

from msgspec import Struct


class Scenario(Struct, frozen=True):
    """Single calls to an endpoint with one latency, from the topic's beginning."""

    name: str
    says: str
    """For the results page."""
    latency_s: float
    in_flight: int = 256
    least_share: float | None = None
    """Of `limit_per_s`, below which the benchmark fails."""

    @property
    def limit_per_s(self) -> float | None:
        """What the calls in flight allow at this latency; None where the endpoint answers at
        once."""
        return self.in_flight / self.latency_s if self.latency_s else None


SCENARIOS = (
    Scenario(
        "single-50ms",
        "Single calls, endpoint with a latency of 50 ms, 256 calls in flight",
        latency_s=0.05,
        least_share=0.9,
    ),
    Scenario(
        "single-0ms",
        "Single calls, endpoint that answers at once, 256 calls in flight",
        latency_s=0.0,
    ),
)
