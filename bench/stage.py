"""Which servers do all measurements share, and how is each other process of theirs started?"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from bench.endpoint import Endpoint
from tests.servers.kafka import KafkaCluster
from tests.servers.process import ServerProcess, free_port, port_is_open
from tests.servers.registry import ApicurioRegistry


class Stage:
    """A broker, a registry, and a folder for what the processes leave."""

    def __init__(self, folder: Path, kafka: KafkaCluster, registry_url: str) -> None:
        self._folder = folder
        self.kafka = kafka
        self.registry_url = registry_url
        self._numbers = count(1)

    def folder(self, name: str) -> Path:
        """One that nothing else uses."""
        made = self._folder / f"{name}-{next(self._numbers)}"
        made.mkdir(parents=True)
        return made

    @contextmanager
    def endpoint(
        self,
        latency_s: float,
        *,
        slow_s: float = 0.0,
        by_instance: bool = False,
        by_key: bool = False,
        quota: int = 0,
    ) -> Iterator[Endpoint]:
        """Running. `slow_s`: the latency of one customer in a hundred; 0: that of all. `quota` is
        for each instance and minute; 0: without."""
        port = free_port()
        words = ["--port", str(port), "--latency-ms", str(latency_s * 1000)]
        words += ["--slow-ms", str(slow_s * 1000)]
        if by_key:
            words.append("--by-key")
        if by_instance:
            words += ["--by-instance", "--quota", str(quota)]
        with self.module("bench.endpoint", words) as process:
            process.wait_until(lambda: port_is_open(port), "the endpoint's port")
            yield Endpoint(process, port)

    @contextmanager
    def module(self, name: str, words: Sequence[str]) -> Iterator[ServerProcess]:
        """A module of the benchmark as a process, until it is left."""
        command = [sys.executable, "-m", name, *words]
        process = ServerProcess(command, self.folder(name) / "log.txt")
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-bench-")))
        kafka = KafkaCluster(folder / "kafka", starts_soon=False)
        stack.callback(kafka.stop)
        kafka.start()
        registry = ApicurioRegistry(folder / "registry")
        stack.callback(registry.stop)
        registry.start()
        yield Stage(folder, kafka, registry.url)


def words_of(options: Mapping[str, object]) -> Sequence[str]:
    """For a command line."""
    return [word for key, value in options.items() for word in (f"--{key}", str(value))]
