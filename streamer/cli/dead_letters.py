"""`streamer dead-letters ...`: what did not go through, why, and how is it sent now?"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from streamer.cli.letter_filters import (
    Ids,
    Instances,
    Reasons,
    Routes,
    Since,
    SourceTopics,
    Triggers,
    Until,
    Where,
    asked_of,
)
from streamer.cli.options import DEFAULT_CONFIG, ConfigFile
from streamer.cli.replay_options import Cancels, DryRun, NewKey, Share, Superseded

if TYPE_CHECKING:
    from streamer.cli.replay_shown import Shown
    from streamer.dead_letters.stop import Stop
    from streamer.replay.account import Account
    from streamer.replay.desk import Desk
    from streamer.replay.listing import Table

dead_letters = typer.Typer(
    help="Read, drop and replay what could not be delivered.", no_args_is_help=True
)

_T = TypeVar("_T")


@dead_letters.command("list")
def list_(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    reason: Reasons = None,
    route: Routes = None,
    trigger: Triggers = None,
    instance: Instances = None,
    topic: SourceTopics = None,
    id: Ids = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    form: Annotated[
        str, typer.Option("--format", help="table, json (a line each), summary or summary-json.")
    ] = "table",
    limit: Annotated[
        int | None, typer.Option(help="Most letters; 50 in a table, otherwise all.", min=0)
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="open (the default), replayed or dropped; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """List dead letters, newest first: what is open, or what became of them."""
    from streamer.dead_letters.newest import State
    from streamer.replay.listing import Form, list_letters

    asked = or_exit(
        lambda: asked_of(reason, route, trigger, instance, topic, id, since, until, where)
    )
    chosen = or_exit(lambda: one_of(Form, form, "--format"))
    states = or_exit(lambda: [one_of(State, it, "--state") for it in state or ["open"]])
    most = 50 if limit is None and chosen is Form.TABLE else limit
    with_desk(
        config,
        lambda desk: list_letters(
            desk, asked, chosen, most, frozenset(states), out, note, draw_table
        ),
    )


@dead_letters.command()
def show(
    id: Annotated[str, typer.Argument(help="Its id, or six or more characters of its beginning.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object.")] = False,
) -> None:
    """Tell all of one dead letter: where from, what was tried, the event, what it would be now."""
    from streamer.replay.printable import json_text
    from streamer.replay.showing import lines, show_letter

    told = with_desk(config, lambda desk: show_letter(desk, id, note))
    for line in json_text(told, indent=2).split("\n") if as_json else lines(told):
        out(line)


@dead_letters.command()
def drop(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    why: Annotated[str, typer.Option(help="Why they are dealt with; it is remembered.")],
    reason: Reasons = None,
    route: Routes = None,
    trigger: Triggers = None,
    instance: Instances = None,
    topic: SourceTopics = None,
    id: Ids = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    all_of_them: Annotated[
        bool, typer.Option("--all", help="Drop every open letter: without a filter it is needed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option(help="Say what would be dropped, and do nothing.")
    ] = False,
) -> None:
    """Mark dead letters as dealt with. Nothing is deleted.

    Exit code 1: no letter is what the filters ask for, not even one that was dealt with.
    """
    from streamer.replay.dropping import drop_letters
    from streamer.replay.shown import sentence

    if not why.strip():
        note("error: --why is empty: say why they are dealt with, for who asks later")
        raise typer.Exit(2)
    asked = or_exit(
        lambda: asked_of(reason, route, trigger, instance, topic, id, since, until, where)
    )
    if asked.is_for_all and not all_of_them:
        note("error: give a filter, or --all to drop every open letter")
        raise typer.Exit(2)
    dropped = with_desk(config, lambda desk: drop_letters(desk, asked, why, note, dry_run=dry_run))
    for group, counted in dropped.summary.groups:
        out(sentence(group, counted))
    out(f"{dropped.summary.total} letters {'would be ' if dry_run else ''}dropped")
    if dropped.unconfirmed:
        out(f"of {dropped.unconfirmed} of them Kafka had not confirmed it: they may be open still")
    if dropped.stopped:
        out(f"stopped: {dropped.stopped}; the same command goes on with what is left")
    raise typer.Exit(1 if dropped.found_none or dropped.stopped else 0)


@dead_letters.command()
def replay(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    reason: Reasons = None,
    route: Routes = None,
    trigger: Triggers = None,
    instance: Instances = None,
    topic: SourceTopics = None,
    id: Ids = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    dry_run: DryRun = False,
    share: Share = 10.0,
    new_key: NewKey = False,
    cancels: Cancels = False,
    superseded: Superseded = False,
) -> None:
    """Send dead letters again, each through the route that refused it, as that is today.

    Without a filter, all that are open. In the order in which they were written, under the same
    idempotency key. What is replayed is remembered, so that the same command goes on where it was
    stopped. Exit code 0: all that was asked for was accepted, now or before; 1: something was left
    out, failed again, or was dealt with by others meanwhile, another replay has some partitions, it
    was stopped, or no letter is what the filters ask for.
    """
    from streamer.replay.preparing import Manner
    from streamer.replay.replaying import replay_letters

    asked = or_exit(
        lambda: asked_of(reason, route, trigger, instance, topic, id, since, until, where)
    )
    manner = Manner(cancels=cancels, superseded=superseded, new_key=new_key)
    tell(
        with_desk(
            config,
            lambda desk: replay_letters(desk, asked, manner, share, shown(), dry_run=dry_run),
            "warning",
        )
    )


def shown() -> "Shown":
    from streamer.cli.replay_shown import Shown

    return Shown()


def tell(account: "Account") -> None:
    """Prints the account; ends with 1 unless all was replayed."""
    for line in account.lines():
        out(line)
    raise typer.Exit(0 if account.is_clean else 1)


def out(line: str) -> None:
    """Prints a line, whatever it holds of letters."""
    from streamer.replay.printable import printable

    print(printable(line))


def note(line: str) -> None:
    """The same beside the output, on standard error."""
    from streamer.replay.printable import printable

    print(printable(line), file=sys.stderr)


def one_of(choices: Callable[[str], _T], text: str, option: str) -> _T:
    """The choice of this name. `WrongFilter` where there is none."""
    from streamer.dead_letters.wanted import WrongFilter

    try:
        return choices(text)
    except ValueError:
        names = ", ".join(str(choice) for choice in choices)  # type: ignore[attr-defined]
        raise WrongFilter(f"{option} {text!r}: there are {names}") from None


def or_exit(made: Callable[[], _T]) -> _T:
    """What was made of the command line; ends with 2 where that is wrong."""
    from streamer.dead_letters.wanted import WrongFilter

    try:
        return made()
    except WrongFilter as wrong:
        note(f"error: {wrong}")
        raise typer.Exit(2) from None


def with_desk(
    config: Path, work: "Callable[[Desk], Awaitable[_T]]", log_level: str = "error"
) -> _T:
    """Does the work with a configuration's letters, in an event loop of its own."""
    from streamer.config.loading import load
    from streamer.observability import logs

    loaded = load(config, os.environ)
    # What is logged goes beside the output, and only what a person should know.
    logs.set_up(log_level, loaded.settings.log.format)

    async def run() -> _T:
        from streamer.replay.desk import Desk

        desk = Desk(loaded)
        stop_at_a_signal(desk.stop)
        try:
            return await work(desk)
        finally:
            await desk.close()

    return or_exit(lambda: asyncio.run(run()))


def stop_at_a_signal(stop: "Stop") -> None:
    """Ctrl-C and SIGTERM ask the command to end in order; a second one ends it at once."""

    def asked(number: int) -> None:
        from streamer.endpoint.exit import leave

        if stop.why:
            # Nothing is lost: what was accepted without a mark is sent again under its key.
            note("stopped at once")
            leave(1)
        note("stopping: what is under way is waited for")
        stop.ask(f"asked to ({signal.Signals(number).name})")

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked, number)


def draw_table(table: "Table") -> None:
    """On a terminal as wide as that is; elsewhere with tabs, and nothing cut."""
    from streamer.replay.printable import printable

    rows = [[printable(cell) for cell in row] for row in table.rows]
    if not sys.stdout.isatty():
        for row in (table.columns, *rows):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        drawn.add_column(column, overflow="ellipsis", no_wrap=column != "why")
    for row in rows:
        drawn.add_row(*row)
    Console(highlight=False, markup=False).print(drawn)
