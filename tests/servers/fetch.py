"""How do the servers' files get into the cache, and is every one of them what the lock says?

Maven brings them where it is installed. Otherwise PyPI's `jgo` does, in plain Python: since the
lock names every file, nothing has to be resolved, which is what takes `jgo` most of its time.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from jgo.maven import MavenContext, PythonResolver

from tests.fetching import FetchError, fetched, one_at_a_time
from tests.servers.artifacts import (
    CACHE,
    FILES,
    KAFKA_ROOTS,
    LOCK_FILE,
    REGISTRY,
    Artifact,
    Coordinates,
    read_lock,
    write_lock,
)

# More brings nothing: each is a short download and two cores hash them.
DOWNLOADS_AT_ONCE = 8

Bring = Callable[[Sequence[Coordinates], Path], str]
"""Puts the files into the folder; gives the name of the tool that brought them."""


def ensure_fetched() -> None:
    """Fetch what is missing; returns at once when all is there.

    Raises FetchError. Two test runs that start at the same time wait for one another.
    """
    artifacts = read_lock()
    # Every file was hashed before it got its name, so that a stamp for this lock is enough.
    stamp = CACHE / f"verified-{_sha256(LOCK_FILE)[:16]}"
    if stamp.exists() and all(artifact.path.exists() for artifact in artifacts):
        return
    with _one_at_a_time():
        missing = [artifact for artifact in artifacts if not _is_right(artifact, artifact.path)]
        if missing:
            fetch(missing)
        for old in CACHE.glob("verified-*"):
            old.unlink()
        stamp.touch()


def fetch(missing: Sequence[Artifact], bring: Bring | None = None) -> None:
    """Bring the files and give each its place once its hash is right. Raises FetchError."""
    # Beside the cache's files, so that moving a file there is a rename and never half a file.
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        started = time.monotonic()
        wanted = [artifact.coordinates for artifact in missing]
        tool = (bring or _bring)(wanted, Path(scratch))
        for artifact in missing:
            brought = Path(scratch) / artifact.coordinates.file_name
            if not _is_right(artifact, brought):
                found = _sha256(brought) if brought.exists() else "nothing"
                raise FetchError(
                    f"{artifact.coordinates} should hash to {artifact.sha256} and is {found}: "
                    "look at what the Maven repository serves; if the file changed for a good "
                    "reason, `python -m tests.servers.fetch --lock` writes the lock again"
                )
            brought.replace(artifact.path)
    print(f"fetched {len(missing)} files by {tool} in {time.monotonic() - started:.1f} s")


def _bring(wanted: Sequence[Coordinates], target: Path) -> str:
    """Bring the files into `target`; gives the name of the tool that did."""
    maven = shutil.which("mvn")
    if maven:
        print(f"fetching {len(wanted)} files of Kafka and the registry by Maven ...", flush=True)
        failure = _bring_by_maven(maven, wanted, target)
        if failure is None:
            return "Maven"
        print(f"Maven could not ({failure}); trying jgo", file=sys.stderr)
    print(f"fetching {len(wanted)} files of Kafka and the registry by jgo ...", flush=True)
    _bring_by_jgo(wanted, target)
    return "jgo"


def _bring_by_maven(maven: str, wanted: Sequence[Coordinates], target: Path) -> str | None:
    """Gives the last line of what Maven complained of, or None."""
    items = "".join(
        "<artifactItem>"
        f"<groupId>{escape(item.group)}</groupId><artifactId>{escape(item.artifact)}</artifactId>"
        f"<version>{escape(item.version)}</version><type>{escape(item.packaging)}</type>"
        f"<classifier>{escape(item.classifier)}</classifier></artifactItem>"
        for item in wanted
    )
    project = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
      <modelVersion>4.0.0</modelVersion>
      <groupId>streamer</groupId><artifactId>test-servers</artifactId><version>1</version>
      <packaging>pom</packaging>
      <build><plugins><plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-dependency-plugin</artifactId>
        <configuration>
          <outputDirectory>{escape(str(target))}</outputDirectory>
          <artifactItems>{items}</artifactItems>
        </configuration>
      </plugin></plugins></build>
    </project>"""
    pom = target / "pom.xml"
    pom.write_text(project, encoding="utf-8")
    command = [maven, "--quiet", "--batch-mode", "--file", str(pom), "dependency:copy"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    errors = [line for line in run.stdout.splitlines() if line.startswith("[ERROR]")]
    return errors[0] if errors else f"exit code {run.returncode}"


def _bring_by_jgo(wanted: Sequence[Coordinates], target: Path) -> None:
    context = _jgo_context()
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads:
        for item, path in zip(
            wanted, threads.map(lambda item: _jgo_file(context, item), wanted), strict=True
        ):
            path.replace(target / item.file_name)


def _jgo_context() -> MavenContext:
    # Not its default folder: a file that was cut there by an interrupt would stay cut.
    repository = tempfile.mkdtemp(dir=CACHE, prefix="jgo-")
    return MavenContext(repo_cache=Path(repository), resolver=PythonResolver(), timeout=60)


def _jgo_file(context: MavenContext, item: Coordinates) -> Path:
    component = context.project(item.group, item.artifact).at_version(item.version)
    path: Path = component.artifact(classifier=item.classifier, packaging=item.packaging).resolve()
    return path


def make_lock() -> None:
    """Resolve the roots anew and write what they need today into the lock."""
    with _one_at_a_time():
        context = _jgo_context()
        roots = [context.create_dependency(str(root)) for root in KAFKA_ROOTS]
        inputs, others = context.resolver.resolve(roots)
        wanted = [
            Coordinates(it.groupId, it.artifactId, it.version, it.type, it.classifier)
            for it in [*inputs, *others]
            if it.scope in (None, "compile", "runtime")
        ]
        wanted.append(REGISTRY)
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads:
            paths = list(threads.map(lambda item: _jgo_file(context, item), wanted))
        artifacts = [
            Artifact(item, _sha256(path)) for item, path in zip(wanted, paths, strict=True)
        ]
        write_lock(artifacts)
        print(f"{len(artifacts)} files in {LOCK_FILE.name}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_right(artifact: Artifact, path: Path) -> bool:
    return path.exists() and _sha256(path) == artifact.sha256


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with one_at_a_time(CACHE):
        FILES.mkdir(exist_ok=True)
        for left_over in [*CACHE.glob("jgo-*"), *CACHE.glob("tmp*")]:
            shutil.rmtree(left_over, ignore_errors=True)
        try:
            yield
        finally:
            for repository in CACHE.glob("jgo-*"):
                shutil.rmtree(repository, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.fetch", description=__doc__)
    parser.add_argument("--lock", action="store_true", help="write artifacts.lock anew")
    if parser.parse_args().lock:
        make_lock()
    return fetched(ensure_fetched)


if __name__ == "__main__":
    sys.exit(main())
