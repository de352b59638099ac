"""Where do Helm and the PodMonitor's schema come from, and is each what the project keeps?

Helm is built with Go from source that `tools/go.sum` pins, the schema comes out of a Go module
whose hash stands here. Both are kept in the cache; only the first run takes minutes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.fetching import FetchError, end_of, fetched, one_at_a_time

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


def helm() -> Path:
    """Helm's command, built where it is missing. Raises FetchError."""
    pinned = hashlib.sha256((TOOLS / "go.sum").read_bytes()).hexdigest()[:16]
    command = CACHE / f"helm-{pinned}"
    with one_at_a_time(CACHE):
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
    with one_at_a_time(CACHE):
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
        raise FetchError(f"`go {words[0]}` failed:\n{end_of(done.stderr)}")
    return done.stdout


def main() -> int:
    return fetched(helm, pod_monitor_definition)


if __name__ == "__main__":
    sys.exit(main())
