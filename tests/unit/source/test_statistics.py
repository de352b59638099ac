"""librdkafka's statistics, as far as they are read."""

import json

from streamer.model import Partition
from streamer.source.statistics import read_statistics


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

    assert read.joined
    assert read.ends == {Partition("t", 0): 10, Partition("t", 1): 7}


def test_a_client_that_has_not_joined_is_no_member() -> None:
    assert not read_statistics('{"cgrp": {"state": "up", "join_state": "wait-join"}}').joined
    assert not read_statistics("{}").joined
