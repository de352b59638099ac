"""Is this process started, ready, alive? (RULES, Health)

- started: the configuration was read and the server listens, whatever the dependencies do;
- ready: in the group, and no dependency has *refused* us since the start. One that does not
  answer is a finding and a metric: a fix must be able to roll out during an outage;
- live: the poll thread and the event loop have turned within a minute. No outage fails it.
"""

from collections.abc import Mapping

from msgspec import Struct

TURN_MOST_S = 60.0


class Health(Struct, frozen=True):
    """An answer to a probe: the reasons against it, empty if there are none."""

    reasons: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.reasons


def live(poll_age_s: float, loop_age_s: float) -> Health:
    """By the seconds since the poll thread and the event loop turned last."""
    reasons = []
    if poll_age_s > TURN_MOST_S:
        reasons.append(f"the poll thread has not turned for {poll_age_s:.0f} s")
    if loop_age_s > TURN_MOST_S:
        reasons.append(f"the event loop has not turned for {loop_age_s:.0f} s")
    return Health(tuple(reasons))


def ready(joined: bool, stuck: str | None, refusals: Mapping[str, str]) -> Health:
    """By the state in the group, and the words of each dependency that refused us."""
    reasons = [] if joined else [stuck or "not in the consumer group yet"]
    reasons += [f"{name}: {why}" for name, why in refusals.items() if why]
    return Health(tuple(reasons))
