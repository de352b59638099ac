"""Fuzzed: is what comes with a committed offset what we wrote, or read as empty?"""

from streamer.model import Partition, Position
from streamer.source.commit_metadata import CommitContext, Encoded, encode, read, room
from streamer.source.done_set import Corrupt, pack, unpack
from streamer.source.done_set_choice import size_of
from tests.fuzz.drawing import Drawn

_CLUSTER = "cluster"
_PARTITION = Partition("billing.invoices", 3)
_CONTEXT = CommitContext(_CLUSTER, _PARTITION, 1_700_000_000_000, "0123456789abcdef")
_LIMIT = 65_536


def texts(data: bytes) -> None:
    """A text of anybody's: read as empty, with a word that says why. A checksum that fits is not
    found by chance."""
    found = read(data.decode("latin-1"), Position(5), _CLUSTER, _PARTITION)
    assert found.rejected is not None
    assert not found.restored


def done_sets(data: bytes) -> None:
    """What stands inside, as if its checksum were right: a done-set, or corrupt."""
    drawn = Drawn(data)
    position = Position(drawn.number(8) >> 1)
    packed = drawn.rest()
    try:
        done = unpack(position, packed)
    except Corrupt:
        return
    for (_, last), (first, _) in zip(done.runs, done.runs[1:], strict=False):
        assert last + 1 < first
    assert all(first <= last for first, last in done.runs)
    assert all(offset >= position for offset in done.parts)
    if size_of(position, done) > room(_CONTEXT, _LIMIT):
        return
    assert unpack(position, pack(position, done)) == done
    written = encode(_CONTEXT, position, done, done.runs, sorted(done.parts.items()), _LIMIT)
    assert isinstance(written, Encoded)
    again = read(written.text, position, _CLUSTER, _PARTITION)
    assert again.rejected is None
    assert again.restored == written.carried


SEEDS = {
    "commit-texts": [b"streamer-1.AAAA", b"streamer-2.AAAA", b"streamer-1.", b"{}"],
    "done-sets": [
        bytes(7) + b"\x0a" + bytes([1, 2, 0]) + bytes(8) + b"\x02\x55\x55" + b"\x05\x09\x01\x00",
        bytes(8) + b"\x00\x00\x01\x01",
    ],
}
