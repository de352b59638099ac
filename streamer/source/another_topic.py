"""When is a topic believed to be another one than it was, and what is said then?

What was committed of the one before says nothing of the one that is there now: it is read from its
first message.
"""

from collections.abc import Hashable
from enum import Enum

import structlog

from streamer.source.watch import SourceWatch

log = structlog.get_logger()

ANSWERS_BEFORE_ANOTHER = 3
"""Equal answers in a row: a broker that lags behind, or has just started, tells the old id."""


class Judged(Enum):
    """What an answer means."""

    SAME = "same"
    """Or nothing is known that it could be compared with."""
    PERHAPS = "perhaps"
    """Ask again."""
    ANOTHER = "another"


class Doubts:
    """Counts answers that differ from what is known, by what they are about."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[int, int]] = {}

    def judge(self, about: Hashable, known: int | None, told: int | None) -> Judged:
        """`known` and `told` are digests of topic ids."""
        if known is None or told is None or known == told:
            self.drop(about)
            return Judged.SAME
        last, times = self._answers.get(about, (told, 0))
        times = times + 1 if last == told else 1
        self._answers[about] = (told, times)
        return Judged.ANOTHER if times >= ANSWERS_BEFORE_ANOTHER else Judged.PERHAPS

    def drop(self, about: Hashable) -> None:
        self._answers.pop(about, None)


def say_another(watch: SourceWatch, topic: str, partitions: int, unsettled: int) -> None:
    """`unsettled`: messages of the topic before that were taken in and are given up."""
    log.warning(
        "topic_made_anew",
        topic=topic,
        partitions=partitions,
        unsettled=unsettled,
        found="the topic was deleted and made again: its id is another; it is read from its first"
        " message, and what was not settled of the one before is given up",
        do="nothing if it was on purpose; before you delete a topic, wait until its lag is 0",
    )
    watch.made_anew(topic, partitions)
