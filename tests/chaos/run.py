"""`make chaos`: run the campaigns, print their accounts, fail where one is not clean.

Full runs are kept in `results.jsonl`, a line for each campaign, of which `docs/proof.md` is made.
Small ones (`--quick`) are for whoever changes something; they are printed only.
"""

import argparse
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from tests.chaos import page, record
from tests.chaos.catalogue import CAMPAIGNS, question
from tests.chaos.outcome import Counts, Outcome, Part, Size
from tests.chaos.record import Told
from tests.chaos.stage import Stage, Stages, stages


def main(words: Sequence[str]) -> int:
    options = _options(words)
    if options.list:
        for name in CAMPAIGNS:
            print(f"{name:12} {question(name)}")
        return 0
    print(f"seed {options.seed}: ARGS='--seed {options.seed}' draws the same moments")
    unclean = []
    with stages() as made:
        for name in options.campaigns or list(CAMPAIGNS):
            if not _is_clean(made, name, options):
                unclean.append(name)
        if unclean:
            made.keeps = True
            print(f"\nNot clean: {', '.join(unclean)}. What was logged: {made.folder}", flush=True)
        else:
            print("\nAll clean: nothing lost, nothing doubled, nothing out of order.", flush=True)
    return 1 if unclean else 0


def _is_clean(made: Stages, name: str, options: argparse.Namespace) -> bool:
    print(f"\n{name}: {question(name)}", flush=True)
    began = time.monotonic()
    told: list[Told] = []
    with made.stage(name, options.seed) as stage:
        try:
            parts = CAMPAIGNS[name].parts(stage, Size(options.quick, options.minutes))
            for part in parts:
                if options.part in part.says:
                    told.append(_told(stage, part, options.seed))
                    print(plain(told[-1]), flush=True)
        except Exception as error:
            traceback.print_exc()
            told.append(Told("the servers", _died(error), 0.0))
    if options.part and not told:
        says = "; ".join(part.says for part in parts)
        print(f"  no part has {options.part!r} in its name; there are: {says}", flush=True)
        return False
    took_s = time.monotonic() - began
    print(f"  {name} took {took_s:.0f} s", flush=True)
    if not (options.quick or options.part or options.no_record):
        record.keep(name, told, took_s, options.seed)
        page.write()
    return not any(it.outcome.faults for it in told)


def _told(stage: Stage, part: Part, seed: int) -> Told:
    began = time.monotonic()
    inner = stage.inner("part", seed)
    try:
        outcome = part.run(inner)
    except Exception as error:
        traceback.print_exc()
        outcome = _died(error)
    finally:
        inner.close()
    return Told(part.says, outcome, time.monotonic() - began)


def _died(error: Exception) -> Outcome:
    what = str(error).partition("\n")[0]
    return Outcome(Counts(), [f"it did not come to its end: {type(error).__name__}: {what}"])


def plain(told: Told) -> str:
    """One part, for a terminal."""
    outcome, counts = told.outcome, told.outcome.counts
    lines = [
        f"  {told.says}: {'NOT CLEAN' if outcome.faults else 'clean'} ({told.took_s:.0f} s)",
        f"    produced {counts.produced:,}, accepted {counts.accepted:,},"
        f" dead letters {counts.dead_letters:,}",
        f"    lost {counts.lost}, doubled {counts.doubled}, out of order {counts.out_of_order},"
        f" sent again {counts.sent_again:,}",
    ]
    lines += [f"    {name}: {value}" for name, value in outcome.figures.items()]
    lines += [f"    NOT CLEAN: {fault}" for fault in outcome.faults]
    return "\n".join(lines)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description="Real faults, real servers.")
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help="all without one")
    parser.add_argument("--list", action="store_true", help="the campaigns and their questions")
    parser.add_argument("--quick", action="store_true", help="small; nothing is recorded")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    parser.add_argument("--part", default="", help="only parts with these words; not recorded")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(words)
    unknown = sorted(set(options.campaigns) - set(CAMPAIGNS))
    if unknown:
        parser.error(f"no campaign {', '.join(unknown)}; there are: {', '.join(CAMPAIGNS)}")
    return options


if __name__ == "__main__":
    # So that what was started ends in order.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # A thread of a client that waits for a broker which is gone keeps nobody.
    os._exit(code)
