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
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys
from tests.simulation.test_simulation import draw_plan
from tests.simulation.world import World
for seed in range(int(sys.argv[1])):
    try:
        World(draw_plan(seed)).run()
    except Exception as error:
        print(f"seed {seed}: {type(error).__name__}: {error}".splitlines()[0][:150])
        break
"""


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "commit-the-highest",
        "source/held.py",
        "return self._next if first is None else Position(first)",
        "return self._next",
    ),
    Mutant(
        "forget-the-generation",
        "delivery/core.py",
        "if part is None or part.owned.generation != message.generation:",
        "if part is None:",
    ),
    Mutant(
        "settle-twice",
        "delivery/core.py",
        "        entry.open -= 1\n",
        "        entry.open -= 2 if entry.open > 1 else 1\n",
    ),
    Mutant(
        "retry-past-a-later-key",
        "delivery/sender.py",
        "        elif channel.holds is not None:\n            self._put_back",
        "        elif [self._lanes.put(channel, f) for f in job.followers]:\n"
        "            self._put_back",
    ),
    Mutant(
        "pass-an-uncommitted-cancel",
        "delivery/core.py",
        "if job.follows_cancel and not self._cancels_are_committed(job, now):",
        "if False:",
    ),
    Mutant(
        "believe-a-commit-that-failed",
        "delivery/commits.py",
        "            if failure is None:\n                part.window.committed",
        "            if True:\n                part.window.committed",
    ),
    Mutant(
        "a-cancel-settled-is-as-good-as-committed",
        "source/offsets.py",
        "        return Pin.HELD if shown and not self._in_doubt else Pin.NOT_COMMITTED\n",
        "        return Pin.HELD\n",
    ),
    Mutant(
        "carry-a-cancel-once",
        "source/offsets.py",
        "        return self._carried_on.add(\n",
        "        return True or self._carried_on.add(\n",
    ),
    Mutant(
        "forget-what-was-restored",
        "source/offsets.py",
        "CarriedOn(assigned.position, assigned.restored)",
        "CarriedOn(assigned.position, NOTHING)",
    ),
    Mutant(
        "commit-without-what-must-be-carried",
        "source/offsets.py",
        "if self._without_metadata and not must and",
        "if self._without_metadata and",
    ),
    Mutant(
        "a-cancel-does-not-wait-for-reports",
        "delivery/order.py",
        "        for earlier in entity.reports:\n            _follow(job, earlier)\n",
        "",
    ),
    Mutant(
        "a-report-does-not-wait-for-a-cancel",
        "delivery/order.py",
        "    _follow(job, entity.last_cancel)\n",
        "",
    ),
    Mutant(
        "no-order-by-key",
        "delivery/order.py",
        "        _follow(job, part.tails.get(chain))\n",
        "",
    ),
    Mutant(
        "call-during-a-revocation",
        "delivery/jobs.py",
        "return self.verified and not self.stopping and not self.ended",
        "return self.verified and not self.ended",
    ),
    Mutant(
        "call-after-fencing",
        "delivery/core.py",
        "            part.ended = True\n",
        "            part.ended = False\n",
    ),
    Mutant(
        "call-at-once-after-a-stall",
        "delivery/jobs.py",
        "return self.verified and not self.stopping and not self.ended",
        "return not self.stopping and not self.ended",
    ),
    Mutant(
        "an-older-commit-ends-a-stall",
        "delivery/commits.py",
        "if since is not None and plan.number >= since:",
        "if part in self._unverified:",
    ),
    Mutant(
        "trust-an-assignment-from-before-a-stall",
        "delivery/core.py",
        "        if self._stalled_lately:\n",
        "        if False:\n",
    ),
    Mutant(
        "keep-cancels-in-the-network-after-fencing",
        "delivery/core.py",
        "            if part.in_flight:\n                self._commands.drop_cancels = True\n",
        "",
    ),
    Mutant(
        "settle-before-the-letter-is-written",
        "delivery/letters.py",
        "        job.part.in_flight += 1\n        self._commands().letters.append(",
        "        job.part.in_flight += 1\n        self._settle(job, 0.0)\n"
        "        self._commands().letters.append(",
    ),
    Mutant(
        "drop-what-a-letter-failed",
        "delivery/letters.py",
        "            self._timers.at(due, lambda _: self._again(order))\n",
        "",
    ),
    Mutant(
        "a-refusal-is-settled",
        "delivery/sender.py",
        "                    self._letters.refuse(job, refusal, now)\n            case Throttled",
        "                    self._settle(job, now)\n            case Throttled",
    ),
    Mutant(
        "drop-a-report-that-was-dropped",
        "delivery/sender.py",
        "            job.may_have_arrived = True\n            self._put_back(job, call.channel)\n",
        "            job.may_have_arrived = True\n",
    ),
    Mutant(
        "one-call-more-than-allowed",
        "delivery/sender.py",
        "while self.in_flight < (limit := self._limit.limit):",
        "while self.in_flight <= (limit := self._limit.limit):",
    ),
    Mutant(
        "a-throttled-lane-waits-for-ever",
        "delivery/sender.py",
        "                lane.held_until = None\n                self._lanes.stand_lane(lane)\n",
        "                lane.held_until = None\n",
    ),
    Mutant(
        "a-token-wakes-nobody",
        "delivery/sender.py",
        "            lane.needs_token = False\n            self._lanes.stand_lane(lane)\n",
        "            lane.needs_token = False\n",
    ),
    Mutant(
        "no-probe-of-a-breaker",
        "delivery/sender.py",
        "            breaker.probe()\n            self._lanes.stand(channel)\n",
        "            breaker.probe()\n",
    ),
    Mutant(
        "no-flood-guard",
        "delivery/flood.py",
        "        return self.breaker.failed(now, f",
        "        return self.breaker.is_closed and bool(f",
    ),
    Mutant(
        "a-flood-holds-for-ever",
        "delivery/letters.py",
        "        held.guard.breaker.probe()\n        self._next_probe(held, now)\n",
        "",
    ),
    Mutant(
        "the-registrys-answer-wakes-nobody",
        "delivery/intake.py",
        "                for message in deferred:\n",
        "                for message in deferred[:0]:\n",
    ),
    Mutant(
        "later-messages-pass-one-without-a-schema",
        "delivery/intake.py",
        "        if part.deferred and self._must_not_pass(part, message):\n",
        "        if False:\n",
    ),
    Mutant(
        "cancels-pass-a-message-without-a-schema",
        "delivery/intake.py",
        "                if part.deferred and self._is_cancellable(routed):\n",
        "                if False:\n",
    ),
    Mutant(
        "send-what-a-restart-found-settled",
        "delivery/core.py",
        "            if settlement not in settled:\n",
        "            if True:\n",
    ),
    Mutant(
        "the-budget-runs-in-an-outage",
        "delivery/sender.py",
        "            channel.accepting_s += min(passed_s, self._settings.retry_for_s / 4)\n",
        "            channel.accepting_s += now - accepted_at\n",
    ),
    Mutant(
        "the-last-commit-ends-the-one-in-flight",
        "delivery/commits.py",
        "        if self._asked and any(plan is self._asked[0] for plan in result.plans):\n",
        "        if True:\n",
    ),
)


def find(mutant: Mutant, seeds: int) -> str:
    """What the first broken world said; empty if none was."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("streamer", "tests/simulation"):
            copytree(ROOT / part, copy / part, ignore=ignore_patterns("__pycache__"))
        (copy / "tests" / "__init__.py").touch()
        path = copy / "streamer" / mutant.file
        text = path.read_text()
        if text.count(mutant.old) != 1:
            sys.exit(
                f"{mutant.name}: its text stands {text.count(mutant.old)} times in {path.name}"
            )
        path.write_text(text.replace(mutant.old, mutant.new))
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
