"""How does a person see a replay: a bar while it goes on, an account at its end?"""

import asyncio
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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

    def begin(self, account: Account) -> None:
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
