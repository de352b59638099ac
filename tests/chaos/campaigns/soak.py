"""Do memory, files, tasks and threads stay flat at full rate, with short tokens and rebalances?

Two processes at full rate: one stays, the other leaves and comes back, so that there is a rebalance
about every minute. Tokens last for 60 seconds. What the sandbox accepts is compared as it comes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

import psutil
from msgspec import Struct

from tests.chaos.job import Job, let_run
from tests.chaos.ledgers import Accepted
from tests.chaos.members import Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.streamer_process import StreamerProcess

KIND = Kind("consumer", static=False)
QUICK_MINUTES = 1.5
SANDBOX = ("--latency", "20ms", "--token-lifetime", "60s", "--keep", "300000")
BACKLOG = 20_000
BURST = 5_000
KEYS = 2_000
SETTLED_MS = 15_000
"""An entry is taken when it is so old: until then its call may not have been answered."""
WARM_SHARE = 0.2
"""Of the time, in which memory and threads come to what they need."""
MORE_MEMORY = 1.10
MORE_MEMORY_MB = 8
MORE_FILES = 12
MORE_THREADS = 2
MORE_TASKS = 1.5
"""Tasks are calls, so that their number follows the load: a leak would grow without end."""


class Look(Struct, frozen=True):
    """The process that stays, at one moment."""

    memory_mb: float
    files: float
    threads: float
    tasks: float


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    minutes = QUICK_MINUTES if size.quick else size.soak_minutes
    yield Part(f"{minutes:g} minutes", partial(_part, minutes=minutes))


def _part(stage: Stage, minutes: float) -> Outcome:
    job = Job(stage, sandbox=stage.sandbox(SANDBOX), topic=_topic(stage))
    # The sandbox forgets keys after it: an hour of them would be its memory, not ours.
    config = {**KIND.config(job, "stays"), "routes": _routes(job)}
    stays, goes = stage.streamer(config), stage.streamer(config)
    began = time.monotonic()
    end = began + minutes * 60
    looks: list[Look] = []
    ledger = _Ledger(job)
    rebalances = 0
    changes_at = began + _between(minutes)
    while (now := time.monotonic()) < end:
        if job.produced - job.seen() < BACKLOG:
            job.produce(BURST, keys=KEYS, bad_every=1000)
        else:
            let_run(0.2)
        ledger.read()
        looks.append(_look(stays))
        if now >= changes_at:
            changes_at += _between(minutes)
            rebalances += 1
            if goes.running:
                goes.terminate()
            else:
                goes.start(wait=False)
    job.until_settled([stays])
    took_s = time.monotonic() - began
    faults = _grown(looks)
    calls: Mapping[str, Mapping[str, int]] = job.sandbox.summary()["calls"]
    for streamer in (stays, goes):
        if streamer.running and (code := streamer.terminate()) != 0:
            faults.append(f"SIGTERM ended a process with exit code {code}")
    ledger.read(all_of_it=True)
    first, last = _ends(looks)
    figures = {
        "events a second": f"{job.seen() / took_s:,.0f}",
        "members that left or came": rebalances,
        "memory, first and last fifth": f"{first.memory_mb:.0f} and {last.memory_mb:.0f} MB",
        "open files": f"{first.files:.0f} and {last.files:.0f}",
        "threads": f"{first.threads:.0f} and {last.threads:.0f}",
        "tasks": f"{first.tasks:.0f} and {last.tasks:.0f}",
        "calls": "; ".join(f"{name} {_counts(by)}" for name, by in sorted(calls.items())),
    }
    return job.compared(ledger.accepted, faults=faults, figures=figures)


def _counts(by_answer: Mapping[str, int]) -> str:
    return ", ".join(f"{answer}: {count:,}" for answer, count in sorted(by_answer.items()))


def _between(minutes: float) -> float:
    """Seconds between two changes: a minute, and less in a short run."""
    return min(60.0, minutes * 60 / 5)


def _topic(stage: Stage) -> str:
    # What was read is not wanted any more: an hour's events are some gigabytes.
    config = {"retention.bytes": str(64 * 2**20), "segment.bytes": str(16 * 2**20)}
    return stage.kafka.create_topic(partitions=12, config=config)


def _routes(job: Job) -> Sequence[Mapping[str, object]]:
    return [{**route, "idempotency_ttl": "10m"} for route in job.config()["routes"]]


class _Ledger:
    """Compares what the sandbox accepts as it comes: it does not keep all of it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._after = 0
        self.accepted = Accepted()

    def read(self, *, all_of_it: bool = False) -> None:
        upto_ms = time.time() * 1000 - (0 if all_of_it else SETTLED_MS)
        for entry in self._job.sandbox.reports(self._after):
            if entry["accepted_at_ms"] > upto_ms:
                return
            self.accepted.take([entry])
            self._after = entry["number"]


# --- flat or not --------------------------------------------------------------------------------


def _look(streamer: StreamerProcess) -> Look:
    process = psutil.Process(streamer.process.pid)
    return Look(
        process.memory_info().rss / 1e6,
        process.num_fds(),
        process.num_threads(),
        streamer.total("streamer_event_loop_tasks"),
    )


def _ends(looks: Sequence[Look]) -> tuple[Look, Look]:
    """The medians of the fifth after the warming up, and of the last one."""
    count = len(looks)
    warm, fifth = int(count * WARM_SHARE), max(1, count // 5)
    return _middle(looks[warm : warm + fifth]), _middle(looks[-fifth:])


def _middle(looks: Sequence[Look]) -> Look:
    return Look(
        median(it.memory_mb for it in looks),
        median(it.files for it in looks),
        median(it.threads for it in looks),
        median(it.tasks for it in looks),
    )


def _grown(looks: Sequence[Look]) -> list[str]:
    first, last = _ends(looks)
    most = {
        "memory": (last.memory_mb, first.memory_mb * MORE_MEMORY + MORE_MEMORY_MB),
        "open files": (last.files, first.files + MORE_FILES),
        "threads": (last.threads, first.threads + MORE_THREADS),
        "tasks": (last.tasks, first.tasks * MORE_TASKS + MORE_FILES),
    }
    return [
        f"{name} grew: {value:.0f} in the end, {limit:.0f} is the most for its beginning"
        for name, (value, limit) in most.items()
        if value > limit
    ]
