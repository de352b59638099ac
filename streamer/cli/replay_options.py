"""Which options do the commands share that send again?"""

from typing import Annotated

import typer

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")
]
Share = Annotated[
    float,
    typer.Option(
        help="Percent of each app instance's quota that the replay may take beside a running"
        " delivery; 100 where none runs.",
        min=0.1,
        max=100,
        metavar="PERCENT",
    ),
]
NewKey = Annotated[
    bool,
    typer.Option(
        "--new-key",
        help="Send under a new idempotency key: what the platform had already runs again.",
    ),
]
Cancels = Annotated[
    bool,
    typer.Option(
        "--cancels", help="Send cancels too: they end what was started since they were refused."
    ),
]
Superseded = Annotated[
    bool,
    typer.Option(
        "--superseded",
        help="Send reports too that were cancelled later, cancels too that later reports followed,"
        " and those of which that cannot be told.",
    ),
]
