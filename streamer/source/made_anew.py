"""Is each topic that is read still the one that it was when its partitions were opened?

The client does not tell: it learns the new id, and reads on from the position that it had in the
topic before. So the ids are asked for again and again, and what belongs to another topic begins
from its first message, in a new generation.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from streamer.model import Owned, Partition, Position
from streamer.source.another_topic import Doubts, Judged, say_another
from streamer.source.client import Client
from streamer.source.ends import Ends
from streamer.source.rebalances import Rebalances
from streamer.source.topic_ids import TopicIds
from streamer.source.watch import SourceWatch

LOOK_S = 5.0
"""Between two looks at most: so long the wrong part of a topic may be read. One request for all
topics that are read."""
LOOK_AGAIN_S = 1.0
"""Where an answer is to be confirmed."""


class MadeAnew:
    """Looks, and begins anew. Used by the poll thread alone."""

    def __init__(
        self,
        client: Client,
        rebalances: Rebalances,
        ends: Ends,
        topic_ids: TopicIds,
        watch: SourceWatch,
        held_messages: Callable[[Owned], int],
        refresh_s: float,
    ) -> None:
        """`refresh_s`: how often the cluster is asked for its topics; `held_messages`: of a
        partition, taken in and not settled."""
        self._client = client
        self._rebalances = rebalances
        self._ends = ends
        self._topic_ids = topic_ids
        self._watch = watch
        self._held_messages = held_messages
        self._look_s = min(LOOK_S, refresh_s)
        self._look_at = 0.0
        self._doubts = Doubts()

    def look_soon(self) -> None:
        """Something of a topic is not as it was."""
        self._look_at = 0.0

    def turn(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + self._look_s
        by_topic: defaultdict[str, list[Partition]] = defaultdict(list)
        for partition in self._rebalances.owned:
            by_topic[partition.topic].append(partition)
        for topic, told in self._topic_ids.ask(by_topic.keys()).items():
            if told is not None and not self._compare(topic, by_topic[topic], told):
                self._look_at = now + min(self._look_s, LOOK_AGAIN_S)

    def _compare(self, topic: str, partitions: Sequence[Partition], told: int) -> bool:
        """False where it has to be looked at again soon."""
        known = self._rebalances.topic_digests
        others = [p for p in partitions if known.setdefault(p, told) != told]
        # Those of one topic are opened one after the other, and may know different ids.
        judged = self._doubts.judge(topic, known[others[0]] if others else told, told)
        match judged:
            case Judged.SAME:
                return True
            case Judged.PERHAPS:
                return False
            case Judged.ANOTHER:
                return self._begin(topic, others)

    def _begin(self, topic: str, partitions: Sequence[Partition]) -> bool:
        firsts: dict[Partition, Position] = {}
        for partition in partitions:
            marks = self._client.marks(partition)
            if marks is None:
                break  # its leader does not answer: the others may be of the same
            firsts[partition] = marks[0]
        owned = [self._rebalances.owned[partition] for partition in firsts]
        if owned:
            unsettled = sum(self._held_messages(one) for one in owned)
            say_another(self._watch, topic, len(owned), unsettled)
        for partition, first in firsts.items():
            self._ends.forget(partition)
            self._rebalances.begin_anew(partition, first)
        return len(firsts) == len(partitions)
