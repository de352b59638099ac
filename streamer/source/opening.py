"""Where does each newly assigned partition start, and may it start yet?

A partition is owned before it is open: it is assigned paused, and nothing of it is taken in until
the broker has told what the group committed for it. One without an offset starts at a moment
(`start.py`), and that start is committed first. Where an answer is missing the partition stays as
it is and is asked for again, never started on a guess.

What was committed for a topic that was deleted and made again since is no offset: nothing of the
topic that is there now was read, and it is read from its first message.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

import structlog
from confluent_kafka import KafkaError
from msgspec import Struct

from streamer.model import Generation, Owned, Partition, Position
from streamer.source.another_topic import Doubts, Judged, say_another
from streamer.source.client import Client
from streamer.source.commit_metadata import (
    NOTHING,
    CommitContext,
    Encoded,
    MetadataRead,
    Rejected,
    encode,
)
from streamer.source.commits import Commits
from streamer.source.handover import Assigned, CommitPlan
from streamer.source.start import EARLIEST_MS, Committed, Moment, moment_for
from streamer.source.topic_ids import TopicIds
from streamer.source.watch import SourceWatch

log = structlog.get_logger()

ASK_AGAIN_S = 1.0
"""Between two tries where an answer was missing."""
MOST_AT_ONCE = 100
"""Partitions of one try, so that polling goes on in between."""


class Start(Struct, frozen=True):
    """A partition with all that is needed to open it."""

    partition: Partition
    position: Position
    started_at_ms: int
    metadata: MetadataRead
    topic_digest: int | None
    """Of the topic that the position is of."""


class Opening:
    """The partitions that are assigned and not open. Used by the poll thread alone."""

    def __init__(
        self,
        client: Client,
        commits: Commits,
        subscription: str,
        configured_ms: int,
        topics: Callable[[], Sequence[str]],
        next_generation: Callable[[], Generation],
        watch: SourceWatch,
        answer_timeout_s: float,
        topic_ids: TopicIds,
    ) -> None:
        """`configured_ms`: the moment that `kafka.start` names for this process; `topics`: what is
        subscribed to now."""
        self._client = client
        self._commits = commits
        self._subscription = subscription
        self._configured_ms = configured_ms
        self._topics = topics
        self._next_generation = next_generation
        self._watch = watch
        self._answer_timeout_s = answer_timeout_s
        self._topic_ids = topic_ids
        self._doubts = Doubts()
        self._held: dict[Partition, Position | None] = {}
        """With the position to start at whatever is committed, where there is one."""
        self._starts: dict[Partition, Start] = {}
        """Those whose start is known and that were not ready to be read."""
        self._not_ready: dict[Partition, float] = {}
        """Since when the client refuses to read them."""
        self._retry_at = 0.0
        self._has_warned = False
        self._says_moment = True

    @property
    def partitions(self) -> Sequence[Partition]:
        return tuple(self._held)

    @property
    def problem(self) -> str | None:
        """Why partitions wait; None while none does."""
        if not self._held:
            return None
        return f"{len(self._held)} partitions wait for the broker to tell what is committed"

    def add(self, partitions: Sequence[Partition], position: Position | None = None) -> None:
        """They were assigned, and are held by the client. With a position: start there, whatever
        is committed."""
        self._held.update(dict.fromkeys(partitions, position))
        self._retry_at = 0.0

    def remove(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self._held.pop(partition, None)
            self._starts.pop(partition, None)
            self._not_ready.pop(partition, None)
            self._doubts.drop(partition)

    def turn(self, now: float, cluster_id: str) -> list[Assigned]:
        """Ask, and open what can be opened. From then on the client gives its messages."""
        if not self._held or now < self._retry_at:
            return []
        asked = [p for p in self._held if p not in self._starts][:MOST_AT_ONCE]
        if asked:
            self._starts.update(self._ask(asked, cluster_id))
            # What is known is tried in each turn: the client is ready for it within moments.
            missing = [partition for partition in asked if partition not in self._starts]
            self._retry_at = now + ASK_AGAIN_S if missing else now
            # Behind the others: those of a broker that is away must not keep them from being asked.
            self._held.update([(partition, self._held.pop(partition)) for partition in missing])
        opened = [
            self._opened(start) for start in self._starts.values() if self._begins(start, now)
        ]
        self.remove([assigned.owned.partition for assigned in opened])
        return opened

    def _begins(self, start: Start, now: float) -> bool:
        if self._client.read_from(start.partition, start.position):
            return True
        # For moments after the assignment that is so. Later, a fetch got in before the partition
        # was paused, and has ended with an error.
        if now - self._not_ready.setdefault(start.partition, now) >= ASK_AGAIN_S:
            del self._not_ready[start.partition]
            self._client.hold_again(start.partition)
        return False

    def _opened(self, start: Start) -> Assigned:
        rejected = start.metadata.rejected
        if rejected not in (None, Rejected.ABSENT):
            log.warning(
                "commit_metadata_rejected",
                topic=start.partition.topic,
                partition=start.partition.number,
                why=str(rejected),
            )
            self._watch.metadata_rejected(str(rejected))
        return Assigned(
            Owned(start.partition, self._next_generation()),
            start.position,
            start.metadata.restored,
            start.started_at_ms,
            start.topic_digest,
        )

    def _ask(self, asked: Sequence[Partition], cluster_id: str) -> dict[Partition, Start]:
        # Before all else: a topic that is made anew in between is found to be another one later.
        digests = self._topic_ids.ask({partition.topic for partition in asked})
        asked = [partition for partition in asked if partition.topic in digests]
        if not asked:
            return {}
        answer = self._client.committed(asked, cluster_id)
        if isinstance(answer, KafkaError):
            log.warning("committed_offsets_unknown", partitions=len(asked), why=answer.name())
            return {}
        starts = {}
        missing = []
        anew = set()
        for partition, committed in answer.items():
            forced = self._held[partition]
            if committed.position is None or forced is not None:
                missing.append(partition)
                continue
            known, told = committed.metadata.topic_digest, digests[partition.topic]
            judged = self._doubts.judge(partition, known, told)
            if judged is Judged.ANOTHER:
                missing.append(partition)
                anew.add(partition)
            if judged is not Judged.SAME:
                continue
            moment = moment_for(
                partition.topic, answer.values(), self._subscription, self._configured_ms
            )
            started_at_ms = committed.metadata.started_at_ms
            starts[partition] = Start(
                partition,
                committed.position,
                moment.ms if started_at_ms is None else started_at_ms,
                committed.metadata,
                # Where it is not told now it is carried on: a later answer is compared with it.
                known if told is None else told,
            )
        if missing:
            starts |= self._first_starts(missing, anew, digests, cluster_id)
        return starts

    # --- partitions without an offset ----------------------------------------------------------

    def _first_starts(
        self,
        partitions: Sequence[Partition],
        anew: Collection[Partition],
        digests: Mapping[str, int | None],
        cluster_id: str,
    ) -> dict[Partition, Start]:
        """Starts of partitions without an offset, once they are committed; those in `anew` have
        one of another topic."""
        known = self._all_committed(partitions, cluster_id)
        if known is None:
            return {}
        moments = {
            topic: moment_for(topic, known, self._subscription, self._configured_ms)
            for topic in {partition.topic for partition in partitions}
        }
        free = {
            p: EARLIEST_MS if p in anew else moments[p.topic].ms
            for p in partitions
            if self._held[p] is None
        }
        forced = {p: position for p in partitions if (position := self._held[p]) is not None}
        positions = {**self._client.position_at(free), **forced}
        starts = {
            p: Start(p, position, moments[p.topic].ms, MetadataRead(), digests[p.topic])
            for p, position in positions.items()
        }
        confirmed = self._commit(starts, cluster_id)
        self._tell(known, moments, [p for p in confirmed if p not in anew])
        for topic, count in Counter(p.topic for p in confirmed if p in anew).items():
            say_another(self._watch, topic, count, unsettled=0)
        return confirmed

    def _all_committed(
        self, partitions: Sequence[Partition], cluster_id: str
    ) -> list[Committed] | None:
        """All that the group has committed for topics of the subscription; None: no answer."""
        cluster = self._client.cluster()
        if isinstance(cluster, KafkaError):
            return None
        topics = set(self._topics()) | {p.topic for p in partitions}
        every = [
            Partition(topic, number)
            for topic in sorted(topics)
            for number in range(cluster.topics.get(topic, 0))
        ]
        answer = self._client.committed(every, cluster_id)
        if isinstance(answer, KafkaError) or len(answer) < len(every):
            return None
        return list(answer.values())

    def _commit(self, starts: Mapping[Partition, Start], cluster_id: str) -> dict[Partition, Start]:
        """Those of the starts that the broker has now, so that the next process starts there."""
        plans = [
            CommitPlan(Owned(p, Generation(0)), start.position, self._text(start, cluster_id), 0)
            for p, start in starts.items()
        ]
        if not plans or not self._commits.make_untold(plans, self._has_no_room):
            return {}
        there = self._client.shown(plans, self._answer_timeout_s)
        return {p: start for p, start in starts.items() if p in there}

    def _has_no_room(self) -> None:
        """The next try is made without the moment: better than to wait for room without end."""
        self._says_moment = False
        log.warning(
            "start_without_metadata",
            found="the broker's offset.metadata.max.bytes has no room for the moment that the group"
            " starts at: partitions and topics that appear later start as configured",
            do="raise offset.metadata.max.bytes to its default, 4096, or set kafka.start to a"
            " timestamp",
        )

    def _text(self, start: Start, cluster_id: str) -> str:
        if not self._says_moment:
            return ""
        context = CommitContext(
            cluster_id,
            start.partition,
            start.started_at_ms,
            self._subscription,
            start.topic_digest,
        )
        encoded = encode(context, start.position, NOTHING, (), ())
        # A limit that has no room for the moment has none for anything: start without.
        return encoded.text if isinstance(encoded, Encoded) else ""

    def _tell(
        self,
        known: Sequence[Committed],
        moments: Mapping[str, Moment],
        confirmed: Collection[Partition],
    ) -> None:
        fresh = all(committed.position is None for committed in known)
        if fresh and confirmed and not self._has_warned:
            self._has_warned = True
            log.warning(
                "group_has_no_offset",
                starts_at=_iso(self._configured_ms),
                do="nothing if the group is new; otherwise its offsets have expired: set"
                " kafka.start to a moment before the pause",
            )
        for topic, count in Counter(p.topic for p in confirmed).items():
            moment = moments[topic]
            log.info(
                "starts_without_offset",
                topic=topic,
                partitions=count,
                starts_at=_iso(moment.ms),
                moment_of=moment.source,
            )


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
