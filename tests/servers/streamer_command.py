"""How is a command of `streamer` run to its end, as its user runs it?"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.servers.streamer_process import COMMAND


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.lines]


class StreamerCommand:
    """Commands with one configuration."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.config_path = folder / "streamer.yaml"
        self.config_path.write_text(yaml.safe_dump(dict(config), sort_keys=False))

    def words(self, *words: str) -> Sequence[str]:
        return [COMMAND, *words, "--config", str(self.config_path)]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Begin it; `ended` waits for its end."""
        return subprocess.Popen(
            self.words(*words),
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, timeout_s: float = 150) -> Ended:
        done = subprocess.run(
            self.words(*words),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


def ended(process: "subprocess.Popen[str]", timeout_s: float = 120) -> Ended:
    """How a command that was started has ended; one that does not is killed."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        if process.poll() is None:
            process.kill()
    return Ended(process.returncode, out, err)
