"""The quota of a lane that was forgotten holds until its minute is over, and costs little."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.delivery.quota import MINUTE_S, QuotaMinute
from streamer.delivery.spent import DROPPED_A_SECOND, DROPPED_WITH_EACH, SpentQuotas
from streamer.delivery.timers import Timers
from streamer.model import LaneKey
from tests.effort import examples

PER_MINUTE = 10


def site(number: int) -> LaneKey:
    return LaneKey("default", f"site-{number}")


class Desk:
    """Quotas that are remembered, and a clock that does not stand between its seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = Timers()
        self.spent = SpentQuotas(self.timers)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers.next_due is not None and self.timers.next_due <= end:
            self.now = max(self.now, self.timers.next_due)
            self.timers.fire(self.now)
        self.now = end

    def keep(self, sites: range) -> None:
        for number in sites:
            self.spent.keep(site(number), QuotaMinute(PER_MINUTE), self.now)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_quota_is_remembered_for_a_minute_and_no_longer(desk: Desk) -> None:
    quota = QuotaMinute(PER_MINUTE)
    desk.spent.keep(site(0), quota, desk.now)
    desk.wait(MINUTE_S - 0.001)
    # Those that come drop what is over.
    desk.keep(range(1, 10))
    assert desk.spent.take(site(0)) is quota
    desk.spent.keep(site(0), quota, desk.now)
    desk.wait(MINUTE_S + 1.0)
    assert desk.spent.take(site(0)) is None
    assert len(desk.timers) == 0


def test_a_quota_that_was_taken_is_not_there_twice(desk: Desk) -> None:
    desk.keep(range(1))
    assert desk.spent.take(site(0)) is not None
    assert desk.spent.take(site(0)) is None


def test_one_that_is_kept_again_is_remembered_from_then_on(desk: Desk) -> None:
    desk.keep(range(2))
    desk.wait(40.0)
    quota = desk.spent.take(site(0))
    assert quota is not None
    desk.spent.keep(site(0), quota, desk.now)
    desk.wait(40.0)
    assert desk.spent.take(site(1)) is None
    assert desk.spent.take(site(0)) is quota


def test_no_more_are_remembered_than_came_in_two_minutes(desk: Desk) -> None:
    rates = [100, 100, 100, 10, 1, 200, 5]
    seconds = [rate for rate in rates for _ in range(60)]
    came = 0
    for second, rate in enumerate(seconds):
        desk.keep(range(came, came + rate))
        came += rate
        assert len(desk.spent) <= sum(seconds[max(0, second - 119) : second + 1])
        desk.wait(1.0)
    desk.wait(3 * MINUTE_S)
    assert len(desk.spent) == 0


def test_nothing_ever_drops_more_than_a_few_of_them_at_once(desk: Desk) -> None:
    desk.keep(range(5_000))
    desk.wait(MINUTE_S)
    left = len(desk.spent)
    assert left == 5_000 - DROPPED_A_SECOND
    desk.keep(range(5_000, 5_001))
    assert len(desk.spent) == left + 1 - DROPPED_WITH_EACH
    left = len(desk.spent)
    while left > 1:
        desk.wait(1.0)
        assert left - len(desk.spent) <= DROPPED_A_SECOND
        assert len(desk.spent) < left
        left = len(desk.spent)


def test_one_that_is_taken_and_kept_again_and_again_sets_one_timer(desk: Desk) -> None:
    for _ in range(100):
        desk.keep(range(1))
        desk.spent.take(site(0))
    assert len(desk.timers) == 1


@settings(max_examples=examples(100))
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from([0.1, 3.0, 6.0, 31.0, 59.9])),
        min_size=1,
        max_size=10,
    )
)
def test_a_quota_holds_in_every_sliding_minute_whenever_its_lane_is_forgotten(
    calls: list[tuple[int, float]],
) -> None:
    desk = Desk()
    starts: list[float] = []
    for number, (times, pause_s) in enumerate(calls, 1):
        for _ in range(times):
            quota = desk.spent.take(site(0)) or QuotaMinute(PER_MINUTE)
            if quota.next_at(desk.now) <= desk.now:
                quota.started(desk.now)
                starts.append(desk.now)
            if quota.is_spent(desk.now):
                desk.spent.keep(site(0), quota, desk.now)
            desk.wait(2.0)
        desk.wait(pause_s)
        desk.keep(range(number, number + 1))
    for first in starts:
        in_a_minute = [start for start in starts if first <= start < first + MINUTE_S]
        assert len(in_a_minute) <= PER_MINUTE
