"""Does the account add up: did each event become what it should, once, and in order?

Everything that the producer writes is entered as what it should become; what the sandbox
accepted and what stands in the dead letter topics is struck off. What is left in the end is lost.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

# So that a demo that runs for ever does not grow for ever: about 20 MB.
REMEMBERED = 200_000

K = TypeVar("K")
V = TypeVar("V")


class Kind(StrEnum):
    REPORT = "report"
    CANCEL = "cancel"
    DEAD_LETTER = "dead letter"


class Outcome(NamedTuple):
    """One thing that an event should become, or became."""

    kind: Kind
    where: str
    """The trigger, or the dead letter topic."""
    what: str
    """The event's id, the cancelled entity, or the digest of the dead letter's value."""


class Place(NamedTuple):
    """Where an event stands among those of its key."""

    topic: str
    key: bytes
    number: int


@dataclass(slots=True)
class Account:
    events: int = 0
    skipped: int = 0
    """Events that no route takes, tombstones among them."""
    tombstones: int = 0
    reports: int = 0
    """Delivered."""
    cancels: int = 0
    """Delivered."""
    repeated_cancels: int = 0
    """A cancel has no idempotency key; sent again after an answer that was lost, it does no
    harm."""
    dead_letters: int = 0
    doubled: int = 0
    """Activated twice for the same event, or twice in the dead letter topic."""
    unexpected: int = 0
    """Nothing that was produced explains it."""
    out_of_order: int = 0
    uncommitted: int = 0
    """Messages whose offset is not committed; set at the end."""
    _open: dict[Outcome, Place] = field(default_factory=dict)
    _closed: OrderedDict[Outcome, None] = field(default_factory=OrderedDict)
    _last_of_key: OrderedDict[tuple[str, bytes], int] = field(default_factory=OrderedDict)

    @property
    def open(self) -> int:
        """Outcomes that are still to come; at the end: lost."""
        return len(self._open)

    @property
    def adds_up(self) -> bool:
        wrong = (self.open, self.doubled, self.unexpected, self.out_of_order, self.uncommitted)
        return not any(wrong)

    def expect(self, outcomes: Sequence[Outcome], place: Place, *, tombstone: bool = False) -> None:
        """Enter an event that is about to be written."""
        self.events += 1
        self.skipped += not outcomes
        self.tombstones += tombstone
        for outcome in outcomes:
            self._open[outcome] = place

    def saw(self, outcome: Outcome) -> None:
        """Strike off what the sandbox accepted or the dead letter topic holds, in its order."""
        place = self._open.pop(outcome, None)
        if place is None:
            self._saw_again(outcome)
            return
        _remember(self._closed, outcome, None)
        match outcome.kind:
            case Kind.REPORT:
                self.reports += 1
                self._check_order(place)
            case Kind.CANCEL:
                self.cancels += 1
                self._check_order(place)
            case Kind.DEAD_LETTER:
                # Nothing waits for it but its offset: it has no place in the order.
                self.dead_letters += 1

    def _saw_again(self, outcome: Outcome) -> None:
        if outcome not in self._closed:
            self.unexpected += 1
        elif outcome.kind is Kind.CANCEL:
            self.repeated_cancels += 1
        else:
            self.doubled += 1

    def _check_order(self, place: Place) -> None:
        key = (place.topic, place.key)
        # Equal is right: one event may make several reports.
        self.out_of_order += self._last_of_key.get(key, -1) > place.number
        _remember(self._last_of_key, key, place.number)


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
