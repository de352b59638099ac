"""How is `streamer` run as its operator runs it: a process with a configuration file?"""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.servers.process import ServerProcess, free_port

COMMAND = str(Path(sys.executable).with_name("streamer"))
"""The installed command, as `make setup` leaves it."""

READY_WITHIN_S = 40

Metrics = Mapping[str, float]
"""A sample's value by its name with labels as in the text format: `up{topic="a"}`."""


class StreamerProcess:
    """`streamer run` with a configuration of its own; started again, it is the same one."""

    def __init__(
        self, folder: Path, config: Mapping[str, Any], *, env: Mapping[str, str] | None = None
    ) -> None:
        """`config` is written to the folder as YAML, with a free port unless it names one."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        server = {"host": "127.0.0.1", "port": self.port, **config.get("server", {})}
        self.port = server["port"]
        self.config_path = folder / "streamer.yaml"
        self.config_path.write_text(
            yaml.safe_dump({**config, "server": server}, sort_keys=False), encoding="utf-8"
        )
        self._folder = folder
        self._env = dict(env or {})
        self._process: ServerProcess | None = None

    @property
    def process(self) -> ServerProcess:
        assert self._process is not None, "this streamer was not started"
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True) -> "StreamerProcess":
        """Start it; with `wait`, return when /health/ready answers 200."""
        self._process = ServerProcess(
            [COMMAND, "run", "--config", str(self.config_path)],
            self._folder / "log.txt",
            env=self._env,
            cwd=self._folder,
        )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout_s: float = READY_WITHIN_S) -> None:
        self.wait_until(lambda: self.health("ready") == 200, "/health/ready", timeout_s)

    def wait_until(
        self, condition: Callable[[], bool], what: str, timeout_s: float = READY_WITHIN_S
    ) -> None:
        """Fails at once, with the end of its log, when the process ends meanwhile."""
        self.process.wait_until(condition, what, timeout_s)

    def health(self, probe: str) -> int | None:
        """The status of /health/<probe>; None where nothing answers."""
        try:
            return self._get(f"/health/{probe}")[0]
        except OSError:
            return None

    def health_text(self, probe: str) -> str:
        """What /health/<probe> says; nothing where nothing answers."""
        try:
            return self._get(f"/health/{probe}")[1]
        except OSError:
            return ""

    def metrics(self) -> Metrics:
        """All samples of /metrics."""
        lines = self._get("/metrics")[1].splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples which have these labels; 0 where there is none."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.split("{")[0] == name and all(label in sample for label in wanted)
        )

    def log_events(self) -> Sequence[Mapping[str, Any]]:
        """The JSON lines of its log (`log.format: json`), in order; other lines are left out."""
        lines = (line for line in self.process.log().splitlines() if line.startswith("{"))
        return [json.loads(line) for line in lines]

    def terminate(self, timeout_s: float = 45) -> int:
        """SIGTERM, and its exit code once it ended in its own way."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        self.process.signal(number)

    def kill(self) -> None:
        """SIGKILL: it ends where it stands."""
        self.process.kill()

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
