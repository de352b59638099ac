"""Where do the partitions end, so that one can say how far behind we are?"""

from collections.abc import Callable, Collection

from streamer.model import Partition, Position
from streamer.source.statistics import Statistics

MEASURE_S = 1.0
"""Between two rounds of questions."""
MEASURED_AT_ONCE = 8
"""Questions of one round: each waits for its answer in the poll thread, 1 ms on a near broker."""


class Ends:
    """From librdkafka's statistics, and by asking where those stand still.

    Nothing of a paused partition is fetched, so that nothing in the statistics tells where it
    ends: just where the lag grows it would not be seen.
    """

    def __init__(self, ask: Callable[[Partition], Position | None]) -> None:
        self._ask = ask
        self._statistics = Statistics()
        self._asked: dict[Partition, tuple[float, Position]] = {}
        self._measure_at = 0.0

    def told(self, statistics: Statistics) -> None:
        self._statistics = statistics

    def measure(self, paused: Collection[Partition], now: float) -> None:
        """Ask for a few paused partitions, those first that were not asked for longest."""
        if now < self._measure_at:
            return
        self._measure_at = now + MEASURE_S
        for partition in sorted(paused, key=self._asked_at)[:MEASURED_AT_ONCE]:
            end = self._ask(partition)
            if end is None:
                return
            self._asked[partition] = (now, end)

    def _asked_at(self, partition: Partition) -> float:
        return self._asked[partition][0] if partition in self._asked else float("-inf")

    def of(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        """The position at the end of each partition of which it is known. From any thread."""
        told, asked = self._statistics.ends, dict(self._asked)
        ends = {}
        for partition in partitions:
            known = [told[partition]] if partition in told else []
            if partition in asked:
                known.append(asked[partition][1])
            if known:
                ends[partition] = max(known)
        return ends

    def forget(self, partition: Partition) -> None:
        """It may end earlier than it did."""
        self._asked.pop(partition, None)
