"""How are the demo's own processes started, and ended whatever happens to the demo?"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streamer.demo import leash

# The interpreter that runs us, whatever stands on the path.
STREAMER = (sys.executable, "-c", "from streamer.cli.main import main; main()")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port


class Child:
    """A `streamer` command that runs beside the demo, with what it prints kept in a file.

    Start it from the main thread: it is killed when the thread that started it ends.
    """

    def __init__(self, arguments: Sequence[str], log_path: Path) -> None:
        self.log_path = log_path
        command = [sys.executable, leash.__file__, str(os.getpid()), *STREAMER, *arguments]
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C is for the demo, which then lets its children finish in order.
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self, within_s: float) -> int | None:
        """SIGTERM; its exit code, or None where it had to be killed after `within_s`."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def last_lines(self, count: int = 15) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-count:])
