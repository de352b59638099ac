"""Which topics are subscribed to, given what the cluster has?

A name that begins with `^` is a pattern: a regular expression of Python's `re` that must match a
topic's whole name (as in Kafka's own clients). Patterns are resolved here and not by the broker or
by librdkafka, so that they mean the same in both group protocols.

Never taken in by a pattern: topics whose name begins with `__` (Kafka's internal ones), and those
that the dead letter template can name.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b

from msgspec import Struct

ANSWERS_BEFORE_GONE = 3
"""Complete answers in a row without a topic before it is taken out: a broker that has just
started may know fewer topics than there are."""


def is_pattern(name: str) -> bool:
    """Whether this names topics by a regular expression."""
    return name.startswith("^")


def matches(name: str, topic: str) -> bool:
    """Whether a topic's name or a pattern in the configuration means this topic."""
    return re.fullmatch(name, topic) is not None if is_pattern(name) else name == topic


def subscription_fingerprint(topics: Iterable[str], start: str) -> str:
    """16 hex digits that are the same for the same topics, patterns and `kafka.start`."""
    text = "\n".join([start.strip(), *sorted(set(topics))])
    return blake2b(text.encode(), digest_size=8).hexdigest()


class Resolved(Struct, frozen=True):
    """The subscription after an answer of the cluster, and what is wrong with it."""

    topics: tuple[str, ...]
    """Sorted; empty: subscribe to nothing yet, and wait."""
    missing: tuple[str, ...] = ()
    """Names that the cluster does not have, or does not show to this user."""
    unmatched: tuple[str, ...] = ()
    """Patterns that match no topic."""


class Subscription:
    """Follows the cluster's topics, one complete answer after the other."""

    def __init__(self, topics: Sequence[str], excluded: Callable[[str], bool]) -> None:
        self._names = frozenset(topic for topic in topics if not is_pattern(topic))
        self._patterns = {
            topic: re.compile(topic) for topic in sorted(set(topics)) if is_pattern(topic)
        }
        self._excluded = excluded
        self._absences: dict[str, int] = {}
        """Topics found by a pattern, with the answers in a row that did not have them."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What is to be subscribed to as far as is known. Names are always in it: where one does
        not exist yet, the broker's answer is what tells when it does."""
        return tuple(sorted(self._names | self._absences.keys()))

    def answered(self, present: Collection[str]) -> Resolved:
        """The cluster has exactly these topics. An empty answer changes nothing."""
        if not present:
            return Resolved(self.topics)
        found = {topic for topic in present if self._is_meant(topic)}
        for topic in list(self._absences):
            self._absences[topic] += 1
            if topic not in found and self._absences[topic] >= ANSWERS_BEFORE_GONE:
                del self._absences[topic]
        self._absences.update(dict.fromkeys(found, 0))
        return Resolved(
            self.topics,
            tuple(sorted(self._names.difference(present))),
            tuple(
                pattern
                for pattern, compiled in self._patterns.items()
                if not any(compiled.fullmatch(topic) for topic in self._absences)
            ),
        )

    def _is_meant(self, topic: str) -> bool:
        return (
            not topic.startswith("__")
            and any(compiled.fullmatch(topic) for compiled in self._patterns.values())
            and not self._excluded(topic)
        )
