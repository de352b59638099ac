"""Does the Dockerfile do what it says? Its steps are run without a container.

COPY and RUN are carried out below a temporary folder that stands for the image's root, by the
Python that runs the tests. What is left to a real build is the base image.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chart.fetch import ROOT

DOCKERFILE = ROOT / "Dockerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
UV = Path(sys.executable).with_name("uv")

# The build stage downloads what the image needs.
pytestmark = pytest.mark.timeout(600)


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its words, continued lines joined, comments left out."""
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def words_of(instruction: str) -> list[str]:
    return [rest for word, rest in instructions() if word == instruction]


def copied() -> list[str]:
    """What the Dockerfile copies out of the checkout."""
    copies = [rest.split() for rest in words_of("COPY") if not rest.startswith("--from")]
    return [source for sources in copies for source in sources[:-1]]


@dataclass
class Image:
    """What stands for the image: its root, and where the next step runs."""

    root: Path
    workdir: Path = field(init=False)

    def __post_init__(self) -> None:
        self.workdir = self.root

    def step(self, instruction: str, rest: str) -> None:
        match instruction:
            case "WORKDIR":
                self.workdir = self.root / rest.lstrip("/")
                self.workdir.mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    self._copy(ROOT / source, self.workdir / target)
            case "RUN":
                # pip's cache spares a machine that has one the same download at every run.
                command = rest.replace("--no-cache-dir ", "").replace("/opt/", f"{self.root}/opt/")
                subprocess.run(command, shell=True, check=True, cwd=self.workdir, env=_plain_env())
            case _:
                raise AssertionError(f"the test does not know how to carry out {instruction}")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, target, ignore=unwanted)
        else:
            folder = target.parent if target.suffix else target
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def run(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """The entry point with these words, outside of the checkout."""
        (path,) = re.findall(r"PATH=(\S+?):\$PATH", words_of("ENV")[0])
        entry = json.loads(words_of("ENTRYPOINT")[0])
        env = {**_plain_env(), "PATH": f"{self.root}{path}:/usr/bin:/bin"}
        return subprocess.run(
            [*entry, *words],
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )


def _plain_env() -> Mapping[str, str]:
    """Without what belongs to the environment of the tests."""
    base = Path(sys.base_prefix) / "bin"
    rest = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_ENV", "PYTHON"))}
    return {**rest, "PATH": f"{base}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The build stage, carried out."""
    image = Image(tmp_path_factory.mktemp("image"))
    stages = 0
    for instruction, rest in instructions():
        stages += instruction == "FROM"
        if stages == 1 and instruction != "FROM":
            image.step(instruction, rest)
    return image


def test_hadolint_finds_nothing_to_complain_of() -> None:
    done = subprocess.run([str(HADOLINT), str(DOCKERFILE)], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    let_through = {line[1:] for line in ignored if line.startswith("!")}

    assert "*" in ignored
    assert set(copied()) == let_through
    assert all((ROOT / source).exists() for source in copied())


def test_the_image_runs_as_the_chart_says() -> None:
    helpers = (ROOT / "helm" / "streamer" / "templates" / "_pod.tpl").read_text(encoding="utf-8")
    user, group = words_of("USER")[-1].split(":")

    assert f"runAsUser: {user}" in helpers
    assert f"runAsGroup: {group}" in helpers
    assert instructions()[-1] == ("CMD", '["run", "--config", "/etc/streamer/streamer.yaml"]')
    assert words_of("EXPOSE") == ["9464"]


def test_the_image_has_the_python_that_the_tests_run_on() -> None:
    (python,) = re.findall(r"PYTHON=(\d+\.\d+)", words_of("ARG")[0])

    assert tuple(map(int, python.split("."))) >= (3, 11)
    if sys.version_info[:2] == (3, 11):
        assert python == "3.11"


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_every_locked_package_has_a_wheel_for_the_image(processor: str, tmp_path: Path) -> None:
    """Bookworm has glibc 2.36; there is no compiler in the slim image."""
    command = f"{UV} pip install --dry-run --quiet --target {tmp_path} --only-binary :all:"
    command += f" --python-version 3.11 --python-platform {processor}-manylinux_2_36"
    command += f" --require-hashes --requirement {ROOT / 'requirements' / 'run.txt'}"

    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr


def test_the_installed_program_says_its_version(image: Image) -> None:
    done = image.run("version")

    assert done.returncode == 0, done.stderr
    assert "0." in done.stdout


def test_the_installed_program_delivers_outside_of_the_checkout(image: Image) -> None:
    shutil.rmtree(image.root / "src", ignore_errors=True)

    done = image.run("demo", "--events", "200")

    assert done.returncode == 0, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout + done.stderr


def test_the_image_carries_no_installer(image: Image) -> None:
    bin_folder = image.root / "opt" / "streamer" / "bin"

    assert (bin_folder / "streamer").exists()
    assert not list(bin_folder.glob("pip*"))
