"""What does the simulation know of the automation platform? Keys, activations, cancels, quotas."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from streamer.model import Action, LaneKey, Report

MINUTE_S = 60.0
KEY_LIFE_S = 7 * 24 * 3600.0


@dataclass
class Activation:
    key: str
    report: Report
    """The attempt that was accepted first."""
    forgotten_at: float
    """From then on its key is as new."""
    cancelled: bool = False


class EndpointQuota:
    """Calls of each instance in a sliding minute, counted when they arrive."""

    def __init__(self, per_minute: int | None, counts_throttled: bool) -> None:
        self._per_minute = per_minute
        self._counts_throttled = counts_throttled
        self._arrived: dict[LaneKey, deque[float]] = defaultdict(deque)

    def admits(self, lane: LaneKey, now: float) -> bool:
        """Whether a call that arrives now is within the quota."""
        if self._per_minute is None:
            return True
        arrived = self._arrived[lane]
        while arrived and arrived[0] <= now - MINUTE_S:
            arrived.popleft()
        admitted = len(arrived) < self._per_minute
        if admitted or self._counts_throttled:
            arrived.append(now)
        return admitted

    def free_in_s(self, lane: LaneKey, now: float) -> float:
        """Until a call of the lane is within the quota, if no other comes."""
        assert self._per_minute is not None
        arrived = self._arrived[lane]
        return max(0.0, arrived[-self._per_minute] + MINUTE_S - now)


@dataclass
class Platform:
    """Accepts reports once by key; a cancel ends every activation of its trigger and entity."""

    twice: Callable[[Report, Report], None]
    """Looks at a report that is accepted again, since its key is forgotten: before, and again."""
    activations: dict[str, Activation] = field(default_factory=dict)
    cancels: dict[str, int] = field(default_factory=dict)
    """How often each cancel (by its message and route) took effect."""
    _of_entity: dict[tuple[LaneKey, str, str | None], list[Activation]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def take(self, report: Report, now: float) -> None:
        of_entity = self._of_entity[report.lane, report.trigger, report.entity]
        if report.action is Action.CANCEL:
            name = f"{report.message}/{report.route}"
            self.cancels[name] = self.cancels.get(name, 0) + 1
            for activation in of_entity:
                activation.cancelled = True
            return
        before = self.activations.get(report.idempotency_key)
        if before is not None:
            if now < before.forgotten_at:
                return
            self.twice(before.report, report)
        activation = Activation(report.idempotency_key, report, now + _life_s(report))
        self.activations[activation.key] = activation
        of_entity.append(activation)


def _life_s(report: Report) -> float:
    return KEY_LIFE_S if report.idempotency_ttl_ms is None else report.idempotency_ttl_ms / 1000
