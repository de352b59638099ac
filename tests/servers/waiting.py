"""How does a test wait for something that another process does?"""

import asyncio
import time
from collections.abc import Callable

POLL_EVERY_S = 0.02


class WaitedInVain(AssertionError):
    """What was waited for did not come within the bound; the text says what it was."""


def wait_until(
    condition: Callable[[], bool], what: str | Callable[[], str], timeout_s: float = 30
) -> None:
    """Return as soon as `condition()` holds. Raises WaitedInVain, which says `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise WaitedInVain(_in_vain(what, timeout_s))
        time.sleep(POLL_EVERY_S)


async def until(
    condition: Callable[[], bool], what: str | Callable[[], str], timeout_s: float = 30
) -> None:
    """`wait_until` for a test whose event loop has to go on turning meanwhile."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise WaitedInVain(_in_vain(what, timeout_s))
        await asyncio.sleep(POLL_EVERY_S)


def _in_vain(what: str | Callable[[], str], timeout_s: float) -> str:
    return f"waited {timeout_s:g} s in vain for {what if isinstance(what, str) else what()}"
