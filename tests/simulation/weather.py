"""What is wrong with the endpoint, for which site, and until when?"""

from dataclasses import dataclass
from enum import Enum

from streamer.model import LaneKey
from tests.simulation.clock import Clock
from tests.simulation.plan import SLOW_GAP_S, Plan


class Trouble(Enum):
    DOWN = "down"
    """Nothing of it is answered."""
    DENIED = "denied"
    """The app may not do this."""
    THROTTLED = "throttled"
    UNINSTALLED = "uninstalled"
    """Its token is not taken, and it is given none; where one token is for all, it is denied."""


@dataclass(frozen=True)
class _Spell:
    trouble: Trouble
    sites: frozenset[str]
    until: float


class Weather:
    def __init__(self, plan: Plan, clock: Clock, traffic_s: float) -> None:
        """`traffic_s`: how long messages are written, which is when it all begins."""
        self._clock = clock
        self._sites = plan.instances
        self._is_slow = plan.gap_s >= SLOW_GAP_S
        self._spells: list[_Spell] = []
        draw = clock.random.uniform
        for _ in range(plan.outages):
            clock.at(draw(0, traffic_s), self._outage)
        for _ in range(plan.long_holds):
            clock.at(draw(0, traffic_s), self._long_hold)

    def _outage(self) -> None:
        """Of all, or of one site: its reports hold the position while the others go on."""
        random = self._clock.random
        down = random.choice([self._sites, *([site] for site in self._sites)])
        until = self._clock.now + random.uniform(1, 120)
        self._spells.append(_Spell(Trouble.DOWN, frozenset(down), until))

    def _long_hold(self) -> None:
        random = self._clock.random
        site = frozenset({random.choice(self._sites)})
        until = self._clock.now + random.uniform(200, 1200)
        troubles = [Trouble.UNINSTALLED] if self._is_slow else [*Trouble, Trouble.UNINSTALLED]
        self._spells.append(_Spell(random.choice(troubles), site, until))

    def of(self, lane: LaneKey) -> set[Trouble]:
        """All that is wrong with it now."""
        if self._spells:
            now = self._clock.now
            self._spells = [spell for spell in self._spells if spell.until > now]
        return {spell.trouble for spell in self._spells if lane.instance in spell.sites}
