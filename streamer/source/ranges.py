"""How does a partition come back whose offset the broker does not have?"""

from collections.abc import Callable
from typing import assert_never

import structlog
from confluent_kafka import KafkaError
from confluent_kafka import Message as ClientMessage

from streamer.model import Partition, Position
from streamer.source.client import Client
from streamer.source.ends import Ends
from streamer.source.out_of_range import AsCommitted, Forward, FromStart, judge_range
from streamer.source.rebalances import Rebalances
from streamer.source.watch import SourceWatch

log = structlog.get_logger()

# The client ends its reading with the first; the others are the broker's words for the same.
_CODES = {"_AUTO_OFFSET_RESET", "_LOG_TRUNCATION", "OFFSET_OUT_OF_RANGE"}


class Ranges:
    """Where `out_of_range.py` says to go on, this goes on. Used by the poll thread alone."""

    def __init__(
        self,
        client: Client,
        rebalances: Rebalances,
        ends: Ends,
        watch: SourceWatch,
        look_soon: Callable[[], None],
    ) -> None:
        """`look_soon`: the topic may be another one, with other partitions in range by chance."""
        self._client = client
        self._rebalances = rebalances
        self._ends = ends
        self._watch = watch
        self._look_soon = look_soon
        self._stopped: dict[Partition, Position] = {}
        """Partitions whose reading has ended, with the position that was asked for."""

    def noted(self, raw: ClientMessage, error: KafkaError) -> bool:
        """Whether this error of a partition is dealt with here."""
        if error.name() not in _CODES:
            return False
        partition = Partition(raw.topic() or "", raw.partition() or 0)
        self.stopped(partition, Position(raw.offset() or 0))
        return True

    def stopped(self, partition: Partition, position: Position) -> None:
        """Its reading has ended, since the broker does not have this position."""
        start = self._rebalances.started_at(partition)
        # An earlier position is one that was never to be read: held partitions stand at 0.
        if start is not None and position >= start:
            self._stopped[partition] = position

    def turn(self) -> None:
        for partition, position in list(self._stopped.items()):
            if partition not in self._rebalances.owned:
                del self._stopped[partition]
                continue
            marks = self._client.marks(partition)
            if marks is None:
                return  # the question waits for its answer: asking in each turn is not hot
            del self._stopped[partition]
            self._return(partition, position, *marks)

    def _return(
        self, partition: Partition, position: Position, first: Position, end: Position
    ) -> None:
        # A position beyond the end says nothing of how many there were.
        deleted = max(0, first - position)
        log.error(
            "offset_out_of_range",
            topic=partition.topic,
            partition=partition.number,
            position=position,
            first=first,
            end=end,
            deleted=deleted,
            found="messages were deleted before they were read, or the topic was made anew",
            do="if nothing was deleted on purpose, raise the topic's retention",
        )
        self._watch.out_of_range(partition.topic, deleted)
        self._ends.forget(partition)
        judged = judge_range(position, first, end)
        match judged:
            case Forward(position=earliest):
                self._client.read_again_from(partition, earliest)
            case FromStart(position=earliest):
                self._look_soon()
                self._rebalances.begin_anew(partition, earliest)
            case AsCommitted():
                self._look_soon()
                self._rebalances.begin_anew(partition, None)
            case _:
                assert_never(judged)
