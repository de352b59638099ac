"""How is what tests need fetched before them: once, by one run at a time, or with a reason?"""

import fcntl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class FetchError(Exception):
    """What a test needs could not be had; the text says what, why, and what to do."""


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Two test runs that start at the same time wait for one another."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        # Released by the kernel when the process ends, however it ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def end_of(output: str) -> str:
    """What a command said last."""
    return "\n".join(output.splitlines()[-15:])


def fetched(*steps: Callable[[], object]) -> int:
    """Have all of it before the tests, so that their time limits do not count it; an exit code."""
    try:
        for step in steps:
            step()
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
