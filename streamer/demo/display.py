"""How does a person see what happens: a live picture on a terminal, plain lines elsewhere?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streamer.demo.account import Account
from streamer.demo.sandbox_ledger import Entry

PLAIN_LINE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be seen at a moment."""

    elapsed_s: float
    account: Account
    goal: int | None
    """Events to produce; None: no end."""
    delivered_per_s: float
    endings: Counter[str]
    """Calls by how they ended: `200`, `503`, `dropped`, ..."""
    repeats: int
    newest: Sequence[Entry]


class Display(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, line: str) -> None: ...

    def show(self, picture: Picture) -> None: ...


class PlainDisplay:
    """A line every other second: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, picture: Picture) -> None:
        if picture.elapsed_s < self._next_s:
            return
        self._next_s = picture.elapsed_s + PLAIN_LINE_EVERY_S
        account = picture.account
        goal = f" of {picture.goal}" if picture.goal is not None else ""
        self.say(
            f"{picture.elapsed_s:5.1f} s  produced {account.events}{goal}  reports "
            f"{account.reports}  cancels {account.cancels}  skipped {account.skipped}  "
            f"dead letters {account.dead_letters}  on the way {account.open}  "
            f"{picture.delivered_per_s:.0f} calls/s"
        )


class LiveDisplay:
    """One picture that is drawn over itself."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        self._live.console.print(line, markup=False, soft_wrap=True)

    def show(self, picture: Picture) -> None:
        self._live.update(_panel(picture))


def display_for(console: Console) -> Display:
    # On a dumb terminal nothing can be drawn over: it would show nothing until the end.
    draws = console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if draws else PlainDisplay(console)


def _panel(picture: Picture) -> RenderableType:
    columns = Table.grid(padding=(0, 4), expand=True)
    columns.add_row(_counts(picture), _calls(picture))
    parts: list[RenderableType] = [columns, Text(), _newest(picture.newest)]
    if picture.goal:
        # In a table of its own: by itself the bar does not end its line.
        progress = Table.grid(expand=True)
        progress.add_row(ProgressBar(total=picture.goal, completed=picture.account.events))
        parts.insert(0, progress)
    title = f"Kafka → streamer → sandbox   {picture.elapsed_s:.0f} s"
    return Panel(Group(*parts), title=title, border_style="cyan")


def _counts(picture: Picture) -> Table:
    account = picture.account
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("events produced", f"[bold]{account.events:,}")
    table.add_row("reports delivered", f"[green]{account.reports:,}")
    table.add_row("cancels delivered", f"[green]{account.cancels:,}")
    table.add_row("events skipped", f"{account.skipped:,}")
    table.add_row("dead letters", f"[yellow]{account.dead_letters:,}")
    table.add_row("on the way", f"{account.open:,}")
    return table


def _calls(picture: Picture) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("calls a second", f"[bold]{picture.delivered_per_s:,.0f}")
    for ending, count in sorted(picture.endings.items()):
        table.add_row(f"answered {ending}" if ending.isdigit() else ending, f"{count:,}")
    table.add_row("repeats ignored by key", f"{picture.repeats:,}")
    return table


def _newest(entries: Sequence[Entry]) -> Table:
    table = Table.grid(padding=(0, 2))
    for entry in entries:
        table.add_row(
            Text(entry.action, style="dim"), entry.trigger, Text(entry.entity or "", style="dim")
        )
    return table
