"""What came lately, and what became of it, accepted or not?

The ledger has what was accepted, for good; this has all that came, for a while: the newest. A bulk
call's items stand in it one by one. Lines are kept as they fall off the calls and are written down
only when somebody asks.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from streamer.sandbox.answering import Outcome
from streamer.sandbox.calls import TokenCall
from streamer.sandbox.incoming import Incoming
from streamer.sandbox.journal_filters import Filters
from streamer.sandbox.journal_rows import Line, Row, rows_of
from streamer.sandbox.platform import Accepted
from streamer.sandbox.tokens import Caller

KEEP = 10_000  # events: what a person scrolls through at most
KEEP_BYTES = 64 * 1024 * 1024  # of bodies
ALL_ROWS = Filters()


class JournalPage(Struct):
    """A stretch of the journal."""

    rows: Sequence[Row]
    """In the order of their numbers."""
    next: int | None
    """What to give as `after` for the rows that follow; None where all were given."""
    first: int
    """Number of the oldest row that is kept; one above `last` where none is."""
    last: int
    """Number of the newest row; 0 where there was none."""


class Journal:
    """Remembers the newest calls."""

    def __init__(self, keep: int = KEEP, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep = keep
        self._keep_bytes = keep_bytes
        self.version = 0
        """Another whenever the rows may be others than before."""
        self.forget()

    def forget(self) -> None:
        self.version += 1
        self._lines: deque[Line] = deque()
        self._next_number = 1
        self._rows = 0
        self._bytes = 0

    def append(self, incoming: Incoming, outcome: Outcome | None, ending: str, now_ms: int) -> None:
        caller, asked, body = incoming.caller, incoming.asked, incoming.body
        if isinstance(asked, TokenCall):
            caller = Caller(asked.app, asked.instance)
        if isinstance(outcome, list) or (isinstance(outcome, Accepted) and outcome.entry):
            body = b""
        line = Line(
            self._next_number,
            now_ms,
            incoming.kind,
            caller if isinstance(caller, Caller) else None,
            body,
            len(incoming.body),
            outcome,
            ending,
            incoming.request_id,
        )
        self._lines.append(line)
        self.version += 1
        rows = line.rows
        self._next_number += rows
        self._rows += rows
        self._bytes += line.size
        while (self._rows > self._keep or self._bytes > self._keep_bytes) and len(self._lines) > 1:
            gone = self._lines.popleft()
            self._rows -= gone.rows
            self._bytes -= gone.size

    def page(self, after: int | None, limit: int, filters: Filters = ALL_ROWS) -> JournalPage:
        """At most `limit` rows that fit the filters: those that follow number `after`, or the
        newest where it is None."""
        last = self._next_number - 1
        first = self._lines[0].number if self._lines else last + 1
        found = (row for row in self._rows_after(after, filters) if filters.fits(row))
        rows = list(islice(found, limit))
        more = after is not None and next(found, None) is not None
        if after is None:
            rows.reverse()
        return JournalPage(rows, rows[-1].number if more else None, first, last)

    def _rows_after(self, number: int | None, filters: Filters) -> Iterator[Row]:
        """Those that may fit; the newest first where no number is given."""
        if number is None:
            for line in reversed(self._lines):
                if filters.may_fit(line):
                    yield from reversed(list(rows_of(line, filters.item_may_fit)))
            return
        for line in self._lines:
            if line.number + line.rows > number + 1 and filters.may_fit(line):
                yield from (
                    row for row in rows_of(line, filters.item_may_fit) if row.number > number
                )
