"""Which quotas of lanes that were forgotten still count?"""

from collections import OrderedDict

from streamer.delivery.quota import MINUTE_S, QuotaMinute
from streamer.delivery.timers import Timers
from streamer.model import LaneKey

DROPPED_WITH_EACH = 2
"""Of what is over, as each one more is kept: twice as fast as it comes."""
DROPPED_A_SECOND = 1_000
"""Of what is over, while no more come."""


class SpentQuotas:
    """Keeps each quota for a minute: by then none of its calls counts any more.

    They end in the order in which they came, so nothing ever goes through all of them. With 5,000
    new app instances a second there are 300,000.
    """

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._kept: OrderedDict[LaneKey, tuple[float, QuotaMinute]] = OrderedDict()
        """Each with the moment from which it counts no more."""
        self._looks = False

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: LaneKey, quota: QuotaMinute, now: float) -> None:
        """The lane is forgotten; `take` was asked for its quota before."""
        if not self._looks:
            self._looks = True
            self._timers.at(now + MINUTE_S, self._look)
        self._kept[key] = (now + MINUTE_S, quota)
        self._drop(DROPPED_WITH_EACH, now)

    def take(self, key: LaneKey) -> QuotaMinute | None:
        """The quota of a lane that is there again; None if it has all of its minute."""
        kept = self._kept.pop(key, None)
        return None if kept is None else kept[1]

    def _look(self, now: float) -> None:
        self._drop(DROPPED_A_SECOND, now)
        self._looks = bool(self._kept)
        if self._looks:
            self._timers.at(now + 1.0, self._look)

    def _drop(self, most: int, now: float) -> None:
        kept = self._kept
        for _ in range(most):
            if not kept or next(iter(kept.values()))[0] > now:
                return
            kept.popitem(last=False)
