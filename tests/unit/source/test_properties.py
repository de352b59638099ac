"""Properties of the Kafka client: what is refused, and what the client is given."""

import pytest
from confluent_kafka import Consumer

from streamer.source.properties import (
    client_properties,
    property_findings,
    topics_refresh_s,
)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("enable.auto.commit", "delivery.commit_interval"),
        ("enable.auto.offset.store", "settled"),
        ("auto.offset.reset", "kafka.start"),
        ("enable.partition.eof", "always asked for"),
        ("group.id", "kafka.group_id"),
        ("bootstrap.servers", "kafka.bootstrap_servers"),
    ],
)
def test_a_property_that_streamer_owns_is_refused_with_what_to_set_instead(
    name: str, instead: str
) -> None:
    (finding,) = property_findings({name: "1"})

    assert finding.where == f"kafka.properties.{name}"
    assert instead in finding.do


@pytest.mark.parametrize(
    "name", ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"]
)
def test_a_property_that_kip_848_does_not_know_is_refused_only_there(name: str) -> None:
    value = "cooperative-sticky"

    assert property_findings({name: value}) == []
    (finding,) = property_findings({name: value, "group.protocol": "consumer"})
    assert finding.where == f"kafka.properties.{name}"


def test_another_assignment_strategy_and_another_group_protocol_are_refused() -> None:
    assert len(property_findings({"partition.assignment.strategy": "range"})) == 1
    assert len(property_findings({"group.remote.assignor": "uniform"})) == 1
    assert len(property_findings({"group.protocol": "share"})) == 1


def test_how_soon_later_topics_are_found_is_the_operators_but_not_whether() -> None:
    name = "topic.metadata.refresh.interval.ms"

    assert topics_refresh_s({}) == 30
    assert topics_refresh_s({name: "500"}) == 0.5
    assert client_properties("k:1", "g", {name: "500"})[name] == "500"
    assert property_findings({name: "500"}) == []
    for off in ("-1", "0"):
        (finding,) = property_findings({name: off})
        assert finding.where == f"kafka.properties.{name}"


def test_security_and_static_membership_are_the_operators() -> None:
    theirs = {"sasl.password": "x", "group.instance.id": "a", "client.id": "mine"}

    assert property_findings(theirs) == []
    assert client_properties("k:1", "g", theirs).items() >= theirs.items()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_the_client_starts_with_what_it_is_given_in_both_protocols(protocol: str) -> None:
    properties = client_properties("localhost:1", "g", {"group.protocol": protocol})

    Consumer({**properties, "log_level": 0}).close()


def test_no_finding_quotes_a_value() -> None:
    findings = property_findings({"group.id": "hush", "group.protocol": "hush"})

    assert "hush" not in str(findings)
