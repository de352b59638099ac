"""What does the command line begin with, and how does it end?

Nothing is imported before the signals are dealt with but what deals with them.
"""

import sys

from streamer.cli.signals import end_at_a_signal, take_signals

_SERVERS = ("run", "sandbox")
"""Commands that run until they are told to stop: being told early is no failure."""
_IN_ORDER = ("dead-letters", "replay")
"""Those that end in order once they have begun."""


def main() -> None:
    """Runs the command line; an error that is expected is told without a stack trace.

    Exit codes: 0 done, 1 it failed, 2 the configuration or the command line is wrong, 130 and 143
    a signal ended it before anything was begun.
    """
    command = sys.argv[1] if sys.argv[1:2] else ""
    if command in _SERVERS or command in _IN_ORDER:
        end_at_a_signal(is_server=command in _SERVERS)
    take_signals()
    from streamer.cli.commands import app
    from streamer.errors import ConfigurationError, StreamerError

    try:
        app()
    except ConfigurationError as error:
        from streamer.cli.findings import show

        show(error.findings)
        sys.exit(error.exit_code)
    except StreamerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
