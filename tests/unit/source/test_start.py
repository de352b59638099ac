"""The moment that a partition without an offset starts at."""

import pytest

from streamer.model import Partition, Position
from streamer.source.commit_metadata import MetadataRead
from streamer.source.start import Committed, Moment, moment_for, start_moment_ms

NOW_MS = 1_800_000_000_000
MINE = "1111"


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("latest", NOW_MS),
        ("earliest", 0),
        ("-2h", NOW_MS - 7_200_000),
        ("-500ms", NOW_MS - 500),
        ("-999999999d", 0),
        ("2026-11-01T00:00:00Z", 1_793_491_200_000),
        ("2026-11-01T01:00:00+01:00", 1_793_491_200_000),
    ],
)
def test_every_form_of_a_start_is_a_moment(text: str, moment_ms: int) -> None:
    assert start_moment_ms(text, NOW_MS) == moment_ms


@pytest.mark.parametrize("text", ["", "yesterday", "2h", "2026-11-01T00:00:00"])
def test_what_names_no_moment_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        start_moment_ms(text, NOW_MS)


def committed(topic: str, number: int, moment_ms: int | None, subscription: str) -> Committed:
    read = MetadataRead(started_at_ms=moment_ms, subscription=subscription)
    return Committed(Partition(topic, number), Position(7), read)


def test_the_earliest_moment_of_the_own_topic_counts_whatever_the_subscription_was() -> None:
    known = [
        committed("a", 0, 500, "another"),
        committed("a", 1, 400, MINE),
        committed("b", 0, 100, MINE),
    ]

    assert moment_for("a", known, MINE, NOW_MS) == Moment(400, "topic")


def test_a_topic_that_appeared_later_starts_where_the_subscription_started() -> None:
    known = [
        committed("b", 0, 300, MINE),
        committed("c", 0, 200, MINE),
        committed("d", 0, 100, "another"),
        committed("a", 0, None, MINE),
    ]

    assert moment_for("a", known, MINE, NOW_MS) == Moment(200, "subscription")


def test_a_topic_that_was_added_to_the_configuration_starts_as_configured() -> None:
    known = [committed("b", 0, 300, "before"), Committed(Partition("a", 0), None)]

    assert moment_for("a", known, MINE, NOW_MS) == Moment(NOW_MS, "configuration")
