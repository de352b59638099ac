"""How do the processes of one test run have one server between them?

pytest-xdist runs the tests in several processes, each with session fixtures of its own, and a
broker for each would cost more than is won. So whoever needs the server first starts it and writes
down its address, the others read that, and it ends when nobody uses it any more.
"""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

Address = Any
"""What JSON can say."""


@contextmanager
def shared(
    folder: Path, name: str, start: Callable[[], tuple[Address, Callable[[], None]]]
) -> Iterator[Address]:
    """The address of the server `name` among all who share the folder.

    `start` gives its address and what stops it. Whoever started it waits in the end for the
    others, because a server ends with the process that started it. A process that was killed is
    waited for by nobody.
    """
    written = folder / f"{name}.json"
    stop: Callable[[], None] | None = None
    with (folder / f"{name}.users").open("w") as users:
        with _alone(folder / f"{name}.lock"):
            if not written.exists():
                address, stop = start()
                written.write_text(json.dumps(address), encoding="utf-8")
            # Ends when the file is closed, which the system does for a process that was killed.
            fcntl.flock(users, fcntl.LOCK_SH)
            address = json.loads(written.read_text(encoding="utf-8"))
        try:
            yield address
        finally:
            if stop is not None:
                _stop_unused(stop, users, written, folder / f"{name}.lock")


def _stop_unused(stop: Callable[[], None], users: IO[str], written: Path, lock: Path) -> None:
    try:
        with _alone(lock):
            # Who needs the server from now on starts another.
            written.unlink()
        fcntl.flock(users, fcntl.LOCK_EX)
    finally:
        stop()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
