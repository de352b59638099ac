"""Where does the browser come from?

From the system: Playwright drives it, and brings none of its own here. Where there is none, it is
installed by apt-get, which needs Debian or Ubuntu and root; elsewhere a person has to.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.fetching import FetchError, end_of, fetched

COMMANDS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

_HOW = (
    "The sandbox's page is tested in Chromium, and there is none: install it (on Debian and Ubuntu "
    "`apt-get install chromium`, elsewhere the package chromium or Google Chrome) so that one of "
    f"{', '.join(COMMANDS)} is on the PATH"
)


def chromium() -> Path:
    """Its command. Raises FetchError."""
    for command in COMMANDS:
        found = shutil.which(command)
        if found is not None:
            return Path(found)
    raise FetchError(_HOW)


def ensure_chromium(install: Callable[[], None] | None = None) -> Path:
    """Its command, installed where it is missing and can be. Raises FetchError."""
    try:
        return chromium()
    except FetchError:
        (install or _install)()
    return chromium()


def _install() -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise FetchError(_HOW)
    print("Installing Chromium, once ...", file=sys.stderr, flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ("update", "--quiet"),
        ("install", "--yes", "--quiet", "--no-install-recommends", "chromium"),
    ):
        done = subprocess.run(["apt-get", *words], env=env, capture_output=True, text=True)
        if done.returncode:
            raise FetchError(f"{_HOW}; `apt-get {words[0]}` failed:\n{end_of(done.stderr)}")


def main() -> int:
    return fetched(ensure_chromium)


if __name__ == "__main__":
    sys.exit(main())
