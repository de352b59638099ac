"""What became of a dead letter, as a record of its own in the same partition?

Nothing in a topic can be changed or taken out, so what was replayed or dropped is said behind it,
by the letter's id. Of the records of one id the last one counts: a letter that is written again
after a mark (its replay failed, or its message was delivered again and refused again) is open.

Version 1 (key: the letter's id; no value; texts and numbers as in record.py):

    streamer-version            1
    streamer-mark               replayed or dropped
    streamer-id                 id of the letter
    streamer-group              the letter's group, where it has one
    streamer-why                one sentence: who asked, or what was sent
    streamer-marked             time at which it was marked
    streamer-idempotency-key    the key it was replayed with, where that was a new one
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from streamer.dead_letters.our_headers import PREFIX
from streamer.dead_letters.record import VERSION, VERSION_HEADER, Record
from streamer.model import Headers

MARK_HEADER = PREFIX + "mark"
_WHY_MOST = 1000


class Handling(StrEnum):
    REPLAYED = "replayed"
    """Its report was accepted, or was written again as a letter of another id."""
    DROPPED = "dropped"
    """A person said that it is dealt with."""


class Mark(Struct, frozen=True):
    """What became of the letter with this id."""

    id: str
    handling: Handling
    why: str = ""
    marked_ms: int | None = None
    idempotency_key: str = ""
    group: str = ""
    """The letter's; empty: of the letters of that id of whatever group."""


def write_mark(mark: Mark, topic: str, partition: int) -> Record:
    """The record for the mark, in the partition in which the letter stands."""
    headers = tuple((PREFIX + name, value.encode("utf-8", "replace")) for name, value in _of(mark))
    return Record(topic, mark.id.encode("utf-8", "replace"), None, headers, partition)


def _of(mark: Mark) -> Iterator[tuple[str, str]]:
    yield "version", str(VERSION)
    yield "mark", mark.handling
    yield "id", mark.id
    if mark.group:
        yield "group", mark.group
    if mark.why:
        yield "why", mark.why[:_WHY_MOST]
    if mark.marked_ms is not None:
        yield "marked", str(mark.marked_ms)
    if mark.idempotency_key:
        yield "idempotency-key", mark.idempotency_key


def is_mark(headers: Headers) -> bool:
    """Whether our headers, which are the last, are those of a mark."""
    for name, _ in reversed(headers):
        if name == MARK_HEADER:
            return True
        if name == VERSION_HEADER:
            return False
    return False


def read_mark(headers: Headers) -> Mark | str:
    """The mark, or the name of the header that is missing or wrong."""
    texts = {
        name.removeprefix(PREFIX): value.decode("utf-8", "replace")
        for name, value in headers
        if value is not None and name.startswith(PREFIX)
    }
    if texts.get("version") != str(VERSION):
        return "version"
    if not texts.get("id"):
        return "id"
    try:
        handling = Handling(texts.get("mark", ""))
    except ValueError:
        return "mark"
    marked = texts.get("marked", "")
    is_number = marked.isascii() and marked.isdecimal() and len(marked) <= 20
    return Mark(
        texts["id"],
        handling,
        texts.get("why", ""),
        int(marked) if is_number else None,
        texts.get("idempotency-key", ""),
        texts.get("group", ""),
    )
