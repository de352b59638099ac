"""What does an expression see of a message besides the event's fields?"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from streamer.model import KeyRefused, Message, Refusal
from streamer.routing.language.failures import Failure, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class KeyFailure(Failure):
    """The message's key was to be decoded and could not be: the refusal says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(Kind.VALUE, "the key does not decode", "look at how it is produced")
        self.refusal = refusal


class Scope:
    """`key`, `headers`, `topic`, `partition`, `offset` and `timestamp` of one message.

    Nothing is worked out before an expression asks for it.
    """

    __slots__ = ("_avro_key", "_decoded_key", "_message")

    def __init__(self, message: Message, avro_key: Any, *, decoded_key: bool) -> None:
        self._message = message
        self._avro_key = avro_key
        self._decoded_key = decoded_key
        """Whether the route says `key: avro`."""

    @property
    def key(self) -> Any:
        """The decoded key with `key: avro`; otherwise text if it is UTF-8, bytes if not."""
        if not self._decoded_key:
            return text_or_bytes(self._message.key)
        if isinstance(self._avro_key, KeyRefused):
            raise KeyFailure(self._avro_key.refusal)
        return self._avro_key

    @property
    def headers(self) -> Mapping[str, str | bytes | None]:
        """A name to its last value: text if it is UTF-8, otherwise bytes."""
        return {name: text_or_bytes(value) for name, value in self._message.headers}

    @property
    def topic(self) -> str:
        return self._message.partition.topic

    @property
    def partition(self) -> int:
        return self._message.partition.number

    @property
    def offset(self) -> int:
        return self._message.offset

    @property
    def timestamp(self) -> datetime | None:
        """In UTC; None where the record has none."""
        if self._message.timestamp_ms < 0:
            return None
        try:
            return _EPOCH + timedelta(milliseconds=self._message.timestamp_ms)
        except OverflowError:
            raise Failure(
                Kind.VALUE,
                "timestamp lies after the year 9999",
                "look at the clock of the producer",
            ) from None


def text_or_bytes(value: bytes | None) -> str | bytes | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
