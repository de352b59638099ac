"""What stands in one record of a dead letter topic: a letter, a mark, or something else?"""

from msgspec import Struct

from streamer.dead_letters.foreign import Foreign, read_foreign
from streamer.dead_letters.marks import Mark, is_mark, read_mark
from streamer.dead_letters.record import Letter, NotReadable, Unreadable, read_record
from streamer.model import Headers, Message, Offset, Partition

What = Letter | Mark | Foreign | Unreadable


class Found(Struct, frozen=True, eq=False):
    """One record, and where it stands."""

    partition: Partition
    """Of the dead letter topic."""
    offset: Offset
    timestamp_ms: int
    size: int
    """Bytes of the value."""
    what: What

    @property
    def id(self) -> str:
        """The letter's; of a record without one, its place: `TOPIC:PARTITION:OFFSET`."""
        what = self.what
        if isinstance(what, Letter | Mark) and what.id:
            return what.id
        return f"{self.partition.topic}:{self.partition.number}:{self.offset}"

    @property
    def group(self) -> str:
        """Whose it is; empty: every group's."""
        return "" if isinstance(self.what, Foreign) else self.what.group

    @property
    def written_ms(self) -> int:
        what = self.what
        if isinstance(what, Letter) and what.written_ms is not None:
            return what.written_ms
        return self.timestamp_ms


def read_found(message: Message, *, with_value: bool = True) -> Found:
    """What is in the record. Never raises. Without its value a letter takes a kilobyte or two,
    whatever the message's size."""
    return Found(
        message.partition,
        message.offset,
        message.timestamp_ms,
        len(message.value or b""),
        _what(message.key, message.value if with_value else None, message.headers),
    )


def _what(key: bytes | None, value: bytes | None, headers: Headers) -> What:
    if is_mark(headers):
        mark = read_mark(headers)
        if isinstance(mark, Mark):
            return mark
        why = NotReadable.VERSION if mark == "version" else NotReadable.CORRUPT
        return Unreadable(why, f"the mark's header streamer-{mark} is not what it should be")
    found = read_record(key, value, headers)
    if isinstance(found, Unreadable) and found.why is NotReadable.FOREIGN:
        return read_foreign(headers)
    return found
