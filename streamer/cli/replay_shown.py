"""How does a person see a replay: a bar while it goes on, an account at its end, Ctrl-C to stop?"""

import asyncio
import signal
import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.endpoint.exit import leave
from streamer.replay.account import Account
from streamer.replay.printable import printable

LINE_EVERY_S = 10.0
"""Where there is no terminal for a bar."""


class Shown:
    """Implements `Show`. The bar goes to standard error, the account to standard output."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._line_at = 0.0

    def say(self, line: str) -> None:
        print(printable(line))

    def note(self, line: str) -> None:
        print(printable(line), file=sys.stderr)

    def begin(self, account: Account, stop: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number, stop, account)
        if not sys.stderr.isatty():
            return
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._bar = self._progress.add_task("joining the group", total=account.chosen)
        self._progress.start()

    def _asked_to_stop(self, number: int, stop: Callable[[str], None], account: Account) -> None:
        if account.stopped:
            # Nothing is lost: what was accepted without a mark is sent again under its key.
            print("stopped at once", file=sys.stderr)
            leave(1)
        print("stopping: what is under way is waited for", file=sys.stderr)
        stop(f"asked to ({signal.Signals(number).name})")

    def look(self, account: Account, waits: str) -> None:
        told = printable(f"waits: {waits}") if waits else ""
        if self._progress is not None:
            self._progress.update(self._bar, completed=account.done, description=told[:80])
            return
        now = asyncio.get_running_loop().time()
        if now >= self._line_at:
            self._line_at = now + LINE_EVERY_S
            print(" ".join(f"{account.done} of {account.chosen} {told}".split()), file=sys.stderr)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
