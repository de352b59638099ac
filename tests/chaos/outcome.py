"""What is a campaign made of, and what does each part of it give?"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from tests.chaos.stage import Stage


class Counts(Struct, frozen=True):
    """The three ledgers, compared."""

    produced: int = 0
    accepted: int = 0
    """Of these the sandbox accepted, repeats left out."""
    dead_letters: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    sent_again: int = 0
    """Sent again under a key that the sandbox knew, and ignored by it."""


class Outcome(Struct, frozen=True):
    """One part of a campaign, finished."""

    counts: Counts
    faults: Sequence[str] = ()
    """What must not be, a sentence each; empty: the part has passed."""
    figures: Mapping[str, str] = {}
    """What else is worth knowing, by what it is."""


class Part(Struct, frozen=True):
    """One fault, driven and compared."""

    says: str
    run: Callable[[Stage], Outcome]
    """On a stage of its own."""


class Size(Struct, frozen=True):
    """How much a campaign does."""

    quick: bool
    soak_minutes: float

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full
