"""What was accepted, in which order, and how often did each call and key come?

Entries are numbered from 1 in order of acceptance. The newest `keep` stay in memory; the counts
of what came before stay too.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Raw, Struct

DEFAULT_KEEP = 1_000_000  # about 1 kB each with a payload of 300 bytes: 1 GB, a long test's worth


class Entry(Struct, gc=False):
    """An accepted report or cancel. Mutable: repeats, cancels and the answer come later."""

    number: int
    """From 1 in order of acceptance."""
    action: str
    """`report` or `cancel`."""
    trigger: str
    app: str
    instance: str
    entity: str | None
    payload: Raw | None
    """The JSON text that came, digit for digit; None for a cancel."""
    idempotency_key: str | None
    activation_ids: tuple[str, ...]
    request_id: str
    """Of the call that was accepted."""
    accepted_at_ms: int
    started: int
    """When its call arrived, on one count of all arrivals and answers: a call whose `started` is
    above another's `answered` began after that one was answered."""
    answered: int | None = None
    """When its call was answered in full, on the same count; None if it never was."""
    bulk_index: int | None = None
    """The item's place in its bulk call, from 0; None for a call of one."""
    came: int = 1
    """How often this idempotency key came while it was remembered, the first time included."""
    cancelled_by: int | None = None
    """The number of the cancel that ended its activations."""
    cancels: tuple[int, ...] = ()
    """For a cancel: the numbers of the reports whose activations it ended."""


class TriggerCounts(Struct):
    reports: int = 0
    """Accepted, each with an activation."""
    ignored: int = 0
    """Repeats of an idempotency key: answered as a success, without an activation."""
    refused: int = 0
    """Refused by the platform's own rules (4xx), not by a fault."""
    cancels: int = 0
    cancelled: int = 0
    """Reports whose activations a cancel ended."""


class Page(Struct):
    """A stretch of the ledger."""

    entries: Sequence[Entry]
    next: int | None
    """What to give as `after` for the next page; None at the end."""
    first: int
    """Number of the oldest entry that is kept; one above `last` where none is."""
    last: int
    """Number of the newest entry; 0 where there was none."""


class Ledger:
    """Entries and counts. Decides nothing."""

    def __init__(self, keep: int = DEFAULT_KEEP) -> None:
        self._keep = keep
        self._entries: list[Entry] = []
        self._gone = 0
        """Entries that were let go and are not in the list any more."""
        self._stale = 0
        """Entries at the list's start that were let go but not cut off yet."""
        self.by_trigger: dict[str, TriggerCounts] = {}
        self.calls: dict[str, Counter[str]] = {}
        """By call (`report`, `cancel`, `token`) and what became of it (`200`, `dropped`, ...)."""
        self.bulk_items = 0
        """Items of the bulk calls that were taken in, whatever became of them."""
        self.ignored_differing = 0
        """Repeats whose instance, entity or payload was another than the accepted one's."""
        self.cancels_of_nothing = 0

    @property
    def last_number(self) -> int:
        return self._gone + len(self._entries)

    def append(self, entry: Entry) -> Entry | None:
        """Takes the entry in; gives the one that is let go for it."""
        self._entries.append(entry)
        if len(self._entries) - self._stale <= self._keep:
            return None
        gone = self._entries[self._stale]
        self._stale += 1
        # Cut off in large pieces: cutting one entry moves all others.
        if self._stale > 1000 and self._stale * 2 > len(self._entries):
            del self._entries[: self._stale]
            self._gone += self._stale
            self._stale = 0
        return gone

    def trigger(self, trigger: str) -> TriggerCounts:
        counts = self.by_trigger.get(trigger)
        if counts is None:
            counts = self.by_trigger[trigger] = TriggerCounts()
        return counts

    def count_call(self, call: str, ending: str) -> None:
        counts = self.calls.get(call)
        if counts is None:
            counts = self.calls[call] = Counter()
        counts[ending] += 1

    def page(
        self,
        after: int = 0,
        limit: int = 1000,
        *,
        trigger: str | None = None,
        instance: str | None = None,
        entity: str | None = None,
    ) -> Page:
        """At most `limit` entries numbered above `after`, those that fit the filters."""
        first = self._gone + self._stale + 1
        found: list[Entry] = []
        following: int | None = None
        for entry in self._from(max(after + 1, first)):
            if (
                (trigger is None or entry.trigger == trigger)
                and (instance is None or entry.instance == instance)
                and (entity is None or entry.entity == entity)
            ):
                if len(found) == limit:
                    following = found[-1].number if found else after
                    break
                found.append(entry)
        return Page(found, following, first, self.last_number)

    def _from(self, number: int) -> Iterator[Entry]:
        for index in range(number - self._gone - 1, len(self._entries)):
            yield self._entries[index]
