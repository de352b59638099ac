"""How is one target fuzzed for a while, and what is left of it when its process ends?"""

import hashlib
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.catalogue import Target, inputs
from tests.fuzz.notes import input_in

# Of one input; far more than any takes, since the machine may be busy with others.
TIMEOUT_S = 60
# A decoder that lets few bytes become many values shows here.
MEMORY_MIB = 1_024
# How soon inputs may grow (libFuzzer's default is 100: they stay short for hours).
LENGTH_CONTROL = 10

_PROGRESS = re.compile(r"^#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_RAISED = re.compile(r"Uncaught Python exception: ===\n(.*)")
_DIED = re.compile(r"ERROR: (libFuzzer: .*)")


@dataclass(frozen=True)
class Progress:
    executions: int
    branches: int
    """Places of the code that were reached."""
    features: int
    """And in how many ways: a place that is reached twice as often is another feature."""
    corpus: int
    """Inputs that were kept because each reached something new."""

    def __str__(self) -> str:
        return (
            f"{self.executions:,} executions, {self.branches} places reached in {self.features}"
            f" ways, {self.corpus} inputs kept"
        )


def progress_in(log: str) -> Progress | None:
    """The last that the fuzzer said; None if it did not begin."""
    told = _PROGRESS.findall(log)
    return Progress(*map(int, told[-1])) if told else None


@dataclass(frozen=True)
class Finding:
    file: Path
    """The input, to be replayed."""
    said: str


@dataclass(frozen=True)
class NotBegun:
    said: str


class Session:
    """`folder` keeps what was found from one session to the next."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self._corpus = folder / "corpus" / target.name
        self._seeds = folder / "seeds" / target.name
        self._findings = folder / "findings" / target.name
        for each in (self._corpus, self._seeds, self._findings):
            each.mkdir(parents=True, exist_ok=True)
        self._log = folder / f"{target.name}.log"
        self._words = folder / f"{target.name}.dict"
        self._input_now = folder / f"{target.name}.now"
        self._process: subprocess.Popen[bytes] | None = None
        self._before: set[Path] = set()

    def command(self, seconds: float) -> Sequence[str]:
        return (
            *(sys.executable, "-m", "tests.fuzz.child", self.target.name, str(self._input_now)),
            f"-max_total_time={max(1, round(seconds))}",
            f"-max_len={self.target.longest}",
            f"-len_control={LENGTH_CONTROL}",
            f"-timeout={TIMEOUT_S}",
            f"-rss_limit_mb={MEMORY_MIB}",
            f"-artifact_prefix={self._findings}/",
            *([f"-dict={self._words}"] if self.target.words else []),
            str(self._corpus),
            str(self._seeds),
        )

    def begin(self, command: Sequence[str], root: Path) -> None:
        for number, data in enumerate(inputs(self.target).values()):
            (self._seeds / f"{number}").write_bytes(data)
        self._words.write_text("".join(f"{_quoted(word)}\n" for word in self.target.words))
        self._input_now.unlink(missing_ok=True)
        self._before = set(self._findings.iterdir())
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=root, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    @property
    def progress(self) -> Progress | None:
        return progress_in(self._log_text())

    @property
    def has_ended(self) -> bool:
        assert self._process is not None, "it has begun"
        return self._process.poll() is not None

    def end(self) -> None:
        """End its process, if it has not."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def outcome(self) -> Finding | NotBegun | None:
        """What the process left; None where it ended in order. Once it `has_ended`."""
        assert self._process is not None, "it has begun"
        code = self._process.wait()
        if code == 0:
            return None
        log = self._log_text()
        last = input_in(self._input_now)
        if last is None:
            return NotBegun(log[-1_500:])
        told = _RAISED.search(log) or _DIED.search(log)
        said = f"the process ended with {code}" if told is None else told[1]
        new = sorted(set(self._findings.iterdir()) - self._before)
        return Finding(new[0] if new else self._save(last), said[:300])

    def _save(self, data: bytes) -> Path:
        """It died without a word: the input that it was at."""
        file = self._findings / f"died-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"
        file.write_bytes(data)
        return file

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def _quoted(word: str) -> str:
    """As libFuzzer's dictionaries have it."""
    plain = (c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in word)
    return f'"{"".join(plain)}"'
