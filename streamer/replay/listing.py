"""`dead-letters list`: what is there, one pass over the topics, however many there are?"""

import json
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from itertools import count as counting

from msgspec import Struct

from streamer.dead_letters.newest import Index, Standing, State
from streamer.dead_letters.record import NotReadable, Unreadable
from streamer.dead_letters.summary import Summary
from streamer.replay.desk import Asked, Desk, Topics
from streamer.replay.shown import (
    COLUMNS,
    as_object,
    as_row,
    sentence,
    summary_object,
)

Say = Callable[[str], None]
"""One line of output."""


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"
    SUMMARY = "summary"
    SUMMARY_JSON = "summary-json"


class Table(Struct, frozen=True):
    """Rows for a person; the command draws them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


async def list_letters(
    desk: Desk,
    asked: Asked,
    form: Form,
    limit: int | None,
    states: frozenset[State],
    say: Say,
    note: Say,
    draw: Callable[[Table], None],
) -> int:
    """Prints them; gives how many. `note`: what is said beside the output, on standard error."""
    topics = desk.topics(sorted(asked.wanted.topics))
    _note_topics(topics, note)
    counts_all = form in (Form.SUMMARY, Form.SUMMARY_JSON)
    in_order = not counts_all
    letters = desk.letters(asked, topics, Index(), states=states, in_order=in_order)
    noted = _Noted()
    letters = noted.watch(letters)
    match form:
        case Form.SUMMARY | Form.SUMMARY_JSON:
            number = await _summary(letters, form, say)
        case Form.JSON:
            number = 0
            async for standing in _first(letters, limit):
                number += 1
                say(json.dumps(as_object(standing), ensure_ascii=False))
        case Form.TABLE:
            rows = [as_row(standing) async for standing in _first(letters, limit)]
            number = len(rows)
            if rows:
                draw(Table(COLUMNS, tuple(rows)))
            if limit is not None and number == limit:
                note(f"the newest {limit}; --limit N shows more, --format summary counts all")
    noted.say(asked, number, note)
    return number


async def _summary(letters: AsyncIterator[Standing], form: Form, say: Say) -> int:
    summary = Summary()
    async for standing in letters:
        summary.add(standing.found)
    if form is Form.SUMMARY_JSON:
        say(json.dumps(summary_object(summary), ensure_ascii=False))
    else:
        for group, counted in summary.groups:
            say(sentence(group, counted))
    return summary.total


async def _first(letters: AsyncIterator[Standing], limit: int | None) -> AsyncIterator[Standing]:
    if limit == 0:
        return
    numbers = counting(1)
    async for standing in letters:
        yield standing
        if next(numbers) == limit:
            return


class _Noted:
    """What a person should know of what came by."""

    def __init__(self) -> None:
        self._later_versions = 0
        self._corrupt = 0

    async def watch(self, letters: AsyncIterator[Standing]) -> AsyncIterator[Standing]:
        async for standing in letters:
            what = standing.found.what
            if isinstance(what, Unreadable):
                self._later_versions += what.why is NotReadable.VERSION
                self._corrupt += what.why is NotReadable.CORRUPT
            yield standing

    def say(self, asked: Asked, number: int, note: Say) -> None:
        if self._later_versions:
            note(
                f"{self._later_versions} records were written by a later release of streamer: they"
                " may say what became of letters that are shown as open; use that release"
            )
        if self._corrupt:
            note(f"{self._corrupt} records have headers that are corrupt: see --format json")
        expression = asked.expression
        if expression is not None and expression.undecodable:
            note(
                f"the expression was asked of events only: {expression.undecodable} letters that"
                " do not decode are left out"
            )
        if expression is not None and expression.failed:
            note(
                f"the expression failed on {expression.failed} events, which are left out; first:"
                f" {expression.failure}"
            )
        if not number:
            note("no dead letters that are asked for")


def _note_topics(topics: Topics, note: Say) -> None:
    if not topics.names:
        note(f"there is no dead letter topic yet: {', '.join(topics.absent) or 'none is named'}")
