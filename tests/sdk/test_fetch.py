"""Where the SDK comes from: pinned by hash, and never done without."""

import json
from pathlib import Path

import pytest

from tests.sdk import fetch


def test_the_lock_pins_every_package_by_its_hash_and_names_no_registry() -> None:
    lock = json.loads((fetch.HERE / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages["node_modules/@wix/sdk"]["version"] == "1.21.16"
    assert packages["node_modules/@wix/automations"]["version"] == "1.0.170"
    assert all(it["integrity"].startswith("sha512-") for it in packages.values())
    assert not any("resolved" in it or it.get("hasInstallScript") for it in packages.values())


def test_without_node_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch.main() == 1
    assert "install version 20 or later with npm" in capsys.readouterr().err
