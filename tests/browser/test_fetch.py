"""Where the browser comes from: it is found, installed, or asked for; never done without."""

from pathlib import Path

import pytest

from tests.browser import fetch


def a_command(folder: Path, name: str) -> Path:
    command = folder / name
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return command


def test_a_browser_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = a_command(tmp_path, "google-chrome")
    assert fetch.ensure_chromium() == command


def test_a_missing_one_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    def install() -> None:
        a_command(tmp_path, "chromium")

    assert fetch.ensure_chromium(install) == tmp_path / "chromium"


def test_where_none_can_be_had_it_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch.main() == 1
    assert "`apt-get install chromium`" in capsys.readouterr().err
