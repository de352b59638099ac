"""Which input was a process at when it died? It is written down before each run."""

import mmap
from pathlib import Path

from tests.fuzz.catalogue import Run

INPUT_ROOM = 1 << 20
_LENGTH_BYTES = 4


def noted(run: Run, file: Path) -> Run:
    """Into memory that outlives the process, in a microsecond."""
    file.write_bytes(bytes(INPUT_ROOM))
    with file.open("r+b") as opened:
        room = mmap.mmap(opened.fileno(), INPUT_ROOM)

    def run_noted(data: bytes) -> None:
        end = _LENGTH_BYTES + len(data)
        # One more, so that an input without a byte is told from none.
        room[:end] = (len(data) + 1).to_bytes(_LENGTH_BYTES, "big") + data
        run(data)

    return run_noted


def input_in(file: Path) -> bytes | None:
    """What a process noted last; None if it came to no input."""
    content = file.read_bytes() if file.exists() else b""
    length = int.from_bytes(content[:_LENGTH_BYTES], "big") - 1
    return None if length < 0 else content[_LENGTH_BYTES : _LENGTH_BYTES + length]
