"""Which values does decoding make that Python has no type for?"""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_LOCAL = datetime(1970, 1, 1)


class Record(dict[str, Any]):
    """A record inside a union of several records: its fields, and which of the records it is.

    All other records are plain dicts. `avro_name` is the record's full name, such as
    `com.acme.members.EmailContact`; expressions read it with `name(event.contact)`.
    """

    __slots__ = ("avro_name",)

    avro_name: str

    def __init__(self, avro_name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.avro_name = avro_name


class NanoDatetime(datetime):
    """A moment whose nanoseconds do not fit into a `datetime`: written out, none is lost.

    Arithmetic and comparisons see it to the microsecond, as the `datetime` that it is.
    """

    nanosecond: int = 0
    """0 to 999: what comes after the microseconds."""

    @classmethod
    def of(cls, nanoseconds: int, *, local: bool = False) -> Self:
        """The moment so long after the epoch, in UTC or without a zone; OverflowError outside
        the years 1 to 9999."""
        micros, rest = divmod(nanoseconds, 1000)
        at = (_EPOCH_LOCAL if local else _EPOCH) + timedelta(microseconds=micros)
        moment = cls.combine(at.date(), at.timetz())
        moment.nanosecond = rest
        return moment

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        """ISO 8601 with nine digits of the second, unless `timespec` asks for less."""
        text = super().isoformat(sep, "microseconds" if timespec == "auto" else timespec)
        if timespec != "auto" or not self.nanosecond:
            return text
        seconds = text.index(".") + 7
        return f"{text[:seconds]}{self.nanosecond:03d}{text[seconds:]}"
