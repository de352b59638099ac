"""How did a commit end, and which one was it?

librdkafka tells the end of an asynchronous commit by one callback for all of them, in the order in
which they were made, while it is polled. Inside a rebalance callback it tells nothing: there the
poll thread asks the broker what it has instead (`resolve`).
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct

from streamer.model import Partition
from streamer.source.handover import CommitFailure, CommitPlan, CommitResult

NOT_OWNED = "NOT_OWNED"
"""The partition went before its commit was made."""
UNKNOWN = "UNKNOWN"
"""Nobody told in time whether the broker has it."""

TOO_LARGE = "OFFSET_METADATA_TOO_LARGE"
"""The broker's `offset.metadata.max.bytes` has no room for what goes with the commit."""

_Key = frozenset[tuple[str, int, int]]


class Failure(Protocol):
    """What is read of confluent-kafka's `KafkaError`."""

    def name(self) -> str: ...


class Answered(Struct, frozen=True):
    """One partition of a commit's answer."""

    partition: Partition
    position: int
    code: str | None
    """librdkafka's name of the error; None: it succeeded."""


class _InFlight(Struct):
    plans: tuple[CommitPlan, ...]
    dropped: tuple[CommitFailure, ...]
    key: _Key
    told: bool
    too_large: Callable[[], None] | None = None


class Commits:
    """The commits that were made and did not end. Used by the poll thread alone."""

    def __init__(self, submit: Callable[[Sequence[CommitPlan]], str | None]) -> None:
        """`submit` makes a commit; gives librdkafka's name of the error if it cannot."""
        self._submit = submit
        self._in_flight: deque[_InFlight] = deque()
        self.last: CommitResult | None = None
        """How the one before ended of which somebody is told."""

    @property
    def busy(self) -> bool:
        """Whether a commit's result was not told yet."""
        return any(not one.told for one in self._in_flight)

    def make(
        self, plans: Sequence[CommitPlan], is_owned: Callable[[CommitPlan], bool]
    ) -> CommitResult | None:
        """Make a commit of what is still owned; gives its result if that is known at once."""
        mine = tuple(plan for plan in plans if is_owned(plan))
        gone = tuple(_failed(plan, NOT_OWNED) for plan in plans if not is_owned(plan))
        code = self._submit(mine) if mine else None
        if code is not None or not mine:
            failed = tuple(_failed(plan, code or NOT_OWNED) for plan in mine)
            self.last = CommitResult(tuple(plans), gone + failed)
            return self.last
        self._in_flight.append(_InFlight(tuple(plans), gone, _key_of(mine), False))
        return None

    def make_untold(
        self, plans: Sequence[CommitPlan], too_large: Callable[[], None] | None = None
    ) -> bool:
        """Make a commit whose end nobody is told; False if it cannot be made.

        `too_large` is called if the broker refuses its metadata for their size.
        """
        if self._submit(plans) is not None:
            return False
        self._in_flight.append(_InFlight(tuple(plans), (), _key_of(plans), True, too_large))
        return True

    def answered(self, answers: Sequence[Answered]) -> CommitResult | None:
        """librdkafka told the end of a commit; gives the result if somebody waits for it."""
        key = frozenset((*answer.partition, answer.position) for answer in answers)
        one = next((one for one in self._in_flight if one.key == key), None)
        if one is None:
            return None
        self._in_flight.remove(one)
        if one.told:
            if one.too_large and any(answer.code == TOO_LARGE for answer in answers):
                one.too_large()
            return None
        codes = {answer.partition: answer.code for answer in answers}
        failures = [
            _failed(plan, code)
            for plan in one.plans
            if (code := codes.get(plan.owned.partition)) is not None
        ]
        self.last = CommitResult(one.plans, one.dropped + tuple(failures))
        return self.last

    def resolve(
        self, shown: Callable[[Sequence[CommitPlan]], Collection[Partition]]
    ) -> CommitResult | None:
        """End the commit in flight by what the broker shows; what it does not show is unknown.

        `shown` gives the partitions of which the broker has exactly what the plan says.
        """
        one = next((one for one in self._in_flight if not one.told), None)
        if one is None:
            return None
        one.told = True
        dropped = {failure.partition for failure in one.dropped}
        made = [plan for plan in one.plans if plan.owned.partition not in dropped]
        there = shown(made)
        unknown = [_failed(plan, UNKNOWN) for plan in made if plan.owned.partition not in there]
        self.last = CommitResult(one.plans, one.dropped + tuple(unknown))
        return self.last


def _key_of(plans: Sequence[CommitPlan]) -> _Key:
    return frozenset((*plan.owned.partition, plan.position) for plan in plans)


def _failed(plan: CommitPlan, code: str) -> CommitFailure:
    return CommitFailure(plan.owned.partition, code, code == TOO_LARGE)
