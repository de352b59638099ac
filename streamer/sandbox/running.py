"""How does the command keep a sandbox running until it is told to end?"""

import asyncio
import gc
import signal
from collections.abc import Callable

from streamer.sandbox.server import Sandbox, SandboxOptions

_COLLECT_EVERY = 50_000  # new objects


def run_until_stopped(
    options: SandboxOptions,
    host: str,
    port: int,
    started: Callable[[str], None],
) -> None:
    """Starts it, calls `started` with its URL, and returns after SIGTERM or SIGINT."""
    # The ledger's objects stay and refer to nothing that refers back: with the default of 700 the
    # collector walks over a growing ledger all the time.
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(options, host, port, started))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(
    options: SandboxOptions,
    host: str,
    port: int,
    started: Callable[[str], None],
) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    sandbox = Sandbox(options)
    started(await sandbox.start(host, port))
    await ended.wait()
    await sandbox.stop()
