"""Which rows of the journal are asked for?"""

from msgspec import Struct

from streamer.sandbox.answering import Outcome
from streamer.sandbox.bulk_answers import Item
from streamer.sandbox.journal_rows import Line, Row, outcome_word
from streamer.sandbox.platform import Accepted

FILTERS = ("trigger", "instance", "entity", "key", "call", "outcome", "request_id")


class Filters(Struct, frozen=True):
    """What a row must have; None: anything."""

    trigger: str | None = None
    instance: str | None = None
    entity: str | None = None
    """In lower case."""
    key: str | None = None
    call: str | None = None
    outcome: str | None = None
    request_id: str | None = None

    def may_fit(self, line: Line) -> bool:
        """False where no row of the line can fit. Rows cost more to write down than to pass over:
        a filter may have to look through the whole journal every second."""
        if self.call is not None and self.call != line.kind:
            return False
        if self.request_id is not None and self.request_id != line.request_id:
            return False
        caller, outcome = line.caller, line.outcome
        if self.instance is not None and (caller is None or caller.instance != self.instance):
            return False
        return isinstance(outcome, list) or self._may_fit(outcome)

    def item_may_fit(self, item: Item) -> bool:
        """The same of an item of a bulk call whose line may fit."""
        return self.trigger in (None, item.trigger) and self._may_fit(item.outcome)

    def _may_fit(self, outcome: Outcome | None) -> bool:
        if self.outcome is not None and self.outcome != outcome_word(outcome):
            return False
        entry = outcome.entry if isinstance(outcome, Accepted) else None
        return entry is None or (
            self.trigger in (None, entry.trigger)
            and self.entity in (None, entry.entity)
            and self.key in (None, entry.idempotency_key)
        )

    def fits(self, row: Row) -> bool:
        return (
            self.trigger in (None, row.trigger)
            and self.instance in (None, row.instance)
            and (self.entity is None or self.entity == (row.entity or "").lower())
            and self.key in (None, row.idempotency_key)
            and self.call in (None, row.call)
            and self.outcome in (None, row.outcome)
            and self.request_id in (None, row.request_id)
        )
