"""Who is given a token?"""

from collections import defaultdict
from itertools import count

from streamer.delivery.commands import TokenOrder
from streamer.delivery.tokens import SHARED, UNKNOWN_AFTER_S, UNKNOWN_REFUSALS
from streamer.model import LaneKey
from tests.simulation.clock import Clock
from tests.simulation.plan import Plan
from tests.simulation.processes import Process
from tests.simulation.weather import Trouble, Weather

ANSWERS_WITHIN_S = 0.3


class TokenEndpoint:
    def __init__(self, plan: Plan, clock: Clock, weather: Weather) -> None:
        self._plan = plan
        self._clock = clock
        self._weather = weather
        self._number = count()
        self._refusals: dict[tuple[str, TokenOrder], list[float]] = defaultdict(list)
        """When each process was refused each token, since it was granted one last."""

    def ask(self, process: Process, order: TokenOrder) -> None:
        scope, clock = order.scope, self._clock
        book = process.core.books[order.endpoint]
        refusals = self._refusals[process.name, order]
        if clock.random.random() < 0.1:
            process.fact(ANSWERS_WITHIN_S, lambda: book.unavailable(scope, "down", None, clock.now))
        elif self._is_refused(order):

            def refused() -> None:
                refusals.append(clock.now)
                book.refused(scope, "401", clock.now)

            process.fact(ANSWERS_WITHIN_S, refused)
        else:
            token = f"token-{next(self._number)}"

            def granted() -> None:
                refusals.clear()
                book.granted(scope, token, self._plan.token_life_s, clock.now)

            process.fact(ANSWERS_WITHIN_S, granted)

    def is_unknown(self, process: Process, lane: LaneKey) -> bool:
        """Whether the process was refused its token so often that it may call it unknown."""
        refusals = self._refusals[process.name, TokenOrder(lane.endpoint, lane.instance)]
        often_enough = len(refusals) >= UNKNOWN_REFUSALS
        return often_enough and refusals[-1] - refusals[0] >= UNKNOWN_AFTER_S

    def _is_refused(self, order: TokenOrder) -> bool:
        if order.scope != SHARED:
            troubles = self._weather.of(LaneKey(order.endpoint, order.scope))
            if Trouble.UNINSTALLED in troubles:
                return True
        return self._clock.random.random() < self._plan.token_refusals
