"""`dead-letters list`: what is there, one pass over the topics, however many there are?"""

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from itertools import count as counting

from msgspec import Struct

from streamer.dead_letters.newest import Standing, State
from streamer.dead_letters.summary import Summary
from streamer.replay.desk import Asked, Desk
from streamer.replay.printable import json_text
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
    topics = await desk.topics(sorted(asked.wanted.topics))
    counts_all = form in (Form.SUMMARY, Form.SUMMARY_JSON)
    in_order = not counts_all
    noted = asked.noted
    letters = desk.letters(asked, topics, desk.new_index(), noted, states=states, in_order=in_order)
    match form:
        case Form.SUMMARY | Form.SUMMARY_JSON:
            number = await _summary(letters, form, say)
        case Form.JSON:
            number = 0
            async for standing in _first(letters, limit):
                number += 1
                say(json_text(as_object(standing, desk.shown)))
        case Form.TABLE:
            rows = [as_row(standing) async for standing in _first(letters, limit)]
            number = len(rows)
            if rows:
                draw(Table(COLUMNS, tuple(rows)))
            if limit is not None and number == limit:
                note(f"the newest {limit}; --limit N shows more, --format summary counts all")
    for line in noted.lines():
        note(line)
    return number


async def _summary(letters: AsyncIterator[Standing], form: Form, say: Say) -> int:
    summary = Summary()
    async for standing in letters:
        summary.add(standing.found)
    if form is Form.SUMMARY_JSON:
        say(json_text(summary_object(summary)))
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
