"""Which letters does a person ask for?

Everything but the expression is judged by the record's headers. A part that is empty asks for
nothing.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from streamer.dead_letters.foreign import Foreign
from streamer.dead_letters.found import Found
from streamer.dead_letters.record import Letter
from streamer.model import Reason

_AGO = re.compile(r"-([0-9]{1,6})(s|m|h|d)")
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class WrongFilter(ValueError):
    """Says what was given, and what to give instead."""


class Wanted(Struct, frozen=True):
    """What a letter must be, as far as its headers say."""

    reasons: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    """Source topics."""
    ids: tuple[str, ...] = ()
    """Whole ids, or beginnings of ids."""
    since_ms: int | None = None
    """When the letter was written, at this moment or later, and before the other."""
    until_ms: int | None = None

    def by_headers(self, found: Found) -> bool:
        """Whether the record may be one that is asked for."""
        written_ms = found.written_ms
        if self.since_ms is not None and written_ms < self.since_ms:
            return False
        if self.until_ms is not None and written_ms >= self.until_ms:
            return False
        if self.ids and not found.id.startswith(self.ids):
            return False
        what = found.what
        if isinstance(what, Letter):
            return self._of_letter(what)
        if self.reasons or self.routes or self.triggers or self.instances:
            return False
        topic = what.topic if isinstance(what, Foreign) else ""
        return not self.topics or topic in self.topics

    def _of_letter(self, it: Letter) -> bool:
        letter = it.letter
        asked: tuple[tuple[frozenset[str], str], ...] = (
            (self.reasons, letter.refusal.reason),
            (self.routes, letter.route),
            (self.triggers, letter.trigger),
            (self.instances, letter.instance),
            (self.topics, letter.message.partition.topic),
        )
        return all(not names or name in names for names, name in asked)


def reasons_of(texts: Iterable[str]) -> frozenset[str]:
    """The reasons that were asked for. WrongFilter where one is none."""
    known = [reason.value for reason in Reason]
    for text in texts:
        if text not in known:
            raise WrongFilter(f"there is no reason {text!r}; there are {', '.join(known)}")
    return frozenset(texts)


def ids_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Ids, or at least six characters of their beginnings. WrongFilter where one is none."""
    for text in texts:
        if len(text) < 6 or not (":" in text or re.fullmatch(r"[0-9a-f]+", text)):
            raise WrongFilter(
                f"{text!r} is no id; give the id that `list` shows, or six or more of the"
                " characters that it begins with"
            )
    return tuple(texts)


def moment_ms(text: str, now: Callable[[], datetime], day: datetime | None = None) -> int:
    """`-2h`, `2026-11-23T10:00`, the same with a zone, or with `day` a time of that day, `11:00`;
    as milliseconds since the epoch. Without a zone it is this machine's.

    WrongFilter where it is none of these.
    """
    text = text.strip()
    if (ago := _AGO.fullmatch(text)) is not None:
        moment = now() - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        return int(moment.timestamp() * 1000)
    if _CLOCK.fullmatch(text):
        base = day or now().astimezone()
        text = f"{base:%Y-%m-%d}T{text.zfill(5)}"
        if base.tzinfo is not None and day is not None:
            text += f"{base:%z}"
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise WrongFilter(
            f"{text!r} is no moment; write -2h, 11:00, 2026-11-23T10:00, or with a zone"
            " 2026-11-23T10:00+01:00"
        ) from None


def day_of(moment: int) -> datetime:
    """The day on which a time without a date is meant, where another moment was given."""
    return datetime.fromtimestamp(moment / 1000).astimezone()
