"""Can the simulation see? Each mutant breaks the core in one place, and some world must notice.

    python -m tests.simulation.mutants [--seeds 300] [NAME ...]

A mutant is a copy of the sources in a temporary folder with one text replaced. Its worlds are run
in a process of their own until one is broken. Exits 1 if a mutant lives through all seeds, or if
a text is not found (the code has changed: change the mutant with it).
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copytree, ignore_patterns

from tests.simulation.mutations import calls, ends, settlements
from tests.simulation.mutations.mutant import Mutant

MUTANTS = settlements.MUTANTS + calls.MUTANTS + ends.MUTANTS
ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys
from tests.simulation.invariants.broken import Broken
from tests.simulation.plan import draw_plan
from tests.simulation.world import World
for seed in range(int(sys.argv[1])):
    try:
        World(draw_plan(seed)).run()
    except Broken as error:
        print(f"seed {seed}: {type(error).__name__}: {error}".splitlines()[0][:150])
        break
"""


def find(mutant: Mutant, seeds: int) -> str:
    """What the first broken world said; empty if none was."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("streamer", "tests/simulation"):
            copytree(ROOT / part, copy / part, ignore=ignore_patterns("__pycache__"))
        (copy / "tests" / "__init__.py").touch()
        change(mutant, copy / "streamer" / mutant.room)
        ran = subprocess.run(
            [sys.executable, "-c", RUN, str(seeds)],
            cwd=copy,
            env={"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            sys.exit(f"{mutant.name}: does not run: {ran.stderr[-500:]}")
        return ran.stdout.strip()


def change(mutant: Mutant, room: Path) -> None:
    texts = {path: path.read_text() for path in room.glob("*.py")}
    times = sum(text.count(mutant.old) for text in texts.values())
    if times != 1:
        sys.exit(f"{mutant.name}: its text stands {times} times in {room.name}")
    for path, text in texts.items():
        path.write_text(text.replace(mutant.old, mutant.new))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    alive = []
    chosen = [m for m in MUTANTS if not asked.names or m.name in asked.names]
    for mutant in chosen:
        said = find(mutant, asked.seeds)
        if not said:
            alive.append(mutant.name)
        print(f"{mutant.name}: {said or 'LIVES'}", flush=True)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} found within {asked.seeds} seeds")
    return bool(alive)


if __name__ == "__main__":
    sys.exit(main())
