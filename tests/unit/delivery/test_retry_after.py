"""For how long does the endpoint's own word (`Retry-After`) hold a lane, a trigger or a report?"""

from collections.abc import Callable

import pytest

from streamer.delivery.channels import BREAKER_THRESHOLD
from streamer.delivery.core import CoreSettings
from streamer.delivery.outcomes import Throttled, Unavailable
from tests.unit.delivery.bench_core import ACCEPTED, Bench

YEAR_S = 365 * 86_400.0
HOUR_S = 3600.0
PAUSE_MOST_S = 60.0
"""The longest of the pauses of our own, which are added."""

THROTTLED = Throttled(YEAR_S)
DOWN = Unavailable("503", 503, False, YEAR_S)


def throttle_the_lane(bench: Bench) -> None:
    bench.fill(range(1))
    bench.answer(bench.call(), THROTTLED)


def fail_one_report(bench: Bench) -> None:
    bench.fill(range(1))
    bench.answer(bench.call(), DOWN)


def open_the_breaker(bench: Bench) -> None:
    bench.fill(range(BREAKER_THRESHOLD))
    for call in bench.calls():
        bench.answer(call, DOWN)


@pytest.mark.parametrize("batch_most", [1, 100])
@pytest.mark.parametrize("happens", [throttle_the_lane, fail_one_report, open_the_breaker])
def test_a_retry_after_of_a_year_is_kept_to_an_hour(
    happens: Callable[[Bench], None], batch_most: int
) -> None:
    bench = Bench(CoreSettings(batch_most=batch_most))
    happens(bench)
    began = bench.now
    while not (calls := bench.calls()):
        bench.wait(1.0)
        assert bench.now - began <= HOUR_S + PAUSE_MOST_S + 1.0
    assert bench.now - began >= HOUR_S
    for call in calls:
        bench.answer(call, ACCEPTED)
    assert bench.letters == []


def test_a_lane_that_was_told_to_wait_an_hour_again_and_again_waits_an_hour_each_time() -> None:
    bench = Bench()
    throttle_the_lane(bench)
    for _ in range(3):
        began = bench.now
        while not (calls := bench.calls()):
            bench.wait(1.0)
            assert bench.now - began <= HOUR_S + PAUSE_MOST_S + 1.0
        bench.answer(calls[0], THROTTLED)


def test_the_lanes_beside_it_do_not_wait() -> None:
    bench = Bench()
    bench.fill(range(1), instance="told to wait")
    bench.answer(bench.call(), THROTTLED)
    bench.fill(range(1, 4), instance="another")
    assert len(bench.calls()) == 3
