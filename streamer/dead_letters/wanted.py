"""Which letters does a person ask for?

Everything but the expression is judged by the record's headers. A part that is empty asks for
nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time, timedelta

from msgspec import Struct

from streamer.dead_letters.foreign import Foreign
from streamer.dead_letters.found import Found
from streamer.dead_letters.record import Letter, NotReadable, Unreadable
from streamer.model import Reason

_AGO = re.compile(r"-([0-9]{1,6})(s|m|h|d)")
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")
_ID = re.compile(r"[0-9a-f]{6,}|[^:]+:[0-9]+:[0-9]+")
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
    """Whole ids, or beginnings of ids; places (`TOPIC:PARTITION:OFFSET`) are whole."""
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
        if self.ids and not any(is_named(found.id, by) for by in self.ids):
            return False
        asked = [(header, names) for header, names in self.by_header if names]
        said = said_of(found) if asked else {}
        kind = _kind_of(found)
        return all(
            said.get(header) in names or (header == "reason" and kind in names)
            for header, names in asked
        )

    @property
    def by_header(self) -> tuple[tuple[str, frozenset[str]], ...]:
        return (
            ("reason", self.reasons),
            ("route", self.routes),
            ("trigger", self.triggers),
            ("instance", self.instances),
            ("origin-topic", self.topics),
        )


def said_of(found: Found) -> Mapping[str, str]:
    """What the headers say of which a person may ask, as far as they can be read."""
    what = found.what
    match what:
        case Letter(letter=letter):
            return {
                "reason": letter.refusal.reason,
                "route": letter.route,
                "trigger": letter.trigger,
                "instance": letter.instance,
                "origin-topic": letter.message.partition.topic,
            }
        case Foreign():
            return {"origin-topic": what.topic}
        case Unreadable():
            return what.told
        case _:
            return {}


def _kind_of(found: Found) -> str:
    """What a summary says in the reason's place of a record that is no letter of this release."""
    match found.what:
        case Foreign():
            return NotReadable.FOREIGN.value
        case Unreadable(why=why):
            return why.value
        case _:
            return ""


def is_named(id: str, by: str) -> bool:
    """Whether the id begins so; a place is meant whole."""
    return id == by if ":" in by else id.startswith(by)


def reasons_of(texts: Iterable[str]) -> frozenset[str]:
    """The reasons that were asked for, or `foreign`, `version` and `corrupt`, of records that are
    no letters of this release. WrongFilter where one is none."""
    known = [reason.value for reason in (*Reason, *NotReadable)]
    for text in texts:
        if text not in known:
            raise WrongFilter(f"there is no reason {text!r}; there are {', '.join(known)}")
    return frozenset(texts)


def ids_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Ids, or at least six characters of their beginnings. WrongFilter where one is none."""
    asked = tuple(texts)
    for text in asked:
        if not _ID.fullmatch(text):
            raise WrongFilter(
                f"{text!r} is no id; give the id that `list` shows, or six or more of the"
                " characters that it begins with; TOPIC:PARTITION:OFFSET is given whole"
            )
    return asked


def moment_ms(text: str, now: Callable[[], datetime], day: datetime | None = None) -> int:
    """`-2h`, `2026-11-23T10:00`, the same with a zone, or with `day` a time of that day, `11:00`;
    as milliseconds since the epoch. Without a zone it is this machine's.

    WrongFilter where it is none of these.
    """
    try:
        return round(_moment(text.strip(), now, day).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise WrongFilter(
            f"{text!r} is no moment; write -2h, 11:00, 2026-11-23T10:00, or with a zone"
            " 2026-11-23T10:00+01:00"
        ) from None


def day_of(text: str, now: Callable[[], datetime]) -> datetime:
    """The day on which a time without a date is meant that is given beside this moment, in the
    zone that the moment was written with; without one this machine's, as that is on the day.

    The moment is one: `moment_ms` took it.
    """
    moment = _moment(text.strip(), now, None)
    return _local(moment) if _AGO.fullmatch(text.strip()) else moment


def _moment(text: str, now: Callable[[], datetime], day: datetime | None) -> datetime:
    """Without a zone it is of this machine's, whatever that is then: summer time or not."""
    if (ago := _AGO.fullmatch(text)) is not None:
        return now() - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    if _CLOCK.fullmatch(text):
        base = day if day is not None else _local(now())
        # As ISO 8601 has it, with two digits for the hour.
        clock = time.fromisoformat(text if text[1:2] != ":" else f"0{text}")
        return datetime.combine(base, clock, base.tzinfo)
    return datetime.fromisoformat(text)


def _local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)
