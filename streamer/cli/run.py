"""`streamer run`: deliver until told to stop."""

import os

from streamer.cli.options import DEFAULT_CONFIG, ConfigFile


def run(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Read events from Kafka and report them, until SIGTERM or SIGINT."""
    # Imported here, so that the other commands do not wait for the whole program.
    from streamer import app
    from streamer.checks.all import findings_beside
    from streamer.config.loading import load

    loaded = load(config, os.environ)
    app.run(loaded, lambda: findings_beside(loaded))
