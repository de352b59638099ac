"""`streamer demo`: the main job on this machine, with everything around it embedded."""

from typing import Annotated

import typer


def demo(
    events: Annotated[int, typer.Option(min=1, help="How many events to produce.")] = 6_000,
    forever: Annotated[
        bool, typer.Option("--forever", help="Go on until Ctrl-C, then give the account.")
    ] = False,
) -> None:
    """Show the main job: an embedded Kafka, the sandbox, and streamer between them."""
    # Imported here, so that the other commands do not wait for it.
    from streamer.demo.command import run_demo

    raise typer.Exit(run_demo(events, forever))
