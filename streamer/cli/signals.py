"""What does a signal do to a server that has not begun yet?

Importing the program takes a second or more. A SIGTERM in that time would end the process as
killed, or not at all: as the first process of a container it ignores what it does not handle.
"""

import os
import signal
import sys

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


def end_at_a_signal() -> None:
    """From now on SIGTERM and SIGINT end this process with exit code 0.

    For as long as nothing was begun that must be ended in order; whoever begins it puts handlers
    of its own in their place.
    """
    for number in _ENDINGS:
        signal.signal(number, _end)


def take_signals() -> None:
    """Takes SIGTERM and SIGINT if whatever started this process blocked them.

    The image does: what comes before there is a handler then waits for it.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)


def _end(number: int, _frame: object) -> None:
    # Not by an exception: it would come out of whatever runs now, which may catch it.
    os.write(2, f"stopped by {signal.Signals(number).name} before anything was begun\n".encode())
    os._exit(0)
