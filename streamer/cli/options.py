"""Which options do several commands share?"""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration's file.", metavar="FILE")
]
DEFAULT_CONFIG = Path("streamer.yaml")
