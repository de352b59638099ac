"""How is a server started as a process of its own, watched, and ended without leaving a trace?"""

import contextlib
import fcntl
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from streamer.demo import leash
from tests.servers.waiting import wait_until

LEASH = leash.__file__

# Below the range that Linux gives to outgoing connections (32768 on), so that no connection of
# the tests takes a stopped server's port before its restart.
PORTS = range(16_000, 32_000)

# A port is a server's own only once it listens, seconds after it was chosen, and not between its
# end and its restart. So each process that runs tests has a share of the ports for itself.
PORTS_OF_A_PROCESS = 500

# The kernel kills a leashed child when the *thread* that started it ends, not the process, and a
# test may start a server in a short-lived one. So all are started by one thread that stays.
_starter = ThreadPoolExecutor(1, thread_name_prefix="starts-servers")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on and that is given to nobody else.

    Not again before all other ports of this process were.
    """
    for port in itertools.islice(_own_ports(), PORTS_OF_A_PROCESS):
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {PORTS.start} and {PORTS.stop}")


@cache
def _own_ports() -> Iterator[int]:
    """This process's share, round and round."""
    locks = Path(tempfile.gettempdir()) / f"streamer-test-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    for first in PORTS[::PORTS_OF_A_PROCESS]:
        lock = os.open(locks / str(first), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            # Left open: the lock ends with the process, however that ends.
            return itertools.cycle(range(first, first + PORTS_OF_A_PROCESS))
    raise RuntimeError(f"all shares of the ports {PORTS.start} to {PORTS.stop} are in use")


def port_is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """A program that runs until it is ended, with what it prints kept in a file."""

    def __init__(
        self,
        command: Sequence[str],
        log_path: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start it. `env` is added to this process's own environment; `command[0]` is a path."""
        self.command = tuple(command)
        self.log_path = log_path
        self._process = _starter.submit(self._start, dict(env or {}), cwd).result()

    def _start(self, env: Mapping[str, str], cwd: Path | None) -> subprocess.Popen[bytes]:
        leashed = [sys.executable, LEASH, str(os.getpid()), *self.command]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                cwd=cwd,
                # A Ctrl-C in the terminal is for the test run, which then ends its servers.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number where one ended it."""
        return self._process.poll()

    def log(self) -> str:
        """All that it printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str, timeout_s: float = 30) -> None:
        self.wait_until(lambda: text in self.log(), f"{text!r} in its log", timeout_s)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
        """Like `waiting.wait_until`, but fails at once, with the log, when the process ended."""

        def holds() -> bool:
            if condition():
                return True
            if not self.alive:
                raise AssertionError(
                    f"{self.command[0]} ended with {self.exit_code} before {what}:\n{self._tail()}"
                )
            return False

        wait_until(holds, lambda: f"{what}; the end of its log:\n{self._tail()}", timeout_s)

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            self._process.send_signal(number)

    def terminate(self) -> None:
        """SIGTERM: it may end in its own way; `wait` tells how it did."""
        self.signal(signal.SIGTERM)

    def suspend(self) -> None:
        """SIGSTOP: it stands still, as in a long pause of its machine, until `resume`."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def wait(self, timeout_s: float = 30) -> int:
        """Its exit code. Raises AssertionError with the end of its log if it goes on running."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.command[0]} still runs after {timeout_s:g} s:\n{self._tail()}"
            ) from None

    def kill(self) -> None:
        """SIGKILL to it and whatever it started; returns when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, timeout_s: float = 15) -> None:
        """SIGTERM, and SIGKILL if that does not end it in time; returns when it is gone."""
        self.resume()
        self.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def _tail(self) -> str:
        return "\n".join(self.log().splitlines()[-40:])
