"""Which dead letter topics are made, and what is found wrong with those that are there?"""

from collections.abc import Iterable, Mapping, Sequence

import pytest

from streamer.dead_letters.client_properties import shared_properties
from streamer.dead_letters.topics import (
    RETENTION_MS,
    Described,
    TopicState,
    WantedTopic,
    ensure,
    inspect,
    refusals,
)
from streamer.errors import Finding, Severity

SOURCE = TopicState(partitions=12, replication=3, max_message_bytes=1_000_000)
LETTERS = TopicState(12, 3, 1_065_536, writable=True)


class Cluster:
    """A cluster as the admin client shows it."""

    def __init__(self, fault: str | None = None, **topics: TopicState) -> None:
        self.topics = {name.replace("_", "."): state for name, state in topics.items()}
        self.fault = fault
        self.made: list[WantedTopic] = []

    def describe(self, names: Iterable[str]) -> Described | Finding:
        return Described({name: self.topics[name] for name in names if name in self.topics})

    def create(self, wanted: Sequence[WantedTopic]) -> Mapping[str, str | None]:
        self.made += wanted
        return {topic.name: self.fault for topic in wanted}


async def test_a_missing_topic_is_made_as_its_source_with_room_for_our_headers() -> None:
    cluster = Cluster(billing=SOURCE)
    assert await ensure(cluster, "{topic}.dlq", ["billing"], create=True) == ()
    assert cluster.made == [
        WantedTopic(
            "billing.dlq",
            "billing",
            12,
            3,
            {"retention.ms": str(RETENTION_MS), "max.message.bytes": "1065536"},
        )
    ]


async def test_one_topic_for_several_sources_is_as_large_as_the_largest() -> None:
    small = TopicState(3, 3, 2_000_000)
    cluster = Cluster(billing=SOURCE, orders=small)
    await ensure(cluster, "dead", ["orders", "billing"], create=True)
    (made,) = cluster.made
    assert made.partitions == 12
    assert made.config["max.message.bytes"] == "2065536"


async def test_a_topic_that_is_there_is_left_alone() -> None:
    cluster = Cluster(billing=SOURCE, billing_dlq=LETTERS)
    assert await ensure(cluster, "{topic}.dlq", ["billing"], create=True) == ()
    assert cluster.made == []


async def test_one_with_fewer_partitions_than_its_source_is_told_and_left_alone() -> None:
    few = TopicState(3, 3, 1_065_536, writable=True)
    cluster = Cluster(billing=SOURCE, billing_dlq=few)
    (finding,) = await inspect(cluster, "{topic}.dlq", ["billing"], create=True)
    assert finding.where == "topic billing.dlq"
    assert "3 partitions, fewer than the 12 of billing" in finding.found
    assert "give it 12" in finding.do
    assert finding.severity is Severity.WARNING
    assert await ensure(cluster, "{topic}.dlq", ["billing"], create=True) == (finding,)
    assert cluster.made == []
    assert refusals("{topic}.dlq", ["billing"], [finding]) == {}


async def test_nothing_is_made_for_a_source_that_does_not_exist() -> None:
    cluster = Cluster()
    assert await ensure(cluster, "{topic}.dlq", ["billing"], create=True) == ()
    assert cluster.made == []


async def test_a_topic_that_cannot_be_made_is_a_finding_and_no_failure() -> None:
    cluster = Cluster(fault="not authorized", billing=SOURCE)
    (finding,) = await ensure(cluster, "{topic}.dlq", ["billing"], create=True)
    assert finding.where == "topic billing.dlq"
    assert "not authorized" in finding.found
    assert finding.severity is Severity.WARNING


async def test_a_missing_topic_that_is_not_to_be_made_is_an_error() -> None:
    cluster = Cluster(billing=SOURCE)
    for look in (ensure, inspect):
        (finding,) = await look(cluster, "{topic}.dlq", ["billing"], create=False)
        assert finding.severity is Severity.ERROR
        assert "12 partitions" in finding.do
        assert "dead_letters.create" in finding.do
    assert cluster.made == []


async def test_looking_makes_nothing() -> None:
    cluster = Cluster(billing=SOURCE)
    (finding,) = await inspect(cluster, "{topic}.dlq", ["billing"], create=True)
    assert finding.severity is Severity.WARNING
    assert cluster.made == []


async def test_a_smaller_limit_than_the_sources_names_the_limit_to_set() -> None:
    cluster = Cluster(billing=SOURCE, billing_dlq=TopicState(12, 3, 999_999, True))
    (finding,) = await inspect(cluster, "{topic}.dlq", ["billing"], create=True)
    assert "999999" in finding.found
    assert "1065536" in finding.do


@pytest.mark.parametrize(("writable", "findings"), [(True, 0), (None, 0), (False, 1)])
async def test_a_missing_right_to_write_is_an_error(writable: bool | None, findings: int) -> None:
    cluster = Cluster(billing=SOURCE, billing_dlq=TopicState(12, 3, 1_065_536, writable))
    found = await inspect(cluster, "{topic}.dlq", ["billing"], create=True)
    assert len(found) == findings


def test_what_steers_consuming_is_not_given_to_other_clients() -> None:
    given = {"security.protocol": "SASL_SSL", "group.instance.id": "a", "isolation.level": "x"}
    assert shared_properties(given) == {"security.protocol": "SASL_SSL"}
