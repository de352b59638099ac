"""Is a lane's quota used, shared with processes it knows nothing of, and without long waits?"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.simulation.clock import Clock
from tests.simulation.platform import EndpointQuota
from tests.simulation.quota_sharing import (
    STEADY_FROM_S,
    Sharing,
    all_leave_but_one,
    full_pace_after_s,
    saturated,
    wait_s,
    with_little_traffic,
)
from tests.simulation.sharer import QUOTA, Sharer

# --- shared by several --------------------------------------------------------------------------


@pytest.mark.parametrize(("processes", "says_retry_after"), [(2, False), (5, False), (5, True)])
def test_saturated_processes_use_most_of_the_quota_and_leave_it_to_one_within_minutes(
    processes: int, says_retry_after: bool
) -> None:
    sharing = saturated(processes, says_retry_after=says_retry_after)
    sharing.run(1500)
    accepted = sharing.accepted_a_minute(STEADY_FROM_S, 1500)
    throttled = sharing.throttled_a_minute(STEADY_FROM_S, 1500)
    assert 0.9 * QUOTA <= sum(accepted) <= QUOTA
    assert min(accepted) > 0.5 * QUOTA / processes
    assert max(throttled) < 4

    all_leave_but_one(sharing)
    sharing.run(1500 + 400)
    assert full_pace_after_s(sharing.processes[0], 1500) < 330


@pytest.mark.parametrize("processes", [2, 5])
def test_a_process_with_little_traffic_gets_through_beside_saturated_ones(processes: int) -> None:
    sharing = with_little_traffic(processes, every_s=5.0)
    sharing.run(1800)
    accepted = sharing.accepted_a_minute(STEADY_FROM_S, 1800)
    assert accepted[0] == pytest.approx(12, abs=3)
    assert sum(accepted) > 0.85 * QUOTA
    assert wait_s(sharing.processes[0], 0.9, STEADY_FROM_S) < 1
    assert wait_s(sharing.processes[0], 0.99, STEADY_FROM_S) < 15


# --- alone --------------------------------------------------------------------------------------


def alone(seed: int, batch_most: int = 100) -> Sharing:
    clock = Clock(Random(seed))
    quota = EndpointQuota(QUOTA, counts_throttled=False)
    return Sharing(clock, [Sharer(clock, quota, False, batch_most)])


@pytest.mark.parametrize("batch_most", [1, 100])
def test_a_saturated_lane_makes_nearly_all_calls_of_its_quota_and_none_is_throttled(
    batch_most: int,
) -> None:
    sharing = alone(1, batch_most)
    sharing.processes[0].is_saturated = True
    sharing.run(600)
    assert sharing.accepted_a_minute(0, 600)[0] >= 0.95 * QUOTA
    assert sharing.accepted_a_minute(500, 560)[0] >= 0.95 * QUOTA
    assert not sharing.processes[0].throttled


idle = st.tuples(st.just("idle"), st.floats(1, 90), st.just(0.0))
burst = st.tuples(st.just("burst"), st.floats(0, 5), st.floats(10, 600))
steady = st.tuples(st.just("steady"), st.floats(1, 90), st.just(10.0))
phases = st.lists(idle | burst | steady, max_size=5)


@settings(max_examples=examples(20))
@given(st.integers(0, 10**6), phases, st.booleans())
def test_ten_events_a_second_wait_less_than_a_second_whatever_was_before(
    seed: int, before: list[tuple[str, float, float]], is_even: bool
) -> None:
    sharing = alone(seed)
    process, clock = sharing.processes[0], sharing.clock
    at = clock.random.random()
    for kind, length_s, amount in before:
        events = int(amount) if kind == "burst" else int(length_s * amount)
        for _ in range(events):
            clock.at(at + clock.random.uniform(0, length_s), process.event)
        at += length_s + 0.001
    # What a burst left behind goes first: six calls at the most, at their distance.
    at += 4.0
    for number in range(1000):
        distance = number / 10 if is_even else clock.random.uniform(0, 100)
        clock.at(at + distance, process.event)
    sharing.run(at + 110)

    assert wait_s(process, 0.99, since=at) < 1
    assert not process.throttled
