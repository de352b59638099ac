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
        self._last: dict[str, Finding] = {}
        self._seen_at: dict[str, float] = {}
        self._logged_at: dict[str, float] = {}
        self._swept_at = 0.0

    def raised(self, kind: str, finding: Finding, now: float) -> bool:
        """Note it. True: it is to be logged."""
        self._sweep(now)
        self._last[kind] = finding
        self._seen_at[kind] = now
        is_due = now - self._logged_at.get(kind, float("-inf")) >= REPEAT_S
        if is_due:
            self._logged_at[kind] = now
        return is_due

    def _sweep(self, now: float) -> None:
        """Forget now and then what is over: some kinds name topics, which come and go."""
        if now - self._swept_at < LASTS_S:
            return
        self._swept_at = now
        for kind, logged_at in list(self._logged_at.items()):
            last = max(logged_at, self._seen_at.get(kind, logged_at))
            if now - last >= LASTS_S:
                del self._logged_at[kind], self._last[kind]
                self._seen_at.pop(kind, None)

    def over(self, is_over: Callable[[str], bool]) -> None:
        """What these kinds are about is well again. Where it is not, that is not logged at once:
        one broker of several that is away must not fill the log between two commits."""
        for kind in list(self._seen_at):
            if is_over(kind):
                del self._seen_at[kind]

    def current(self, now: float) -> tuple[Finding, ...]:
        """From any thread."""
        return tuple(
            self._last[kind]
            for kind, seen_at in self._seen_at.copy().items()
            if now - seen_at < LASTS_S
        )
