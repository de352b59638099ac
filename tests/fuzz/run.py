"""`make fuzz`: look for bytes that become something else than is promised.

    make fuzz                               every target, a minute each
    make fuzz MINUTES=60 ARGS='values'      one of them for an hour
    make fuzz ARGS=--list
    make fuzz ARGS='--replay FILE'          what was found, once more

The fuzzer (Atheris, libFuzzer inside) changes inputs at random and keeps those that reach new
places of the code. Each target runs in a process of its own, at the lowest priority. What it
finds is a file, and the exit code is 1.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.catalogue import KEPT, TARGETS
from tests.fuzz.session import Finding, NotBegun, Session

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "fuzz"
_TELL_EVERY_S = 10.0
_LOOK_EVERY_S = 0.2


def main(words: Sequence[str]) -> int:
    options = _options(words)
    if options.list:
        for target in TARGETS.values():
            print(f"{target.name:12} {target.asks}")
        return 0
    if options.replay is not None:
        return replay(options.replay)
    return fuzz(options.targets or list(TARGETS), options.minutes * 60, options.jobs)


def fuzz(names: Sequence[str], seconds: float, jobs: int) -> int:
    waiting = [Session(TARGETS[name], FOLDER) for name in names]
    running: list[Session] = []
    unclean = 0
    told_at = time.monotonic()
    print(f"{', '.join(names)}: {seconds / 60:g} min each, {jobs} at a time", flush=True)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                session = waiting.pop(0)
                session.begin(session.command(seconds), ROOT)
                running.append(session)
            time.sleep(_LOOK_EVERY_S)
            for session in [it for it in running if it.has_ended]:
                running.remove(session)
                unclean += _tell_end(session)
            if time.monotonic() - told_at > _TELL_EVERY_S:
                told_at = time.monotonic()
                for session in running:
                    print(f"  {session.target.name}: {session.progress or 'begins'}", flush=True)
    finally:
        for session in running:
            session.end()
    return 1 if unclean else 0


def _tell_end(session: Session) -> bool:
    """Whether something was found."""
    name, outcome = session.target.name, session.outcome()
    match outcome:
        case None:
            print(f"{name}: clean; {session.progress}", flush=True)
        case NotBegun():
            print(f"{name}: the fuzzer did not begin:\n{outcome.said}", flush=True)
        case Finding():
            where = outcome.file.relative_to(ROOT)
            print(f"{name}: FOUND: {outcome.said}; {session.progress}", flush=True)
            print(f"  once more: make fuzz ARGS='--replay {where}'", flush=True)
            print(f"  mended: move it to {KEPT.relative_to(ROOT) / name}/NAME, and every", end="")
            print(" `make test` runs it", flush=True)
    return outcome is not None


def replay(file: Path) -> int:
    """The target is the name of the file's folder."""
    file = file.resolve()
    name = file.parent.name
    if name not in TARGETS or not file.is_file():
        print(f"{file}: no file in a folder that is named as a target", file=sys.stderr)
        return 2
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.replay", name, str(file)], cwd=ROOT, check=False
    )
    if ran.returncode < 0:
        print(f"the process died of signal {-ran.returncode}", file=sys.stderr)
    return 1 if ran.returncode else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, unless named")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time")
    parser.add_argument("--list", action="store_true", help="the targets, and what each asks")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input again")
    options = parser.parse_args(words)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    return options


if __name__ == "__main__":
    # So that the fuzzers end with it, however it is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
