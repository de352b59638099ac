"""librdkafka's statistics, as far as they are read."""

import json

import pytest

from streamer.model import Partition
from streamer.source.statistics import Statistics, is_member, read_statistics


def test_membership_and_ends_are_read() -> None:
    partitions = {
        "-1": {"hi_offset": 9, "ls_offset": 9},
        "0": {"hi_offset": 12, "ls_offset": 10, "unknown": [1]},
        "1": {"hi_offset": 7, "ls_offset": -1001},
        "2": {"hi_offset": -1001, "ls_offset": -1001},
    }
    text = json.dumps(
        {
            "name": "x",
            "topics": {"t": {"topic": "t", "partitions": partitions}},
            "cgrp": {"state": "up", "join_state": "steady", "rebalance_cnt": 1},
        }
    )

    read = read_statistics(text)

    assert (read.group_state, read.join_state) == ("up", "steady")
    assert read.ends == {Partition("t", 0): 10, Partition("t", 1): 7}


@pytest.mark.parametrize(
    ("group_metadata", "join_state", "expected"),
    [
        (b"CGMDv2:\x02\x00\x00\x00group\x00id\x00", "init", True),
        (b"CGMDv2:\x00\x00\x00\x00group\x00id\x00", "init", False),
        (b"CGMDv2:\xff\xff\xff\xffgroup\x00id\x00", "wait-join", False),
        (b"CGMDv9:\x02\x00\x00\x00", "init", False),
        (b"CGMDv9:\x02\x00\x00\x00", "steady", True),
        (b"", "steady", True),
    ],
)
def test_a_member_has_a_generation(group_metadata: bytes, join_state: str, expected: bool) -> None:
    assert is_member(group_metadata, Statistics("up", join_state)) is expected


@pytest.mark.parametrize(
    ("group", "connection", "idle_us", "expected"),
    [
        ("up", "UP", 2_500_000, 2.5),
        ("up", "UP", -1, None),
        ("up", "APIVERSION_QUERY", 10, None),
        ("wait-coord", "UP", 10, None),
    ],
)
def test_the_coordinators_silence_is_known_while_there_is_a_connection_to_it(
    group: str, connection: str, idle_us: int, expected: float | None
) -> None:
    brokers = {
        "127.0.0.1:9092/1": {"state": "UP", "rxidle": 7},
        "GroupCoordinator": {"state": connection, "rxidle": idle_us},
    }

    read = read_statistics(json.dumps({"brokers": brokers, "cgrp": {"state": group}}))

    assert read.coordinator_silent_s == expected


def test_statistics_without_a_group_are_read_as_empty() -> None:
    assert read_statistics("{}") == Statistics()
