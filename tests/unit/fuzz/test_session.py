"""What is left of a fuzzer's process that ends, in order or not?"""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import run
from tests.fuzz.catalogue import TARGETS
from tests.fuzz.notes import input_in, noted
from tests.fuzz.session import Finding, NotBegun, Progress, Session, progress_in

ROOT = Path(__file__).resolve().parents[3]
LOG = """INFO: Seed: 1
#31	INITED cov: 239 ft: 284 corp: 29/458b exec/s: 0 rss: 54Mb
#4096	pulse  cov: 301 ft: 702 corp: 88/1Kb lim: 40 exec/s: 2048 rss: 55Mb
"""


@pytest.fixture
def ended(tmp_path: Path) -> Callable[[str], Finding | NotBegun | None]:
    """What becomes of a session whose process runs this code, with `note` for an input."""
    session = Session(TARGETS["tokens"], tmp_path)
    now = tmp_path / "tokens.now"

    def end(code: str) -> Finding | NotBegun | None:
        start = f"""
            import os, signal
            from pathlib import Path
            from tests.fuzz.notes import noted
            def note(data): noted(lambda data: None, Path({str(now)!r}))(data)
        """
        session.begin([sys.executable, "-c", textwrap.dedent(start) + code], ROOT)
        return session.outcome()

    return end


def test_an_input_is_known_before_it_is_run(tmp_path: Path) -> None:
    file = tmp_path / "now"
    seen: list[bytes | None] = []
    run_noted = noted(lambda _: seen.append(input_in(file)), file)

    for data in (b"long enough", b"", b"x"):
        run_noted(data)

    assert seen == [b"long enough", b"", b"x"]
    assert input_in(tmp_path / "none") is None


def test_a_process_that_dies_without_a_word_leaves_the_input_it_was_at(
    ended: Callable[[str], Finding | NotBegun | None],
) -> None:
    found = ended("note(b'before'); note(b'deadly'); os.kill(os.getpid(), signal.SIGSEGV)")

    assert isinstance(found, Finding)
    assert found.file.read_bytes() == b"deadly"
    assert found.file.parent.name == "tokens"
    assert found.said == "the process ended with -11"


def test_an_error_of_the_target_is_told_in_its_words(
    ended: Callable[[str], Finding | NotBegun | None],
) -> None:
    error = " === Uncaught Python exception: ===\nKeyError: 'x'\n==1== ERROR: libFuzzer: exited"
    found = ended(f"note(b'odd'); print({error!r}, flush=True); os._exit(77)")

    assert isinstance(found, Finding)
    assert found.said == "KeyError: 'x'"


def test_a_fuzzer_that_did_not_begin_is_no_finding(
    ended: Callable[[str], Finding | NotBegun | None],
) -> None:
    outcome = ended("raise SystemExit('no fuzzer here')")

    assert isinstance(outcome, NotBegun)
    assert "no fuzzer here" in outcome.said


def test_a_process_that_ends_in_order_found_nothing(
    ended: Callable[[str], Finding | NotBegun | None],
) -> None:
    assert ended("note(b'fine')") is None


def test_the_last_word_of_the_fuzzer_is_the_progress() -> None:
    assert progress_in(LOG) == Progress(4_096, 301, 702, 88)
    assert str(progress_in(LOG)).startswith("4,096 executions, 301 places reached in 702 ways")
    assert progress_in("INFO: Seed: 1\n") is None


def test_the_targets_are_listed_with_what_they_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--list"]) == 0

    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(TARGETS)
    assert all(line.endswith("?") for line in listed)


def test_an_unknown_target_is_told_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run.main(["valuess"])

    told = capsys.readouterr().err
    assert "no target valuess" in told
    assert "schema-texts" in told


def test_what_was_found_is_run_once_more_by_its_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("tokens", "nothing"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"\0{}")

    assert run.main(["--replay", str(tmp_path / "tokens" / "x")]) == 0
    assert run.main(["--replay", str(tmp_path / "nothing" / "x")]) == 2
    assert run.main(["--replay", str(tmp_path / "tokens" / "y")]) == 2
    assert "tokens takes it" in capfd.readouterr().out
