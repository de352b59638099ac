"""Which real servers can a test have? One Kafka broker and one registry serve the whole run."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol

import pytest

from tests.integration.bridge import Bridge, trigger_schemas
from tests.servers.fetch import ensure_fetched
from tests.servers.kafka import KafkaCluster
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.shared import Address, shared
from tests.servers.streamer_process import StreamerProcess


class StartsKafka(Protocol):
    def __call__(
        self, *, nodes: int = 1, properties: Mapping[str, str] | None = None
    ) -> KafkaCluster: ...


class StartsStreamer(Protocol):
    def __call__(
        self,
        config: Mapping[str, Any],
        *,
        wait: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> StreamerProcess: ...


@pytest.fixture(scope="session")
def server_files() -> None:
    """Kafka and the registry are in the cache."""
    ensure_fetched()


@pytest.fixture(scope="session")
def of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def kafka(server_files: None, of_the_run: Path) -> Iterator[KafkaCluster]:
    """One broker for the whole run: use topics and groups of your own and do not stop it."""

    def start() -> tuple[Address, Callable[[], None]]:
        folder = mkdtemp(prefix="kafka-", dir=of_the_run)
        cluster = KafkaCluster(Path(folder)).start()
        return [folder, cluster.ports], cluster.stop

    with shared(of_the_run, "kafka", start) as (folder, ports):
        yield KafkaCluster.of_another(Path(folder), ports)


@pytest.fixture(scope="session")
def registry(server_files: None, of_the_run: Path) -> Iterator[ApicurioRegistry]:
    """One registry for the whole run: use subjects of your own and do not stop it."""

    def start() -> tuple[Address, Callable[[], None]]:
        folder = mkdtemp(prefix="registry-", dir=of_the_run)
        server = ApicurioRegistry(Path(folder)).start()
        return [folder, server.port], server.stop

    with shared(of_the_run, "registry", start) as (folder, port):
        yield ApicurioRegistry(Path(folder), port)


@pytest.fixture
def own_kafka(server_files: None, tmp_path: Path) -> Iterator[StartsKafka]:
    """Starts clusters that the test may break; they end with it."""
    clusters: list[KafkaCluster] = []

    def start(*, nodes: int = 1, properties: Mapping[str, str] | None = None) -> KafkaCluster:
        folder = tmp_path / f"kafka-{len(clusters)}"
        clusters.append(KafkaCluster(folder, nodes=nodes, properties=properties))
        return clusters[-1].start()

    try:
        yield start
    finally:
        for cluster in clusters:
            cluster.stop()


@pytest.fixture
def own_registry(server_files: None, tmp_path: Path) -> Iterator[Callable[[], ApicurioRegistry]]:
    """Starts registries that the test may stop, suspend and start again."""
    servers: list[ApicurioRegistry] = []

    def start() -> ApicurioRegistry:
        servers.append(ApicurioRegistry(tmp_path / f"registry-{len(servers)}"))
        return servers[-1].start()

    try:
        yield start
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def sandbox_process(tmp_path: Path) -> Iterator[Callable[..., SandboxProcess]]:
    """Starts sandboxes with these flags; they end with the test."""
    sandboxes: list[SandboxProcess] = []

    def start(flags: Sequence[str] = ()) -> SandboxProcess:
        sandboxes.append(SandboxProcess(tmp_path / f"sandbox-{len(sandboxes)}", flags))
        return sandboxes[-1].start()

    try:
        yield start
    finally:
        for sandbox in sandboxes:
            sandbox.stop()


@pytest.fixture
def streamer_process(tmp_path: Path) -> Iterator[StartsStreamer]:
    """Starts `streamer run` with a configuration; what still runs is killed with the test."""
    streamers: list[StreamerProcess] = []

    def start(
        config: Mapping[str, Any],
        *,
        wait: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> StreamerProcess:
        folder = tmp_path / f"streamer-{len(streamers)}"
        streamers.append(StreamerProcess(folder, config, env=env))
        return streamers[-1].start(wait=wait)

    try:
        yield start
    finally:
        for streamer in streamers:
            streamer.kill()


@pytest.fixture
def bridge(
    kafka: KafkaCluster,
    registry: ApicurioRegistry,
    sandbox_process: Callable[..., SandboxProcess],
    tmp_path: Path,
) -> Bridge:
    """A topic of its own, and a sandbox that knows the schemas of the triggers."""
    schemas = trigger_schemas(tmp_path / "schemas")
    return Bridge(kafka, registry, sandbox_process(["--schemas", str(schemas)]))
