"""How does a test wait for something that another process does?"""

import asyncio
import time
from collections.abc import Callable

POLL_EVERY_S = 0.02

LOOKS_SHARE = 3
"""A look that takes long (a scrape, an admin client of its own) is followed by a pause of this many
times as long, so that looking does not slow down what is waited for."""


class WaitedInVain(AssertionError):
    """What was waited for did not come within the bound; the text says what it was."""


def wait_until(
    condition: Callable[[], bool], what: str | Callable[[], str], timeout_s: float = 30
) -> None:
    """Return as soon as `condition()` holds. Raises WaitedInVain, which says `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        if condition():
            return
        if time.monotonic() > deadline:
            raise WaitedInVain(_in_vain(what, timeout_s))
        time.sleep(_pause_s(time.monotonic() - began))


async def until(
    condition: Callable[[], bool], what: str | Callable[[], str], timeout_s: float = 30
) -> None:
    """`wait_until` for a test whose event loop has to go on turning meanwhile."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise WaitedInVain(_in_vain(what, timeout_s))
        await asyncio.sleep(POLL_EVERY_S)


def _pause_s(look_s: float) -> float:
    return min(max(POLL_EVERY_S, LOOKS_SHARE * look_s), 1)


def _in_vain(what: str | Callable[[], str], timeout_s: float) -> str:
    return f"waited {timeout_s:g} s in vain for {what if isinstance(what, str) else what()}"
