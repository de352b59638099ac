"""What the figures of lanes are computed of."""

from collections import Counter
from itertools import islice
from random import Random

import pytest

from bench.lanes.figure import floor
from bench.lanes.producing import Plan, drawn_instances
from bench.lanes.waits import Waits, merged, waits_of
from bench.lanes.zipf import Minute, Way
from bench.replies import Seen


def plan(instances: dict[str, float], *, in_turn: bool = False) -> Plan:
    return Plan("broker", "topic", 1, instances, 10, in_turn=in_turn)


def test_instances_are_drawn_by_their_share_of_the_traffic() -> None:
    drawn = islice(drawn_instances(plan({"much": 9.0, "little": 1.0}), Random(1)), 10_000)

    assert Counter(drawn)["little"] == pytest.approx(1_000, rel=0.1)


def test_instances_in_turn_come_equally_often() -> None:
    drawn = islice(drawn_instances(plan({"a": 9.0, "b": 1.0}, in_turn=True), Random(1)), 4)

    assert list(drawn) == ["a", "b", "a", "b"]


def test_a_percentile_is_the_wait_within_which_that_share_arrived() -> None:
    waits = Waits({10: 98, 500: 1, 2_000: 1})

    assert waits.percentile(0.5) == 0.01
    assert waits.percentile(0.99) == 0.5
    assert waits.percentile(1.0) == waits.most_s == 2.0
    assert waits.mean_s == pytest.approx(0.0348)


def test_waits_of_instances_that_were_not_seen_count_nothing() -> None:
    looks = {"a": Seen(waits_ms={1: 2}), "b": Seen(waits_ms={1: 1, 7: 1})}

    assert waits_of(looks, ["a", "nobody"]).events == 2
    assert merged([waits_of(looks, ["a"]), waits_of(looks, ["b"])]).counts == [(1, 3), (7, 1)]


def test_a_figure_below_its_floor_says_so() -> None:
    assert floor("lanes", "the share", 0.95, 0.95) == []
    assert floor("lanes", "the share", 0.9, 0.95) == [
        "lanes: the share is 90.0%, at least 95% wanted"
    ]


def test_the_limit_of_a_site_is_its_traffic_or_its_quota() -> None:
    bulk, single = Way("bulk", 100, ()), Way("bulk off", 1, ())

    assert single.limit < bulk.limit < 156_000  # 2,600 events a second
    assert bulk.saturated == ["site-1"]
    assert set(bulk.saturated) < set(single.saturated)
    assert not set(single.saturated) & set(single.under)


def test_calls_and_events_are_told_by_the_minute() -> None:
    minute = Minute({"a": Seen(calls=100, events=900), "b": Seen(calls=50)}, 30.0, 0, "")

    assert (minute.calls("a"), minute.calls("nobody")) == (200, 0)
    assert (minute.events, minute.batch) == (1_800, 6)
