"""Where does the platform's SDK come from, and is it what the lock says?

npm brings it, as `package-lock.json` pins it: every package by its hash. It is kept in the cache.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fetching import FetchError, end_of, fetched, one_at_a_time

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "sdk"
_PINNED = ("package.json", "package-lock.json", ".npmrc")
_SCRIPT = "calls.mjs"

_NO_NODE = (
    "The sandbox is held against the platform's SDK, which runs on Node.js: install version 20 or "
    "later with npm (https://nodejs.org, or the packages nodejs and npm) so that `node` and `npm` "
    "are on the PATH"
)


def ensure_installed() -> Path:
    """The script that calls the SDK, beside it. Raises FetchError."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise FetchError(_NO_NODE)
    pinned = b"".join((HERE / name).read_bytes() for name in _PINNED)
    folder = CACHE / hashlib.sha256(pinned).hexdigest()[:16]
    with one_at_a_time(CACHE):
        folder.mkdir(exist_ok=True)
        stamp = folder / "installed"
        if not stamp.exists():
            _install(folder)
            stamp.touch()
        shutil.copy(HERE / _SCRIPT, folder)
    return folder / _SCRIPT


def _install(folder: Path) -> None:
    for name in _PINNED:
        shutil.copy(HERE / name, folder)
    # `ci` takes what the lock says and nothing else, and fails where a hash is another.
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise FetchError(f"`npm ci` of the platform's SDK failed:\n{end_of(done.stderr)}")


def main() -> int:
    return fetched(ensure_installed)


if __name__ == "__main__":
    sys.exit(main())
