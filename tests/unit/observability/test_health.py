"""When is a process ready, and when is it no longer alive?"""

import pytest

from streamer.observability.health import TURN_MOST_S, Health, live, ready


@pytest.mark.parametrize("age_s", [0.0, 1.0, 59.0, TURN_MOST_S])
def test_a_process_whose_threads_turned_within_a_minute_is_alive(age_s: float) -> None:
    assert live(age_s, age_s).ok


def test_a_thread_that_has_not_turned_for_more_than_a_minute_is_named() -> None:
    assert live(61.0, 0.0).reasons == ("the poll thread has not turned for 61 s",)
    assert live(0.0, 75.4).reasons == ("the event loop has not turned for 75 s",)
    assert len(live(61.0, 61.0).reasons) == 2


def test_a_member_of_the_group_is_ready_whatever_keeps_it_from_reading() -> None:
    assert ready(True, None, {}).ok
    assert ready(True, "no topic matches yet", {}).ok
    assert ready(True, "all partitions are paused", {"registry": ""}).ok


def test_whoever_is_not_in_the_group_says_what_it_waits_for() -> None:
    assert ready(False, "the Kafka cluster has not answered yet", {}).reasons == (
        "the Kafka cluster has not answered yet",
    )
    assert ready(False, None, {}).reasons == ("not in the consumer group yet",)


def test_each_dependency_that_refuses_us_is_a_reason_of_its_own() -> None:
    refusals = {"registry": "does not let us in (401)", "dead letters of a": "no such topic"}

    assert ready(True, None, refusals).reasons == (
        "registry: does not let us in (401)",
        "dead letters of a: no such topic",
    )


def test_health_without_a_reason_against_it_is_ok() -> None:
    assert Health().ok
    assert not Health(("why",)).ok
