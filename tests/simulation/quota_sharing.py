"""How do processes that do not talk to each other share one instance's quota?

    python -m tests.simulation.quota_sharing

Each is the real core with one lane of the same instance; the endpoint counts calls in a sliding
minute when they arrive, and answers 429 to those above 200. Prints what each process got in steady
state, and how long it takes to use the others' share when they leave.
"""

from dataclasses import dataclass
from random import Random

from tests.simulation.clock import Clock
from tests.simulation.platform import MINUTE_S, EndpointQuota
from tests.simulation.sharer import QUOTA, Sharer

STEADY_FROM_S = 600.0
"""Until then they find their shares."""


@dataclass(frozen=True)
class Sharing:
    """Processes that share a quota."""

    clock: Clock
    processes: list[Sharer]

    def run(self, until_s: float) -> None:
        while (due := self.clock.next_due) is not None and due <= until_s:
            self.clock.step()

    def accepted_a_minute(self, since: float, until: float) -> list[float]:
        return [_rate(process.accepted, since, until) for process in self.processes]

    def throttled_a_minute(self, since: float, until: float) -> list[float]:
        return [_rate(process.throttled, since, until) for process in self.processes]


def _rate(times: list[float], since: float, until: float) -> float:
    return sum(since < time <= until for time in times) / (until - since) * MINUTE_S


def saturated(processes: int, seed: int = 1, says_retry_after: bool = False) -> Sharing:
    """So many processes, each of which always has something to send."""
    clock = Clock(Random(seed))
    quota = EndpointQuota(QUOTA, counts_throttled=False)
    sharing = Sharing(clock, [])
    for _ in range(processes):
        process = Sharer(clock, quota, says_retry_after)
        process.is_saturated = True
        sharing.processes.append(process)
    return sharing


def with_little_traffic(
    processes: int, every_s: float, seed: int = 1, says_retry_after: bool = False
) -> Sharing:
    """All but the first are saturated; that one has an event now and then."""
    sharing = saturated(processes, seed, says_retry_after)
    little, clock = sharing.processes[0], sharing.clock
    little.is_saturated = False

    def event() -> None:
        little.event()
        clock.at(clock.now + clock.random.expovariate(1 / every_s), event)

    event()
    return sharing


def all_leave_but_one(sharing: Sharing) -> None:
    for process in sharing.processes[1:]:
        process.is_gone = True


def full_pace_after_s(process: Sharer, since: float) -> float:
    """How long until a minute of its calls has 95 % of the quota."""
    calls = int(0.95 * QUOTA)
    accepted = [time for time in process.accepted if time > since]
    for first, last in zip(accepted, accepted[calls:], strict=False):
        if last - first <= MINUTE_S:
            return last - since
    return float("inf")


def wait_s(process: Sharer, share: float, since: float = 0.0) -> float:
    """So long or less did this share of its reports wait from ready to their first call."""
    waited = sorted(wait for ready, wait in process.waited if ready >= since)
    return waited[min(len(waited) - 1, int(share * len(waited)))]


# --- the report ---------------------------------------------------------------------------------

HOUR_S = 3600.0


def _print_steady(name: str, sharing: Sharing) -> None:
    sharing.run(HOUR_S)
    accepted = sharing.accepted_a_minute(STEADY_FROM_S, HOUR_S)
    throttled = sharing.throttled_a_minute(STEADY_FROM_S, HOUR_S)
    waits = "" if sharing.processes[0].is_saturated else _waits(sharing.processes[0])
    shares = ", ".join(f"{calls:.0f}" for calls in accepted)
    refusals = ", ".join(f"{calls:.1f}" for calls in throttled)
    total = sum(accepted)
    print(f"| {name} | {total:.0f} ({total / QUOTA:.0%}) | {shares} | {refusals} | {waits} |")


def _waits(process: Sharer) -> str:
    shares = (0.5, 0.99, 1.0)
    return " / ".join(f"{wait_s(process, share, STEADY_FROM_S):.1f}" for share in shares)


def _print_leaving(processes: int, says_retry_after: bool) -> None:
    sharing = saturated(processes, says_retry_after=says_retry_after)
    sharing.run(HOUR_S / 2)
    all_leave_but_one(sharing)
    sharing.run(HOUR_S)
    after_s = full_pace_after_s(sharing.processes[0], HOUR_S / 2)
    print(f"| {processes}{_told(says_retry_after)} | {after_s:.0f} s |", flush=True)


def _told(says_retry_after: bool) -> str:
    return ", Retry-After" if says_retry_after else ""


def main() -> None:
    print("| processes | total, a minute | accepted by each | 429 by each | waits of the first |")
    print("|---|---|---|---|---|")
    for says in (False, True):
        for processes in (1, 2, 5):
            name = f"{processes} saturated{_told(says)}"
            _print_steady(name, saturated(processes, says_retry_after=says))
        for processes in (2, 5):
            name = f"1 with an event every 5 s, {processes - 1} saturated{_told(says)}"
            _print_steady(name, with_little_traffic(processes, 5.0, says_retry_after=says))
    print("\n| processes, of which all leave but one | 95 % of the quota used after |\n|---|---|")
    for says in (False, True):
        for processes in (2, 5):
            _print_leaving(processes, says)


if __name__ == "__main__":
    main()
