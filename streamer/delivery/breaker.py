"""May calls of this channel go out, or does only a probe?

        CLOSED --- failures in a row reach the threshold ---> OPEN
        OPEN   --- its pause is over ----------------------> HALF_OPEN (one call: the probe)
        HALF_OPEN --- the probe got through ---------------> CLOSED
        HALF_OPEN --- the probe failed --------------------> OPEN, with a longer pause

"Got through" means that the endpoint dealt with a report, by accepting or by refusing it.
"""

from enum import Enum

from streamer.delivery.retry import Backoff


class BreakerState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Counts failures in a row; opens at `threshold`."""

    __slots__ = ("_pauses", "failures", "opened_at", "probe_at", "state", "threshold", "why")

    def __init__(self, threshold: int, pauses: Backoff) -> None:
        self.threshold = threshold
        self._pauses = pauses
        self.state = BreakerState.CLOSED
        self.failures = 0
        self.opened_at = 0.0
        self.probe_at = 0.0
        self.why = ""

    @property
    def is_closed(self) -> bool:
        return self.state is BreakerState.CLOSED

    def failed(self, now: float, why: str, at_least_s: float | None = None) -> bool:
        """Count a failure; True if the breaker opened, or opened again, by it.

        The failure of a call that was under way when the breaker opened changes nothing.
        """
        if self.state is BreakerState.OPEN:
            return False
        self.failures += 1
        if self.state is BreakerState.CLOSED and self.failures < self.threshold:
            return False
        if self.state is BreakerState.CLOSED:
            self.opened_at = now
        self.state = BreakerState.OPEN
        self.why = why
        rounds = self.failures - self.threshold + 1
        self.probe_at = now + self._pauses.delay_s(rounds, at_least_s)
        return True

    def probe(self) -> None:
        """The pause is over: one call may go."""
        self.state = BreakerState.HALF_OPEN

    def got_through(self) -> bool:
        """The endpoint dealt with a report; True if that closed the breaker."""
        self.failures = 0
        if self.state is BreakerState.CLOSED:
            return False
        self.state = BreakerState.CLOSED
        self.why = ""
        return True
