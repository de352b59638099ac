"""`streamer replay`: send a stretch of a source topic again."""

from typing import Annotated

import typer

from streamer.cli.dead_letters import or_exit, shown, tell, with_desk
from streamer.cli.options import DEFAULT_CONFIG, ConfigFile
from streamer.cli.replay_options import Cancels, DryRun, NewKey, Share, Superseded


def replay(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    topic: Annotated[str, typer.Option(help="The source topic.", metavar="TOPIC")],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help="From this moment on, by the messages' timestamps: 2026-11-23T10:00, -2h, with a"
            " zone or in this machine's.",
            metavar="MOMENT",
        ),
    ],
    until: Annotated[
        str,
        typer.Option(
            "--to", help="Until before this moment; 11:00 is of the same day.", metavar="MOMENT"
        ),
    ],
    route: Annotated[
        list[str] | None,
        typer.Option(help="Only what this route makes; repeatable.", metavar="ROUTE"),
    ] = None,
    dry_run: DryRun = False,
    share: Share = 10.0,
    new_key: NewKey = False,
    cancels: Cancels = False,
    superseded: Superseded = False,
) -> None:
    """Send the messages of a topic again that were written between two moments.

    With the same idempotency keys, so that the platform ignores what it had; --new-key forces it.
    """
    from streamer.replay.preparing import Manner
    from streamer.replay.stretch import replay_stretch, stretch_of, utc_now

    stretch = or_exit(lambda: stretch_of(topic, since, until, utc_now, new_key=new_key))
    manner = Manner(cancels=cancels, superseded=superseded, new_key=new_key)
    tell(
        with_desk(
            config,
            lambda desk: replay_stretch(
                desk, stretch, route or (), manner, share, shown(), dry_run=dry_run
            ),
            "warning",
        )
    )
