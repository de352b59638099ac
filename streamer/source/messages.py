"""How does a message of the Kafka client become ours?"""

from operator import methodcaller
from typing import Protocol, cast

from streamer.model import Headers, Message, Offset, Owned

_Pairs = list[tuple[str, str | bytes | None]]

_given_headers = methodcaller("headers")
"""`raw.headers()`, called from C. For a name that is not UTF-8 the client gives a broken list *and*
an error. Only there is looked for both: bytecode that was run a few times looks no more (Python
3.11 and later), and the error would come out wherever C is called next."""


class ClientMessage(Protocol):
    """What is read of confluent-kafka's `Message`."""

    def offset(self) -> int | None: ...

    def timestamp(self) -> tuple[int, int]: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def headers(self) -> dict[str, str | bytes | None] | _Pairs | None: ...


def read_message(raw: ClientMessage, owned: Owned) -> Message:
    """The message under the assignment that is current now."""
    try:
        # Once only: after an error a second call gives a broken object that ends the process.
        given = _given_headers(raw)
    except (SystemError, UnicodeDecodeError):
        return _made(raw, owned, (), False)
    # What was consumed comes as pairs of text and bytes; a producer may give more.
    return _made(raw, owned, tuple(cast("list[tuple[str, bytes | None]]", given or ())), True)


def _made(raw: ClientMessage, owned: Owned, headers: Headers, readable: bool) -> Message:
    kind, timestamp_ms = raw.timestamp()
    return Message(
        owned[0],
        owned[1],
        Offset(raw.offset() or 0),
        timestamp_ms if kind else -1,  # 0: the record has none
        raw.key(),
        raw.value(),
        headers,
        readable,
    )
