"""What does a process reach in its steady state, and what does it cost?

Events are counted by the endpoint, whoever sends them. What happens before the warm-up is over
(start, assignment, first connections) does not count.
"""

import os
import time

import psutil
from msgspec import Struct

from bench.contenders import Contender
from bench.endpoint import Count, Endpoint
from tests.servers.process import ServerProcess

WARM_UP_EVENTS = 5_000
WARM_UP_S = 2.0
START_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.25


class Measured(Struct, frozen=True):
    """One run's steady state."""

    events_per_s: float
    slow_per_s: float
    """Of them, those of slow customers; and how many of their calls were in flight, on average."""
    slow_in_flight: float
    cpu_us: float
    """Processor time of the process, all its threads, for each event."""
    memory_mb: float
    """Resident, the most that was seen."""
    latency_ms: float
    """The endpoint's, mean, as it came out."""
    calls_limit: float
    """How many calls could be in flight in the end, by its own account; 0: it tells none."""
    others: float
    """Processors that were taken by neither the process nor the endpoint: the broker, and
    whatever else ran on the machine."""


def measure(
    contender: Contender, endpoint: Endpoint, seconds: float, *, from_first: bool = False
) -> Measured:
    """Wait until the process is warm, or with `from_first` for its first call, then look at it for
    so long."""
    process = contender.process
    least = 1 if from_first else WARM_UP_EVENTS
    process.wait_until(lambda: endpoint.count().events >= least, f"{least} events", START_WITHIN_S)
    if not from_first:
        time.sleep(WARM_UP_S)
    watched = psutil.Process(process.pid)
    first = _Look(watched, endpoint.count())
    memory = 0
    while time.monotonic() - first.count.at_s < seconds:
        time.sleep(_LOOK_EVERY_S)
        memory = max(memory, watched.memory_info().rss)
    last = _Look(watched, endpoint.count())
    limit = contender.calls_limit() if contender.calls_limit is not None else 0.0
    return _between(first, last, memory, limit)


class _Look:
    def __init__(self, watched: psutil.Process, count: Count) -> None:
        self.count = count
        times = watched.cpu_times()
        self.cpu_s = times.user + times.system
        machine = psutil.cpu_times()
        # Guests are in `user` already.
        self.busy_s = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)
        self.busy_s -= getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)


def _between(first: _Look, last: _Look, memory: int, limit: float) -> Measured:
    passed_s = last.count.at_s - first.count.at_s
    calls = last.count.calls - first.count.calls
    events = last.count.events - first.count.events
    if not events:
        raise AssertionError("nothing was delivered while it was measured: the topic ended")
    slow = last.count.slow_events - first.count.slow_events
    slow_s = last.count.slow_latency_s - first.count.slow_latency_s
    cpu_s = last.cpu_s - first.cpu_s
    endpoint_s = last.count.cpu_s - first.count.cpu_s
    return Measured(
        events_per_s=events / passed_s,
        slow_per_s=slow / passed_s,
        slow_in_flight=slow_s / passed_s,
        cpu_us=1e6 * cpu_s / events,
        memory_mb=memory / 1e6,
        latency_ms=1e3 * (last.count.latency_s - first.count.latency_s) / calls,
        calls_limit=limit,
        others=max(0.0, last.busy_s - first.busy_s - cpu_s - endpoint_s) / passed_s,
    )


class Alone(Struct, frozen=True):
    """The endpoint driven by a caller that does next to nothing."""

    calls_per_s: float
    cpu_us: float
    """The endpoint's processor time for each call."""


def measure_alone(driver: ServerProcess, endpoint: Endpoint, seconds: float) -> Alone:
    driver.wait_until(lambda: endpoint.count().calls >= WARM_UP_EVENTS, "calls", START_WITHIN_S)
    first = endpoint.count()
    time.sleep(seconds)
    last = endpoint.count()
    calls = last.calls - first.calls
    return Alone(calls / (last.at_s - first.at_s), 1e6 * (last.cpu_s - first.cpu_s) / calls)


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]
