"""When a lane's next call may start: never too many in a minute, and never a stop."""

import random
from bisect import bisect_left, bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.delivery.core import CoreSettings, EndpointSettings
from streamer.delivery.outcomes import Outcome, Throttled
from streamer.delivery.quota import (
    AT_ONCE_SHARE,
    LATE_MOST_S,
    MINUTE_S,
    PACE_CUT,
    PACE_LEAST,
    USED_SHARE,
    QuotaMinute,
)
from tests.effort import examples
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    UNAVAILABLE,
    Bench,
    bulk_answer,
    json_answer,
    result,
)

AT_ONCE = int(200 * USED_SHARE * AT_ONCE_SHARE)


def most_in_a_minute(starts: list[float]) -> int:
    """Of any 60 seconds, the end not included."""
    return max(
        (bisect_left(starts, start + MINUTE_S - 1e-6) - i for i, start in enumerate(starts)),
        default=0,
    )


def next_start(quota: QuotaMinute, now: float) -> float:
    """When the next call really starts: at the moment that was told it may be put off again."""
    while (at := quota.next_at(now)) > now:
        now = at
    return now


def saturate(quota: QuotaMinute, now: float, until: float) -> list[float]:
    """Start a call whenever one may."""
    starts = []
    while (now := next_start(quota, now)) < until:
        quota.started(now)
        starts.append(now)
    return starts


# --- the minute ---------------------------------------------------------------------------------


@settings(max_examples=examples(100))
@given(
    per_minute=st.integers(1, 400),
    pauses=st.lists(st.floats(0.0, 90.0) | st.just(0.0), min_size=1, max_size=20),
    bursts=st.lists(st.integers(1, 150), min_size=1, max_size=20),
)
def test_no_sliding_minute_has_more_calls_than_the_quota(
    per_minute: int, pauses: list[float], bursts: list[int]
) -> None:
    quota = QuotaMinute(per_minute)
    now, starts = 1000.0, []
    for pause_s, burst in zip(pauses, bursts, strict=False):
        now += pause_s
        for _ in range(burst):
            now = next_start(quota, now)
            quota.started(now)
            starts.append(now)
    assert most_in_a_minute(starts) <= max(1, int(per_minute * USED_SHARE))


@settings(max_examples=examples(100))
@given(
    per_minute=st.integers(2, 300),
    steps=st.lists(
        st.tuples(st.sampled_from(["throttled", "well", "wait", "calls"]), st.integers(1, 60)),
        max_size=60,
    ),
)
def test_the_quota_holds_whatever_the_pace_does(
    per_minute: int, steps: list[tuple[str, int]]
) -> None:
    quota = QuotaMinute(per_minute)
    most = quota.most
    now, starts = 1000.0, []
    for what, amount in steps:
        if what == "throttled":
            quota.throttled(now, now)
        elif what == "well":
            for _ in range(amount):
                quota.went_well()
        elif what == "wait":
            now += amount
        else:
            for _ in range(amount):
                now = next_start(quota, now)
                quota.started(now)
                starts.append(now)
        assert 1 <= quota.most <= most
    assert most_in_a_minute(starts) <= most


@pytest.mark.parametrize("per_minute", [1, 2, 3, 7, 60, 200, 201, 600])
def test_a_lane_with_enough_to_send_uses_its_quota_and_never_stops(per_minute: int) -> None:
    starts = saturate(QuotaMinute(per_minute), 0.0, 600.0)
    most = max(1, int(per_minute * USED_SHARE))
    assert most - 1 <= most_in_a_minute(starts) <= most
    later = starts[bisect_left(starts, 120.0) :]
    assert len(later) >= 0.99 * most * 8 - 1
    even_s = 60 / most
    assert max(after - before for before, after in pairwise(later)) <= 2 * even_s + 1e-6


def test_a_loop_that_comes_late_to_every_call_loses_no_calls_by_it() -> None:
    quota, starts, now = QuotaMinute(200), [], 0.0
    while now < 600.0:
        now = next_start(quota, now + LATE_MOST_S / 2)
        quota.started(now)
        starts.append(now)
    assert most_in_a_minute(starts) <= 196
    assert len(starts) - bisect_right(starts, 120.0) >= 0.98 * 196 * 8


