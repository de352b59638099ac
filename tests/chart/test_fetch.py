"""Does a missing tool fail with what to do about it?"""

from pathlib import Path

import pytest

from tests.chart import fetch
from tests.fetching import FetchError


@pytest.mark.parametrize("bring", [fetch.helm, fetch.pod_monitor_definition])
def test_without_go_it_fails_and_says_how_to_get_it(
    bring: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert callable(bring)
    with pytest.raises(FetchError, match="install Go"):
        bring()


def test_a_module_that_is_not_what_was_pinned_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text("""#!/bin/sh\necho '{"Sum": "h1:other", "Dir": "/nowhere"}'\n""")
    go.chmod(0o755)
    monkeypatch.setattr(fetch, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(FetchError, match="hashes to h1:other and should to"):
        fetch.pod_monitor_definition()

    assert not list((tmp_path / "cache").glob("*.yaml"))
