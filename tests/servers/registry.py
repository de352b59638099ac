"""What is a real schema registry in a test: Apicurio, by its Confluent-compatible API?"""

import fcntl
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.artifacts import CACHE, REGISTRY_VERSION, registry_archive
from tests.servers.java import java
from tests.servers.process import ServerProcess, free_port

READY_WITHIN_S = 90


class ApicurioRegistry:
    """One registry that keeps its schemas in memory, on a free port of 127.0.0.1."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """`folder` takes its log. With a `port`, the one there that another process started."""
        self.port = port or free_port()
        self._folder = folder
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """What `schemas.registry.url` is set to."""
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    @property
    def process(self) -> ServerProcess:
        assert self._process is not None, "the registry was not started here"
        return self._process

    def start(self) -> "ApicurioRegistry":
        """Start it and wait until it answers. A second start has the same address, no schemas."""
        home = _unpacked()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = ServerProcess(
            java(["-jar", str(home / "quarkus-run.jar")], starts_soon=True),
            self._folder / "log.txt",
            env={
                "QUARKUS_HTTP_HOST": "127.0.0.1",
                "QUARKUS_HTTP_PORT": str(self.port),
                # Its health page, otherwise at a fixed port.
                "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
                "QUARKUS_MANAGEMENT_PORT": str(free_port()),
                "QUARKUS_LOG_LEVEL": "WARN",
                "QUARKUS_LOG_CONSOLE_JSON_ENABLED": "false",
            },
            cwd=self._folder,
        )
        self._process.wait_until(self._answers, f"an answer of {self.url}", READY_WITHIN_S)
        return self

    def stop(self) -> None:
        # It holds nothing that an orderly end would save.
        self.process.kill()

    def suspend(self) -> None:
        """Connections are taken and nothing is answered."""
        self.process.suspend()

    def resume(self) -> None:
        self.process.resume()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _unpacked() -> Path:
    home = CACHE / f"registry-{REGISTRY_VERSION}"
    with (CACHE / "unpack-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            # Under its name only when it is whole.
            scratch = Path(tempfile.mkdtemp(dir=CACHE))
            shutil.unpack_archive(registry_archive(), scratch)
            scratch.rename(home)
    return home
