"""Which findings are current, and which of them is worth a line in the log now?

The client repeats an error at every try. A finding is logged when it is new, and again every
30 s while it lasts.
"""

from collections.abc import Callable

from streamer.errors import Finding

REPEAT_S = 30.0
LASTS_S = 60.0
"""Without another of its kind for so long it is over: twice the repeat, and more than any of the
client's own pauses (`reconnect.backoff.max.ms` is 10 s)."""


class Complaints:
    """Findings by what they are about. Reads no clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Finding, float, float]] = {}
        """By kind: the last one, when it came, and when one was logged."""

    def raised(self, kind: str, finding: Finding, now: float) -> bool:
        """Note it. True: it is to be logged."""
        before = self._seen.get(kind)
        is_due = before is None or now - before[2] >= REPEAT_S or now - before[1] >= LASTS_S
        self._seen[kind] = (finding, now, now if is_due or before is None else before[2])
        return is_due

    def over(self, is_over: Callable[[str], bool]) -> None:
        """What these kinds are about is well again."""
        self._seen = {kind: seen for kind, seen in self._seen.items() if not is_over(kind)}

    def current(self, now: float) -> tuple[Finding, ...]:
        return tuple(
            finding for finding, seen_at, _ in list(self._seen.values()) if now - seen_at < LASTS_S
        )
