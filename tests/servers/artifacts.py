"""Which files do the servers of the tests consist of, and what must their bytes hash to?

`artifacts.lock` beside this module has a line a file: its SHA-256 and its Maven coordinates. It
is written by `python -m tests.servers.fetch --lock` from the roots below and everything that they
depend on; nothing that hashes otherwise is ever run.
"""

from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.0"
REGISTRY_VERSION = "3.3.3"

LOCK_FILE = Path(__file__).with_name("artifacts.lock")
CACHE = Path(__file__).parents[2] / ".cache" / "servers"
"""Everything fetched or unpacked; ignored by git, safe to delete."""

FILES = CACHE / "files"


@dataclass(frozen=True, slots=True, order=True)
class Coordinates:
    """A file of a Maven repository."""

    group: str
    artifact: str
    version: str
    packaging: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> "Coordinates":
        """`group:artifact:version[:packaging[:classifier]]`."""
        return cls(*text.split(":"))

    def __str__(self) -> str:
        parts = [self.group, self.artifact, self.version]
        if self.packaging != "jar" or self.classifier:
            parts += [self.packaging, self.classifier]
        return ":".join(parts)

    @property
    def file_name(self) -> str:
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.{self.packaging}"


@dataclass(frozen=True, slots=True, order=True)
class Artifact:
    coordinates: Coordinates
    sha256: str

    @property
    def path(self) -> Path:
        """Where it is once it was fetched and its hash was found right."""
        return FILES / self.coordinates.file_name


KAFKA_ROOTS = (
    Coordinates("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    # StorageTool's neighbours; the distribution has them on the class path too.
    Coordinates("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
    # So that a broker says what it complains of; the version is that of Kafka's slf4j-api.
    Coordinates("org.slf4j", "slf4j-simple", "1.7.36"),
)
REGISTRY = Coordinates("io.apicurio", "apicurio-registry-app", REGISTRY_VERSION, "tar.gz", "all")


def read_lock() -> list[Artifact]:
    lines = LOCK_FILE.read_text(encoding="utf-8").splitlines()
    entries = (line.split() for line in lines if line and not line.startswith("#"))
    return [Artifact(Coordinates.parse(coordinates), sha256) for sha256, coordinates in entries]


def write_lock(artifacts: list[Artifact]) -> None:
    lines = ["# Made by `python -m tests.servers.fetch --lock`: SHA-256 and Maven coordinates."]
    lines += [f"{artifact.sha256}  {artifact.coordinates}" for artifact in sorted(artifacts)]
    LOCK_FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def kafka_class_path() -> str:
    jars = [artifact for artifact in read_lock() if artifact.coordinates != REGISTRY]
    return ":".join(str(jar.path) for jar in jars)


def registry_archive() -> Path:
    return next(entry.path for entry in read_lock() if entry.coordinates == REGISTRY)
