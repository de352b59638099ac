"""Fuzzed: is every record of a dead letter topic a letter, or none for a reason?"""

from streamer.dead_letters.our_headers import PREFIX
from streamer.dead_letters.record import (
    Letter,
    Unreadable,
    letter_id,
    read_record,
    write_record,
)
from streamer.model import Reason
from tests.fuzz.drawing import Drawn

_NAMES = [
    PREFIX + name
    for name in (
        *("version", "id", "reason", "detail", "status", "code", "request-id", "route", "trigger"),
        *("action", "instance", "entity", "schema", "idempotency-key", "attempts"),
        *("first-attempt", "last-attempt", "written", "origin-topic", "origin-partition"),
        *("origin-offset", "origin-timestamp", "origin-cluster", "headers-unreadable", "shrunk"),
    )
]
_OF_OTHERS = ["", "trace", PREFIX + "unheard-of", "streamer", "\u00e9"]
_VALUES = [b"1", b"0", b"-1", b"t", b"2", *(reason.value.encode() for reason in Reason)]


def letters(data: bytes) -> None:
    """Headers as the bytes say: a byte for the name, and one that chooses the value or is
    followed by it."""
    drawn = Drawn(data)
    headers: list[tuple[str, bytes | None]] = []
    while not drawn.is_over:
        name = drawn.one_of([*_NAMES, *_OF_OTHERS])
        choice = drawn.byte()
        if choice == 255:
            headers.append((name, None))
        else:
            headers.append((name, _VALUES[choice] if choice < len(_VALUES) else drawn.some()))
    found = read_record(b"key", b"value", tuple(headers))
    if isinstance(found, Unreadable):
        assert found.detail
        return
    message = found.letter.message
    assert (message.key, message.value) == (b"key", b"value")
    again = write_record(found.letter, "{topic}.dlq", found.cluster_id, found.written_ms or 0)
    back = read_record(again.key, again.value, again.headers)
    assert isinstance(back, Letter)
    assert letter_id(back.letter) == letter_id(found.letter)
    assert back.letter.message.headers == message.headers
    assert back.letter.refusal == found.letter.refusal


_WHOLE = bytes([0, 0, 2, 5, 18, 3, 19, 1, 20, 0, 21, 2])
SEEDS = {"letters": [_WHOLE, bytes([26, 20, 1, 65]) + _WHOLE, _WHOLE + bytes([3, 200, 2, 66, 67])]}
