"""What does a signal do to a command that has not begun yet?

Importing the program takes a second or more. A SIGTERM in that time would end the process as
killed, or not at all: as the first process of a container it ignores what it does not handle.
"""

import os
import signal
import sys
from functools import partial

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


def end_at_a_signal(*, is_server: bool) -> None:
    """From now on SIGTERM and SIGINT end this process: a server with exit code 0, since it was
    asked to end; another command with that of one which the signal killed.

    For as long as nothing was begun that must be ended in order; whoever begins it puts handlers
    of its own in their place.
    """
    for number in _ENDINGS:
        signal.signal(number, partial(_end, is_server))


def take_signals() -> None:
    """Takes SIGTERM and SIGINT if whatever started this process blocked them.

    The image does: what comes before there is a handler then waits for it.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)


def _end(is_server: bool, number: int, _frame: object) -> None:
    # Not by an exception: it would come out of whatever runs now, which may catch it.
    os.write(2, f"stopped by {signal.Signals(number).name} before anything was begun\n".encode())
    os._exit(0 if is_server else 128 + number)
