"""What does a measurement of lanes come to?"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from bench.stage import Stage


class Figure(Struct, frozen=True):
    """A table, what else is to be known of it, and what fails the benchmark."""

    name: str
    says: str
    """For the results page."""
    table: Sequence[Sequence[str]]
    """The first row is its head."""
    remarks: Sequence[str]
    failures: Sequence[str]
    """Why the benchmark fails; empty where it does not."""


Measures = Callable[[Stage, bool], Figure]
"""Takes the figure; True: in a shorter time, for a look."""


def floor(name: str, what: str, value: float, least: float) -> Sequence[str]:
    """The failure, if the share is below the least."""
    return [] if value >= least else [f"{name}: {what} is {value:.1%}, at least {least:.0%} wanted"]
