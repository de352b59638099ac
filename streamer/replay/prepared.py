"""What is replayed, or why not? The words that the parts of a replay share."""

from enum import StrEnum

from msgspec import Struct

from streamer.dead_letters.found import Found
from streamer.dead_letters.record import Letter
from streamer.model import Event, Message, Refusal, RefusedReport, Report, Tombstone


class LeftOut(StrEnum):
    """Why something is not replayed; it stays as it is."""

    NOT_OURS = "not-ours"
    """No letter of `streamer`, or one that this release cannot read."""
    ROUTE_GONE = "route-gone"
    """The configuration has no route of this name any more."""
    NOTHING_NOW = "nothing-now"
    """The route makes nothing of the event now."""
    NO_REPORT = "no-report"
    """Of a message of a source topic: no route that is asked for makes anything of it."""
    CANCEL = "cancel"
    """It is a cancel, and those were not asked for."""
    SUPERSEDED = "superseded"
    """A later cancel of the same was read from the source, or of a cancel a later report."""
    SOURCE_UNREADABLE = "source-unreadable"
    """Whether there was a later one cannot be told any more."""


def would_end(trigger: str, entity: str, instance: str) -> str:
    """What a cancel does that is sent now."""
    return (
        f"it would end what trigger {trigger} has started for entity {entity or _UNTOLD} of"
        f" instance {instance or _UNTOLD}, later reports' automations too"
    )


_UNTOLD = "that cannot be told"


class Left(Struct, frozen=True):
    """One that is left out."""

    id: str
    why: LeftOut
    detail: str
    """One sentence, with what to do."""


class Item(Struct, frozen=True, eq=False):
    """A record to be replayed: a letter, or a message of a source topic."""

    record: Message
    """As it was read now, under the assignment that it came with."""
    origin: Message
    """As it stood in the source topic; the record itself where that is read."""
    found: Found | None = None
    """None: a message of a source topic."""

    @property
    def letter(self) -> Letter | None:
        what = self.found.what if self.found is not None else None
        return what if isinstance(what, Letter) else None

    @property
    def id(self) -> str:
        return self.found.id if self.found is not None else str(self.origin)


class Ready(Struct, frozen=True, eq=False):
    """What is to be sent of an item; the reports carry the origin as their message."""

    item: Item
    event: Event | Tombstone | None
    """None: it does not decode."""
    reports: tuple[Report | RefusedReport, ...]
    bad: Refusal | None = None
    """Why it does not decode."""
    schema: str = ""
    is_expired: bool = False
    """The endpoint may have forgotten a key that it was sent with."""
