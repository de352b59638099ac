"""Which real servers and processes does a campaign have, and do they all end with it?"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Protocol

from tests.servers.fetch import ensure_fetched
from tests.servers.kafka import KafkaCluster, Listener
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import StreamerProcess

LATENCY = ("--latency", "20ms")


class Stage:
    """Servers for one campaign. One broker and one registry are everybody's: use topics and groups
    of your own there, and make others to break."""

    def __init__(self, folder: Path, shared: "Shared", random: Random) -> None:
        self._folder = folder
        self._shared = shared
        self._numbers = count(1)
        self._ends = ExitStack()
        self.random = random
        """For the moments that are drawn: the same from the same seed."""

    @property
    def kafka(self) -> KafkaCluster:
        return self._shared.kafka()

    @property
    def registry(self) -> ApicurioRegistry:
        return self._shared.registry()

    def folder(self, name: str) -> Path:
        """One that nothing else uses."""
        made = self._folder / f"{name}-{next(self._numbers)}"
        made.mkdir(parents=True)
        return made

    def own_kafka(
        self,
        *,
        nodes: int = 1,
        properties: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
    ) -> KafkaCluster:
        """A running cluster that may be broken."""
        cluster = KafkaCluster(
            self.folder("kafka"), nodes=nodes, properties=properties, listeners=listeners
        )
        self._ends.callback(cluster.stop)
        return cluster.start()

    def own_registry(self) -> ApicurioRegistry:
        registry = ApicurioRegistry(self.folder("registry"))
        self._ends.callback(registry.stop)
        return registry.start()

    def sandbox(self, flags: Sequence[str] = LATENCY) -> SandboxProcess:
        sandbox = SandboxProcess(self.folder("sandbox"), flags)
        self._ends.callback(sandbox.stop)
        return sandbox.start()

    def streamer(
        self,
        config: Mapping[str, Any],
        *,
        start: bool = True,
        wait: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> StreamerProcess:
        """`streamer run`; killed with the campaign if it still runs."""
        streamer = StreamerProcess(self.folder("streamer"), config, env=env)
        if start:
            streamer.start(wait=wait)
        self.at_end(lambda: _kill(streamer))
        return streamer

    def inner(self, name: str, seed: int) -> "Stage":
        """A stage that ends earlier."""
        return Stage(self.folder(name), self._shared, Random(seed))

    def at_end(self, end: Callable[[], object]) -> None:
        """Call this when the campaign ends, however it does."""
        self._ends.callback(end)

    def close(self) -> None:
        self._ends.close()


class Shared(Protocol):
    """What all campaigns share."""

    def kafka(self) -> KafkaCluster: ...

    def registry(self) -> ApicurioRegistry: ...


class SharedServers:
    """Started when they are asked for first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kafka: KafkaCluster | None = None
        self._registry: ApicurioRegistry | None = None

    def kafka(self) -> KafkaCluster:
        if self._kafka is None:
            self._kafka = KafkaCluster(self._folder / "kafka").start()
        return self._kafka

    def registry(self) -> ApicurioRegistry:
        if self._registry is None:
            self._registry = ApicurioRegistry(self._folder / "registry").start()
        return self._registry

    def stop(self) -> None:
        for server in (self._kafka, self._registry):
            if server is not None:
                server.stop()


class Stages:
    """A stage for each campaign in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keeps = False
        """Whether the folder stays, with what the processes logged."""
        self._shared = SharedServers(folder)

    @contextmanager
    def stage(self, name: str, seed: int) -> Iterator[Stage]:
        stage = Stage(self.folder / name, self._shared, Random(seed))
        try:
            yield stage
        finally:
            stage.close()

    def stop(self) -> None:
        self._shared.stop()


@contextmanager
def stages() -> Iterator[Stages]:
    """Until it is left: then all has ended, and the folder is gone unless it is to be kept."""
    ensure_fetched()
    made = Stages(Path(tempfile.mkdtemp(prefix="streamer-chaos-")))
    try:
        yield made
    finally:
        made.stop()
        if not made.keeps:
            shutil.rmtree(made.folder, ignore_errors=True)


def _kill(streamer: StreamerProcess) -> None:
    if streamer.running:
        streamer.kill()
