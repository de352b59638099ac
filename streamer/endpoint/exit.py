"""How does a process end whose HTTP client has threads of its own?

The client's native threads touch the interpreter's lock after a call. One that does so while the
interpreter is being torn down aborts the process (SIGABRT, `PyGILState_Release`), although
everything was closed in order. So the tear-down waits until they are done, or is left out.
"""

import atexit
import logging
import os
import sys
import time
from contextlib import suppress
from typing import NoReturn

_THREADS_DONE_S = 0.1
"""No abort was seen from 10 ms after the last call on; a busy machine is slower."""

_waits = False


def wait_for_native_threads() -> None:
    """From now on a normal end of this process first waits until native threads are done."""
    global _waits
    if not _waits:
        _waits = True
        atexit.register(time.sleep, _THREADS_DONE_S)


def leave(code: int) -> NoReturn:
    """Ends the process now with this exit code, without tearing the interpreter down.

    For the end of a command, after everything was closed in order. What is buffered for standard
    output and error is written; functions registered with `atexit` do not run.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a closed pipe must not change the exit code
            stream.flush()
    os._exit(code)
