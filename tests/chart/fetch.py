"""Where do Helm and the PodMonitor's schema come from, and is each what the project keeps?

Helm is built with Go from source that `tools/go.sum` pins, the schema comes out of a Go module
whose hash stands here. Both are kept in the cache; only the first run takes minutes.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = Path(__file__).with_name("tools")
CACHE = ROOT / ".cache" / "chart"

HELM = "helm.sh/helm/v4/cmd/helm"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
OPERATOR_SUM = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
"""Go's hash of the module, as its checksum database has it."""
POD_MONITOR = "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"

_NO_GO = (
    "Helm is built with Go, and there is no `go` on the PATH: install Go (https://go.dev/dl, or "
    "the package golang) of the version that tests/chart/tools/go.mod names, or later"
)


class FetchError(Exception):
    """A tool could not be had; the text says which, why, and what to do."""


def helm() -> Path:
    """Helm's command, built where it is missing. Raises FetchError."""
    pinned = hashlib.sha256((TOOLS / "go.sum").read_bytes()).hexdigest()[:16]
    command = CACHE / f"helm-{pinned}"
    with _one_at_a_time():
        if not command.exists():
            started = time.monotonic()
            print("Building Helm, once: some minutes ...", file=sys.stderr, flush=True)
            fresh = command.with_suffix(".new")
            # -s -w: without tables for debuggers, a third smaller and faster to link.
            flags = ("-trimpath", "-ldflags=-s -w", "-o", str(fresh))
            _go("build", "-mod=readonly", *flags, HELM, folder=TOOLS)
            fresh.rename(command)
            print(f"Helm took {time.monotonic() - started:.0f} s", file=sys.stderr)
    return command


def pod_monitor_definition() -> Path:
    """The CustomResourceDefinition of PodMonitor. Raises FetchError."""
    kept = CACHE / f"podmonitor-{OPERATOR.rpartition('@')[2]}.yaml"
    with _one_at_a_time():
        if not kept.exists():
            told = _go("mod", "download", "-json", OPERATOR, folder=CACHE)
            module: dict[str, Any] = json.loads(told)
            if module["Sum"] != OPERATOR_SUM:
                raise FetchError(
                    f"{OPERATOR} hashes to {module['Sum']} and should to {OPERATOR_SUM}: look at "
                    "what the Go module proxy serves"
                )
            fresh = kept.with_suffix(".new")
            shutil.copyfile(Path(module["Dir"]) / POD_MONITOR, fresh)
            fresh.rename(kept)
    return kept


def _go(*words: str, folder: Path) -> str:
    go = shutil.which("go")
    if go is None:
        raise FetchError(_NO_GO)
    # A workspace or flags of the machine must not change what is built.
    env = {**os.environ, "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    done = subprocess.run([go, *words], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise FetchError(f"`go {words[0]}` failed:\n{_end_of(done.stderr.splitlines())}")
    return done.stdout


def _end_of(lines: Sequence[str]) -> str:
    return "\n".join(lines[-15:])


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Get all of it, before the tests, so that their time limits do not count it."""
    try:
        helm()
        pod_monitor_definition()
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
