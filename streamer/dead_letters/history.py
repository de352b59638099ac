"""What happened to a dead letter before it was written again?

A header of its own, `streamer-history`: a JSON list, oldest first, of what each earlier writing
said. It is part of the record's format, version 1; a letter that is written for the first time
has none.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

HISTORY_BYTES_MOST = 4096
"""The oldest are left out for it: a topic's limit leaves 64 KiB for all of our headers."""
_TEXT_MOST = 300


class Earlier(Struct, frozen=True, omit_defaults=True):
    """One earlier writing of the letter."""

    reason: str
    detail: str = ""
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    attempts: int = 0
    """All until then."""
    last_attempt_ms: int | None = None
    written_ms: int | None = None


_DECODER = msgspec.json.Decoder(tuple[Earlier, ...])


def history_text(history: Sequence[Earlier]) -> str:
    """The header's value; empty for no history."""
    clipped = [
        msgspec.structs.replace(
            earlier,
            detail=_whole(earlier.detail),
            code=earlier.code and _whole(earlier.code),
            request_id=earlier.request_id and _whole(earlier.request_id),
        )
        for earlier in history
    ]
    while clipped:
        text = msgspec.json.encode(clipped).decode()
        if len(text) <= HISTORY_BYTES_MOST:
            return text
        clipped = clipped[1:]
    return ""


def history_of(text: str) -> tuple[Earlier, ...]:
    """Reads the header's value. ValueError where it is none."""
    if not text:
        return ()
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError("no history") from None


def _whole(text: str) -> str:
    """Clipped, and without halves of surrogate pairs, which JSON cannot write."""
    return text[:_TEXT_MOST].encode("utf-8", "replace").decode()
