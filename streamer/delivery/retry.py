"""When is a failed attempt tried again, and when is enough enough?"""

from collections.abc import Callable

Draw = Callable[[], float]
"""A random number in [0, 1), given from outside."""


class Backoff:
    """Exponential with full jitter: a random share of `first * 2^n`, never more than `most`.

    Full jitter spreads the retries of many reports that failed together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    __slots__ = ("draw", "first_s", "most_s")

    def __init__(self, first_s: float, most_s: float, draw: Draw) -> None:
        self.first_s = first_s
        self.most_s = most_s
        self.draw = draw

    def delay_s(self, failures: int, at_least_s: float | None = None) -> float:
        """How long to wait after the given number of failures in a row (1 or more).

        `at_least_s` is the other side's own word (`Retry-After`); it is kept to an hour, since a
        date a year away must not park a report for a year.
        """
        ceiling = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
        # Not below a twentieth: a draw near zero would hammer.
        delay = ceiling * max(self.draw(), 0.05)
        if at_least_s is None:
            return delay
        return min(max(at_least_s, 0.0), RETRY_AFTER_MOST_S) + delay


RETRY_AFTER_MOST_S = 3600.0