def test_a_quarter_goes_at_once_then_a_distance_grows_and_half_of_the_minute_is_spread() -> None:
    starts = saturate(QuotaMinute(200), 1000.0, 1060.0)
    at_once = bisect_right(starts, 1000.0)
    assert AT_ONCE <= at_once <= AT_ONCE + 1
    assert 195 <= len(starts) <= 196
    gaps = [after - before for before, after in pairwise(starts)]
    growing, even = gaps[at_once:97], gaps[99:]
    assert growing == sorted(growing)
    assert growing[-1] < even[0]
    assert max(even) - min(even) < 0.01


def test_a_quota_of_one_is_one_a_minute() -> None:
    assert saturate(QuotaMinute(1), 0.0, 300.0) == [0.0, 60.0, 120.0, 180.0, 240.0]


def test_what_was_not_used_is_not_saved_up() -> None:
    quota = QuotaMinute(200)
    assert quota.next_at(10_000.0) <= 10_000.0
    assert 195 <= most_in_a_minute(saturate(quota, 10_000.0, 10_180.0)) <= 196


def test_times_that_differ_by_a_rounding_do_not_stop_it() -> None:
    chance = random.Random(4)
    quota = QuotaMinute(200)
    now = 1e9 + chance.random()
    for _ in range(2_000):
        asked = 0
        while (at := quota.next_at(now)) > now:
            now = at
            asked += 1
        assert asked <= 3
        quota.started(now)


def test_a_large_quota_costs_no_more_to_ask_than_a_small_one() -> None:
    class Counted(float):
        seen = 0

        def __add__(self, other: float) -> float:
            Counted.seen += 1
            return float(self) + other

    quota = QuotaMinute(1_000_000)
    for number in range(600_000):
        quota._starts.append(Counted(number / 20_000))
    quota.next_at(50.0)
    assert 0 < Counted.seen <= 500


# --- the pace -----------------------------------------------------------------------------------


def test_a_429_lowers_the_pace_and_success_raises_it_up_to_the_quota() -> None:
    quota = QuotaMinute(200)
    quota.throttled(10.0, 10.1)
    assert quota.most == int(196 * PACE_CUT)
    for _ in range(2_000):
        quota.went_well()
    assert quota.most == 196


def test_answers_of_calls_that_were_under_way_tell_the_same_story() -> None:
    quota = QuotaMinute(200)
    for ended in range(50):
        quota.throttled(10.0, 10.1 + ended / 100)
    assert quota.most == int(196 * PACE_CUT)
    quota.throttled(11.0, 11.1)
    assert quota.most == int(196 * PACE_CUT**2)


@pytest.mark.parametrize("per_minute", [1, 2, 200])
def test_the_pace_never_falls_to_nothing(per_minute: int) -> None:
    quota = QuotaMinute(per_minute)
    for second in range(100):
        quota.throttled(second, second + 0.1)
    assert quota.most >= min(PACE_LEAST, per_minute * USED_SHARE, 1)
    assert quota.next_at(1000.0) <= 1000.0


def test_a_lower_pace_counts_the_calls_of_before() -> None:
    quota = QuotaMinute(200)
    for _ in range(98):
        quota.started(0.0)
    for second in range(1, 10):
        quota.throttled(second, second + 0.1)
    assert quota.most < 98
    assert quota.next_at(10.0) == 60.0


# --- in the core --------------------------------------------------------------------------------


def limited(per_minute: int | None = 200, **more: object) -> Bench:
    settings = CoreSettings(**more)  # type: ignore[arg-type]  # as it is
    return Bench(settings, endpoint=EndpointSettings(quota_per_minute=per_minute))


def run(bench: Bench, seconds: float, outcome: Outcome = ACCEPTED) -> list[float]:
    """Answer each call at once; gives when they started."""
    starts, end = [], bench.now + seconds
    while bench.now < end:
        for call in bench.calls():
            starts.append(call.started_at)
            bench.answer(call, outcome)
        bench.wait(min(0.05, end - bench.now))
    return starts


def test_each_lane_has_a_quota_of_its_own() -> None:
    bench = limited()
    bench.fill(range(300))
    bench.fill(range(300, 310), instance="other-site")
    calls = bench.calls()
    by_lane = [call.batch.lane.instance for call in calls]
    assert (by_lane.count("site"), by_lane.count("other-site")) == (AT_ONCE + 1, 10)


