"""Whose fault is it that a token is refused: the instance's own, or the app's?

        FINE -- refused, others were granted before --> SUSPECT -- the probe is granted --> FINE
          |                                                |       (the refusals were their own)
          |                                                +-- the probe is refused --> APP HELD
          +-- refused, no other was granted before ---------------------------------> APP HELD

        APP HELD -- any token is granted --> FINE

The probe is a token call for the scope that was granted one last, at most every 30 s. While the
app is held the probes take turns: with those that were granted before (most of them are good) and
with those that wait (so that an only site that is gone does not hold up a new one).
"""

from collections import deque
from collections.abc import Mapping

PROBE_EVERY_S = 30.0
GRANTS_REMEMBERED = 16
"""Scopes to choose a probe from: as many as there can be refusals on the way at a time."""


class Faults:
    """One app's. Decides; the book makes the calls."""

    def __init__(self) -> None:
        self.app_held = ""
        """Empty, or why no token is to be had at all."""
        self.probing: str | None = None
        """The scope whose answer is waited for to tell."""
        self.probe_not_before = float("-inf")
        self._suspects: dict[str, float] = {}
        """Refused scopes whose fault is not known yet, and when they were refused."""
        self._granted: deque[str] = deque(maxlen=GRANTS_REMEMBERED)
        """The newest last; one that is refused leaves."""
        self._refused_last = ""
        self._asks_who_waits = False

    @property
    def wants_probe(self) -> bool:
        return self.probing is None and bool(self.app_held or self._suspects)

    def granted(self, name: str) -> Mapping[str, float]:
        """Nothing is the app's fault. Gives the scopes whose refusals were therefore their own,
        and when they were refused."""
        if name in self._granted:
            self._granted.remove(name)
        self._granted.append(name)
        self.app_held = ""
        # What is still on the way tells as much as any other call.
        self.probing = None
        own, self._suspects = self._suspects, {}
        own.pop(name, None)
        return own

    def refused(self, name: str, why: str, now: float) -> bool:
        """Whether it is the app's fault; otherwise it is a suspect until the probe's answer."""
        self._refused_last = name
        if name in self._granted:
            self._granted.remove(name)
        was_probe = self.probing == name
        if was_probe:
            self.probing = None
        if self.app_held or was_probe or not self._granted:
            if not self.app_held and not was_probe:
                self.probe_not_before = max(self.probe_not_before, now + PROBE_EVERY_S)
            self.app_held = why
            return True
        self._suspects[name] = now
        return False

    def unavailable(self, name: str, not_before: float) -> None:
        """The call was not answered: it tells nothing."""
        if self.probing == name:
            self.probing = None
            self.probe_not_before = max(self.probe_not_before, not_before)

    def take_suspects(self) -> list[str]:
        """The app is held: nothing is known of them."""
        suspects, self._suspects = list(self._suspects), {}
        return suspects

    def choose_probe(self, who_waits: str | None) -> str:
        """Whose answer shall tell. `who_waits`: the first that waits for the app."""
        granted = self._granted[-1] if self._granted else None
        if not self.app_held:
            assert granted is not None, "a suspect is one because another was granted a token"
            return granted
        self._asks_who_waits = not self._asks_who_waits
        turn = (who_waits, granted) if self._asks_who_waits else (granted, who_waits)
        return next((name for name in turn if name is not None), self._refused_last)

    def probes(self, name: str, now: float) -> None:
        self.probing = name
        self.probe_not_before = now + PROBE_EVERY_S
