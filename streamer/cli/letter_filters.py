"""Which letters does a command mean? The options that all commands for dead letters share."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamer.replay.desk import Asked

Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="REASON", help="Why it was refused; repeatable."),
]
Routes = Annotated[
    list[str] | None,
    typer.Option("--route", metavar="ROUTE", help="The route that refused it; repeatable."),
]
Triggers = Annotated[
    list[str] | None, typer.Option("--trigger", metavar="TRIGGER", help="Its trigger; repeatable.")
]
Instances = Annotated[
    list[str] | None,
    typer.Option("--instance", metavar="INSTANCE", help="Its app instance; repeatable."),
]
SourceTopics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic", metavar="TOPIC", help="The topic that its message came from; repeatable."
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="Its id, or six or more characters that it begins with; repeatable.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        help="Written at this moment or later: -2h, 11:00, 2026-11-23T10:00, with a zone"
        " or in this machine's.",
        metavar="MOMENT",
    ),
]
Until = Annotated[str | None, typer.Option(help="Written before this moment.", metavar="MOMENT")]
Where = Annotated[
    str | None,
    typer.Option(
        help="An expression over the event, as in a route's `when`: event.amount > 100.",
        metavar="EXPRESSION",
    ),
]


def asked_of(
    reasons: list[str] | None,
    routes: list[str] | None,
    triggers: list[str] | None,
    instances: list[str] | None,
    topics: list[str] | None,
    ids: list[str] | None,
    since: str | None,
    until: str | None,
    where: str | None,
) -> "Asked":
    """What the options ask for. `WrongFilter` where one is wrong."""
    from streamer.dead_letters.wanted import (
        Wanted,
        WrongFilter,
        day_of,
        ids_of,
        moment_ms,
        reasons_of,
    )
    from streamer.replay.desk import Asked
    from streamer.replay.events import EventFilter

    def now() -> datetime:
        return datetime.now(UTC)

    since_ms = None if since is None else moment_ms(since, now)
    day = None if since is None else day_of(since, now)
    until_ms = None if until is None else moment_ms(until, now, day)
    if since_ms is not None and until_ms is not None and until_ms <= since_ms:
        raise WrongFilter(f"--until {until} is not after --since {since}")
    wanted = Wanted(
        reasons_of(reasons or ()),
        frozenset(routes or ()),
        frozenset(triggers or ()),
        frozenset(instances or ()),
        frozenset(topics or ()),
        ids_of(ids or ()),
        since_ms,
        until_ms,
    )
    return Asked(wanted, None if where is None else EventFilter(where))