def test_the_triggers_of_a_lane_share_its_quota() -> None:
    bench = limited()
    for offset in range(300):
        bench.fill(range(offset, offset + 1), trigger=f"t{offset % 3}")
    calls = bench.calls()
    assert len(calls) == AT_ONCE + 1
    assert {call.batch.trigger for call in calls} == {"t0", "t1", "t2"}


def test_a_bulk_call_counts_once() -> None:
    bench = limited(batch_most=100)
    bench.fill(range(20_000))
    assert sum(len(call.jobs) for call in bench.calls()) == 100 * (AT_ONCE + 1)


def test_calls_that_fail_count_too() -> None:
    bench = limited(max_in_flight=500)
    bench.fill(range(400))
    starts = run(bench, 180.0, UNAVAILABLE)
    assert most_in_a_minute(sorted(starts)) <= 196


def test_without_a_quota_everything_goes() -> None:
    bench = limited(None, max_in_flight=1000)
    bench.fill(range(1000))
    assert len(bench.calls()) == 1000


def test_a_saturated_lane_uses_its_quota_in_the_core_too() -> None:
    bench = limited()
    bench.fill(range(2_000))
    starts = run(bench, 300.0)
    assert most_in_a_minute(starts) <= 196
    assert len(starts) >= 0.95 * 200 * 5


def test_a_lane_that_was_forgotten_and_comes_again_has_its_minute_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamer.delivery.lanes.SWEEP_FROM", 500)
    bench = limited()
    bench.fill(range(AT_ONCE))
    run(bench, 1.0)
    for offset in range(98, 698):
        bench.fill(range(offset, offset + 1), instance=f"site-{offset}")
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
    assert len(bench.core.lanes) < 300
    assert "site" not in [lane.key.instance for lane in bench.core.lanes]
    bench.fill(range(698, 798))
    assert len(bench.calls()) <= 2, "not a quarter of the minute's again"


def test_a_429_to_a_bulk_call_lowers_the_pace_once() -> None:
    bench = limited(batch_most=100)
    bench.fill(range(300))
    calls = bench.calls()
    bench.now += 0.1
    for call in calls:
        bench.exchange(call, json_answer(429, {}))
    (lane,) = bench.core.lanes
    assert lane.quota is not None
    assert lane.quota.most == int(196 * PACE_CUT)


def test_items_that_are_throttled_lower_the_pace_once() -> None:
    bench = limited(batch_most=100)
    bench.fill(range(10))
    call = bench.call()
    bench.now += 0.1
    failed = [result(index, code="RESOURCE_EXHAUSTED") for index in range(10)]
    bench.exchange(call, bulk_answer(*failed))
    (lane,) = bench.core.lanes
    assert lane.quota is not None
    assert lane.quota.most == int(196 * PACE_CUT)


# --- what holds a lane until a time -------------------------------------------------------------


def test_a_throttle_that_is_over_before_the_quota_lets_no_call_go() -> None:
    bench = limited(1)
    bench.fill(range(3))
    first = bench.call()
    bench.answer(first, Throttled(1.0))
    began = bench.now
    starts = run(bench, 100.0)
    assert len(starts) == 1
    assert 60.0 <= starts[0] - began <= 61.0


def test_a_throttle_that_is_longer_than_the_quota_holds_on() -> None:
    bench = limited(1)
    bench.fill(range(3))
    first = bench.call()
    assert bench.calls() == []
    bench.answer(first, Throttled(300.0))
    began = bench.now
    starts = run(bench, 400.0)
    assert starts[0] - began >= 300.0
    assert len(starts) == 2


def test_a_volley_of_429_is_one_story_and_the_longest_retry_after_counts() -> None:
    bench = limited(None)
    bench.fill(range(50))
    calls = bench.calls()
    bench.now += 0.1
    for number, call in enumerate(calls):
        bench.answer(call, Throttled(3.0 if number == 7 else None))
        bench.now += 0.001
    starts = run(bench, 10.0)
    assert starts[0] - 1000.0 >= 3.0
    assert starts[0] - 1000.0 <= 5.0, "one second of pause, not those of fifty in a row"


def test_holds_at_five_thousand_calls_a_second_leave_no_timers_behind() -> None:
    bench = limited(200)
    due = []
    for offset in range(8_000):
        bench.fill(range(offset, offset + 1), instance=f"site-{offset % 50}")
        bench.now += 0.0002
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
        due.append(len(bench.core.timers))
    assert max(due) <= 50 + 10, "one a lane at most"
