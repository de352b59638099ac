"""Is what a process has settled committed when it ends in an orderly way?"""

from collections.abc import Sequence

from streamer.model import Owned
from tests.simulation.invariants.broken import Broken
from tests.simulation.kafka import Broker
from tests.simulation.processes import Process


class ShutdownChecks:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def look(self, process: Process, owned: Sequence[Owned]) -> None:
        """`owned`: whose last commit did not fail."""
        for one in owned:
            part = process.core.partitions.get(one.partition)
            if part is None or part.owned != one or part.window.stuck is not None:
                continue
            left = self._broker.uncommitted(one.partition)
            if left and left[0].offset < part.window.position:
                raise Broken(
                    f"{process.name} ends with {one.partition} at {part.window.position},"
                    f" and has not committed {left[0].offset}"
                )
