"""Is nothing ever run that is not what the lock of the test servers says?"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fetching import FetchError
from tests.servers.artifacts import (
    FILES,
    KAFKA_ROOTS,
    REGISTRY,
    Artifact,
    Coordinates,
    kafka_class_path,
    read_lock,
    registry_archive,
)
from tests.servers.fetch import Bring, fetch


@pytest.mark.parametrize("text", ["org.apache.kafka:kafka_2.13:4.3.0", "a:b:1:tar.gz:all"])
def test_coordinates_are_read_and_written(text: str) -> None:
    assert str(Coordinates.parse(text)) == text


def test_a_classifier_stands_in_the_file_name() -> None:
    assert Coordinates.parse("a:b:1:tar.gz:all").file_name == "b-1-all.tar.gz"


def test_the_lock_has_what_the_servers_start_from() -> None:
    coordinates = {artifact.coordinates for artifact in read_lock()}

    assert {*KAFKA_ROOTS, REGISTRY} <= coordinates
    assert registry_archive().name not in kafka_class_path()


def test_files_of_the_lock_have_names_of_their_own() -> None:
    artifacts = read_lock()

    assert len({artifact.path for artifact in artifacts}) == len(artifacts)


@pytest.fixture
def artifact() -> Artifact:
    FILES.mkdir(parents=True, exist_ok=True)
    right = hashlib.sha256(b"right").hexdigest()
    # Another test of these may run beside it.
    return Artifact(Coordinates("t", f"made-by-a-test-{uuid4().hex}", "1"), right)


def _bringing(content: bytes | None) -> Bring:
    def bring(wanted: Sequence[Coordinates], target: Path) -> str:
        if content is not None:
            (target / wanted[0].file_name).write_bytes(content)
        return "a test"

    return bring


@pytest.mark.parametrize("content", [b"wrong", None])
def test_a_file_that_hashes_otherwise_is_refused(artifact: Artifact, content: bytes | None) -> None:
    with pytest.raises(FetchError, match=r"made-by-a-test-[0-9a-f]+:1 should hash to"):
        fetch([artifact], _bringing(content))

    assert not artifact.path.exists()


def test_a_file_that_is_right_gets_its_place(artifact: Artifact) -> None:
    fetch([artifact], _bringing(b"right"))

    assert artifact.path.read_bytes() == b"right"
    artifact.path.unlink()
