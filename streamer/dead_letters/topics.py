"""Are the dead letter topics there, large enough and writable, and if not, what is to do?

What is wrong is a finding and stops nothing: the broker may be away, its administration may be
forbidden to us, and a topic may come into being on its first write.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamer.dead_letters.naming import topic_for
from streamer.errors import Finding, Severity

HEADROOM_BYTES = 65_536
"""How much more than its source's a dead letter topic takes in one record: for our headers."""

RETENTION_MS = 30 * 24 * 3600 * 1000
"""30 days: long enough for somebody to come back from a holiday."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker describes it."""

    partitions: int
    replication: int
    max_message_bytes: int | None = None
    """None where it could not be asked."""
    writable: bool | None = None
    """None where the broker does not say."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A dead letter topic that is to be made."""

    name: str
    source: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of the topics that were asked for, and what could not be asked."""

    topics: Mapping[str, TopicState]
    """Those that exist."""
    findings: tuple[Finding, ...] = ()


class TopicAdmin(Protocol):
    """The broker's administration; every call blocks for a bounded time and raises nothing."""

    def describe(self, names: Iterable[str]) -> Described | Finding: ...

    def create(self, wanted: Sequence[WantedTopic]) -> Mapping[str, str | None]:
        """By name, None or why it could not be made."""


async def ensure(
    admin: TopicAdmin, template: str, source_topics: Iterable[str], create: bool
) -> tuple[Finding, ...]:
    """Makes the missing topics where `create` is set; gives what is wrong, and what to do."""
    return await asyncio.to_thread(_ensure, admin, template, tuple(source_topics), create)


async def inspect(
    admin: TopicAdmin, template: str, source_topics: Iterable[str], create: bool
) -> tuple[Finding, ...]:
    """The same findings, but nothing is made."""
    return await asyncio.to_thread(_inspect, admin, template, tuple(source_topics), create)


def _ensure(
    admin: TopicAdmin, template: str, sources: tuple[str, ...], create: bool
) -> tuple[Finding, ...]:
    described = admin.describe(_names(template, sources))
    if isinstance(described, Finding):
        return (described,)
    findings = [*described.findings, *judge(template, sources, described.topics)]
    wanted = missing(template, sources, described.topics)
    if not create:
        return (*findings, *(_not_there(topic) for topic in wanted))
    for name, fault in (admin.create(wanted) if wanted else {}).items():
        if fault is not None:
            findings.append(_not_made(name, fault))
    return tuple(findings)


def _inspect(
    admin: TopicAdmin, template: str, sources: tuple[str, ...], create: bool
) -> tuple[Finding, ...]:
    described = admin.describe(_names(template, sources))
    if isinstance(described, Finding):
        return (described,)
    wanted = missing(template, sources, described.topics)
    return (
        *described.findings,
        *judge(template, sources, described.topics),
        *(_will_be_made(topic) if create else _not_there(topic) for topic in wanted),
    )


def refusals(template: str, sources: Iterable[str], findings: Iterable[Finding]) -> dict[str, str]:
    """By source topic, why its dead letters would be refused: a topic that is missing, or that
    this user may not write to."""
    wrong = {
        finding.where: f"{finding.found}; {finding.do}"
        for finding in findings
        if finding.severity is Severity.ERROR
    }
    named = ((source, f"topic {topic_for(template, source)}") for source in sources)
    return {source: f"{where}: {wrong[where]}" for source, where in named if where in wrong}


def _names(template: str, sources: Iterable[str]) -> list[str]:
    return sorted({*sources, *(topic_for(template, source) for source in sources)})


def missing(
    template: str, sources: Iterable[str], topics: Mapping[str, TopicState]
) -> list[WantedTopic]:
    """The dead letter topics to make: of sources that exist, as large as the largest of them."""
    wanted: dict[str, WantedTopic] = {}
    for source in sources:
        name = topic_for(template, source)
        state = topics.get(source)
        if name in topics or state is None:
            continue
        largest = max(
            (state.max_message_bytes or 0)
            for state in (topics.get(other) for other in sources)
            if state is not None
        )
        config = {"retention.ms": str(RETENTION_MS)}
        if largest:
            config["max.message.bytes"] = str(largest + HEADROOM_BYTES)
        if name not in wanted or state.partitions > wanted[name].partitions:
            wanted[name] = WantedTopic(name, source, state.partitions, state.replication, config)
    return [wanted[name] for name in sorted(wanted)]


def judge(template: str, sources: Iterable[str], topics: Mapping[str, TopicState]) -> list[Finding]:
    """What is wrong with the dead letter topics that are there."""
    findings: list[Finding] = []
    for source in sources:
        name = topic_for(template, source)
        letters = topics.get(name)
        if letters is None:
            continue
        if letters.writable is False:
            findings.append(_not_writable(name))
        largest = topics[source].max_message_bytes if source in topics else None
        limit = letters.max_message_bytes
        if largest is not None and limit is not None and limit < largest:
            findings.append(_too_small(name, limit, source, largest))
        if source in topics and letters.partitions < topics[source].partitions:
            findings.append(_too_few(name, letters.partitions, source, topics[source].partitions))
    return findings


def _not_there(topic: WantedTopic) -> Finding:
    return Finding(
        f"topic {topic.name}",
        "the dead letter topic does not exist",
        f"create it with {topic.partitions} partitions, or set dead_letters.create: true",
    )


def _will_be_made(topic: WantedTopic) -> Finding:
    return Finding(
        f"topic {topic.name}",
        "the dead letter topic does not exist yet",
        "nothing, if this user may create topics: it is created at the start",
        Severity.WARNING,
    )


def _not_made(name: str, fault: str) -> Finding:
    return Finding(
        f"topic {name}",
        f"the dead letter topic does not exist and could not be created ({fault})",
        "create it yourself, or give this user the right to create topics; until then it is"
        " left to the broker whether the first dead letter creates it",
        Severity.WARNING,
    )


def _not_writable(name: str) -> Finding:
    return Finding(
        f"topic {name}",
        "this user may not write to the dead letter topic",
        "give the user in kafka.properties the right to write to it",
    )


def _too_few(name: str, partitions: int, source: str, wanted: int) -> Finding:
    return Finding(
        f"topic {name}",
        f"it has {partitions} partitions, fewer than the {wanted} of {source}",
        f"give it {wanted}: letters of the partitions beyond stand where their keys put them, and"
        " a replay then keeps the order of what has one key only",
        Severity.WARNING,
    )


def _too_small(name: str, limit: int, source: str, largest: int) -> Finding:
    return Finding(
        f"topic {name}",
        f"its max.message.bytes is {limit}, less than the {largest} of {source}",
        f"raise it to {largest + HEADROOM_BYTES}: a larger message could not be dead-lettered"
        " and would hold its partition",
        Severity.WARNING,
    )
