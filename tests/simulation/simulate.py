"""`make simulate`: any number of worlds, and of one that is broken the smallest that still is.

    make simulate                       300 worlds, those of `make test`
    make simulate SEEDS=10000           the first ten thousand
    make simulate SEEDS=5000-5999       a thousand others
    make simulate SEEDS=17-17           one of them
    make simulate ARGS="--world '17 messages=31 crashes=0'"     one that was made smaller

Worlds are shared out to all cores (ARGS='--jobs 2' takes two). A broken one is replayed exactly
by its seed. Exit code 1 if any was broken.
"""

import argparse
import multiprocessing
import os
import re
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.plan import Plan, draw_plan
from tests.simulation.shrink import plan_of, shrink, written
from tests.simulation.world import World

_TELL_EVERY_S = 10.0
_SAID_MOST = 300


@dataclass(frozen=True)
class Seen:
    seed: int
    said: str | None
    """What was wrong; None: nothing."""


def fault_in(plan: Plan) -> str | None:
    """What goes wrong in a world: an invariant that is broken, or an error of the core."""
    try:
        World(plan).run()
    except Exception as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        return said[:_SAID_MOST]
    return None


def _look(seed: int) -> Seen:
    return Seen(seed, fault_in(draw_plan(seed)))


def main(words: Sequence[str]) -> int:
    options = _options(words)
    if options.world is not None:
        return _replay(options.world)
    seeds: range = options.seeds
    broken = simulate(seeds, options.jobs, options.stop_after)
    for seen in broken:
        print(f"\n{written_small(seen, options.shrink_s)}", flush=True)
    return 1 if broken else 0


def simulate(seeds: range, jobs: int, stop_after: int) -> list[Seen]:
    """The broken ones; it ends early once there are so many."""
    began = told_at = time.monotonic()
    broken: list[Seen] = []
    done = 0
    print(f"seeds {seeds.start} to {seeds.stop - 1}, {jobs} at a time", flush=True)
    # Each in a fresh interpreter: a fork would have the parent's threads' locks.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for seen in pool.imap_unordered(_look, seeds):
            done += 1
            if seen.said is not None:
                broken.append(seen)
                print(f"seed {seen.seed}: {seen.said}", flush=True)
                if len(broken) == stop_after:
                    break
            now = time.monotonic()
            if now - told_at > _TELL_EVERY_S:
                told_at = now
                print(f"  {_progress(done, len(seeds), len(broken), now - began)}", flush=True)
    print(_progress(done, len(seeds), len(broken), time.monotonic() - began), flush=True)
    return broken


def _progress(done: int, of: int, broken: int, took_s: float) -> str:
    pace = done / max(took_s, 0.001)
    left = "" if done == of else f", {(of - done) / pace / 60:.0f} min left"
    return f"{done:,} of {of:,} worlds, {broken} broken, {pace:.1f} a second{left}"


def written_small(seen: Seen, shrink_s: float) -> str:
    """How to see it again, as it was and made smaller."""
    told = [
        f"seed {seen.seed}: {seen.said}",
        f"  once more: make simulate SEEDS={seen.seed}-{seen.seed}",
    ]
    if shrink_s > 0:
        plan, said = shrink(draw_plan(seen.seed), fault_in, shrink_s)
        told.append(f"  smaller: {said}")
        told.append(f"  once more: make simulate ARGS=\"--world '{written(plan)}'\"")
    return "\n".join(told)


def _replay(plan: Plan) -> int:
    """With the way through the code to where it goes wrong."""
    try:
        World(plan).run()
    except Exception:
        traceback.print_exc()
        return 1
    print(f"world {written(plan)}: nothing is broken")
    return 0


def seeds_of(text: str) -> range:
    """How many from 0 on, or the first and the last."""
    span = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    first, last = (0, -1) if span is None else (int(span[1]), int(span[2] or -1))
    if span is None or (last < first if span[2] else first == 0):
        raise argparse.ArgumentTypeError(
            f"{text!r}: write how many (300), or the first and the last (5000-5999)"
        )
    return range(first, last + 1) if span[2] else range(first)


def _world_of(text: str) -> Plan:
    try:
        return plan_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=seeds_of, default=range(300))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worlds at a time")
    parser.add_argument("--world", type=_world_of, metavar="WORLD", help="one world, as written")
    parser.add_argument("--stop-after", type=int, default=3, help="broken worlds; 0: go on")
    parser.add_argument("--shrink-s", type=float, default=60.0, help="seconds for each; 0: do not")
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
