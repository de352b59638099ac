"""What waits too long in a held lane is dead-lettered, where `delivery.hold` says so."""

import pytest

from streamer.delivery.core import CoreSettings, EndpointSettings
from streamer.delivery.flood import FLOOD_REFUSALS
from streamer.delivery.outcomes import Denied, Outcome, Throttled, Unauthorized, Unavailable
from streamer.model import Action, Reason, Refusal, RefusedReport
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    LOST,
    OWNED,
    UNAVAILABLE,
    Bench,
    offsets,
    report,
)

HOUR_S = 3600.0


def holding(
    after_s: float | None = HOUR_S, quota: int | None = None, grants: bool = True, **more: object
) -> Bench:
    settings = CoreSettings(hold_after_s=after_s, **{"batch_most": 100, **more})  # type: ignore[arg-type]
    return Bench(settings, grants, EndpointSettings(quota_per_minute=quota))


def held(bench: Bench) -> int:
    bench.write_letters()
    assert {reason for reason, _ in bench.letters} <= {Reason.LANE_HELD}
    return len(bench.letters)


def fail_probes(bench: Bench, seconds: float, outcome: Denied | Unavailable) -> None:
    end = bench.now + seconds
    while bench.now < end:
        for call in bench.calls():
            bench.answer(call, outcome)
        bench.write_letters()
        bench.wait(min(30.0, end - bench.now))


# --- each way to be held ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "why"),
    [(UNAVAILABLE, "breaker: 503"), (Denied("403"), "breaker: 403")],
    ids=["outage", "denied"],
)
def test_what_a_breaker_holds_for_too_long_is_dead_lettered(outcome: Denied, why: str) -> None:
    bench = holding(batch_most=1)
    bench.fill(range(20))
    fail_probes(bench, HOUR_S - 120.0, outcome)
    assert held(bench) == 0
    bench.fill(range(20, 25))
    fail_probes(bench, 400.0, outcome)
    assert held(bench) >= 19, "all but a probe"
    assert all(job.entry.message.offset >= 20 for job in _waiting(bench))


def _waiting(bench: Bench) -> list:  # type: ignore[type-arg]
    return [
        job
        for lane in bench.core.lanes
        for channel in lane.channels.values()
        for queue in (channel.reports, channel.cancels, *channel.apart)
        for job in queue
    ]


def test_what_waits_for_a_token_for_too_long_is_dead_lettered() -> None:
    bench = holding(grants=False)
    bench.fill(range(5))
    assert bench.calls() == []
    bench.wait(HOUR_S - 61.0)
    assert held(bench) == 0
    bench.wait(122.0)
    assert held(bench) == 5
    assert bench.position == 5


def test_what_a_throttle_holds_for_too_long_is_dead_lettered() -> None:
    bench = holding(after_s=600.0)
    bench.fill(range(5))
    bench.answer(bench.call(), Throttled(1800.0))
    bench.wait(540.0)
    assert held(bench) == 0
    bench.wait(120.0)
    assert held(bench) == 5


def test_what_a_spent_quota_holds_for_too_long_is_dead_lettered() -> None:
    bench = holding(after_s=30.0, quota=1, batch_most=1)
    bench.fill(range(3))
    bench.answer(bench.call(), ACCEPTED)
    assert bench.calls() == []
    bench.wait(28.0)
    assert held(bench) == 0
    bench.wait(4.0)
    assert held(bench) == 2
    assert bench.position == 3


def test_cancels_and_parts_of_a_call_are_dead_lettered_too() -> None:
    bench = holding(max_in_flight=2)
    for offset in range(2):
        bench.fill(range(offset, offset + 1), action=Action.CANCEL, entity=f"e{offset}")
    bench.fill(range(2, 10))
    calls = bench.calls()
    for call in calls:
        bench.refuse_whole(call)
    assert len(_waiting(bench)) == 10
    bench.answer(bench.calls()[0], Denied("403"))
    fail_probes(bench, HOUR_S + 400.0, Denied("403"))
    assert held(bench) >= 6


def test_what_waits_where_calls_hang_is_dead_lettered_once_none_got_through_for_so_long() -> None:
    """Found by a stranger: a site that got through now and then lost what only had to wait."""
    bench = holding(after_s=120.0, batch_most=1, max_in_flight=1)
    bench.fill(range(100))

    def calls(*outcomes: Outcome) -> None:
        for outcome in outcomes:
            call = bench.call()
            bench.wait(10.0)
            bench.answer(call, outcome)

    for _ in range(12):
        calls(LOST, LOST, LOST, LOST, ACCEPTED)
    assert held(bench) == 0
    calls(*[LOST] * 9)
    assert held(bench) == 0
    bench.wait(45.0)
    assert held(bench) >= 80


# --- who is not -------------------------------------------------------------------------------


def test_nothing_is_dead_lettered_for_waiting_by_default() -> None:
    bench = holding(None, batch_most=1)
    bench.fill(range(20))
    fail_probes(bench, 48 * HOUR_S, Denied("403"))
    assert held(bench) == 0
    assert len(bench.core.timers) <= 5


def test_the_other_triggers_of_a_site_are_not_held_with_a_denied_one() -> None:
    bench = holding()
    bench.fill(range(1), trigger="denied")
    bench.answer(bench.call(), Denied("403"))
    bench.fill(range(1, 3), trigger="denied")
    bench.fill(range(3, 4), trigger="fine")
    call = bench.call()
    assert call.batch.trigger == "fine"
    fail_probes(bench, HOUR_S + 400.0, Denied("403"))
    bench.answer(call, ACCEPTED)
    assert held(bench) >= 2
    assert not call.channel.anything_waits


def test_what_waits_to_be_tried_again_in_a_lane_that_is_open_is_not_dead_lettered() -> None:
    bench = holding(after_s=10.0)
    bench.fill(range(1))
    offset = 1
    while bench.now < 1000.0 + 600.0:
        for call in bench.calls():
            outcomes = [UNAVAILABLE if it == 0 else ACCEPTED for it in offsets([call])]
            bench.answer(call, *outcomes)
        bench.fill(range(offset, offset + 1))
        offset += 1
        bench.wait(1.0)
    assert held(bench) == 0


def test_what_is_in_flight_is_not_dead_lettered() -> None:
    bench = holding(after_s=10.0)
    bench.fill(range(1))
    call = bench.call()
    call.channel.denial.failed(bench.now, "403")
    bench.wait(60.0)
    assert held(bench) == 0
    bench.answer(call, ACCEPTED)
    assert bench.position == 1


def test_what_came_later_waits_for_as_long_itself() -> None:
    bench = holding(grants=False)
    bench.fill(range(1))
    assert bench.calls() == []
    bench.wait(HOUR_S / 2)
    bench.fill(range(1, 2))
    bench.wait(HOUR_S / 2 + 61.0)
    assert held(bench) == 1
    bench.wait(HOUR_S / 2)
    assert held(bench) == 2


def test_a_lane_that_goes_on_in_time_delivers_everything() -> None:
    bench = holding(grants=False)
    bench.fill(range(5))
    assert bench.calls() == []
    bench.wait(HOUR_S - 61.0)
    bench.core.books["default"].granted("site", "token", None, bench.now)
    bench.answer(bench.call(), ACCEPTED)
    assert held(bench) == 0
    assert bench.position == 5


def test_a_lane_that_goes_on_after_an_outage_has_as_long_again_to_catch_up() -> None:
    """Found by a stranger: what waited for its quota after an outage was dead-lettered at once."""
    bench = holding(quota=60, batch_most=1)
    bench.fill(range(2_000))
    fail_probes(bench, HOUR_S - 120.0, UNAVAILABLE)
    until = bench.now + HOUR_S - 60.0
    while bench.now < until and bench.position < 2_000:
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
        bench.wait(1.0)
    assert held(bench) == 0
    assert bench.position == 2_000


def test_a_partition_that_may_be_anothers_by_now_has_none_dead_lettered() -> None:
    bench = holding(grants=False)
    bench.fill(range(5))
    assert bench.calls() == []
    bench.now += 6 * HOUR_S
    bench.core.tick(bench.now)
    assert not bench.part.may_call
    assert held(bench) == 0, "the machine slept"
    bench.wait(0.3)
    assert bench.commit()
    bench.wait(61.0)
    assert held(bench) == 5


def test_a_partition_that_is_being_revoked_has_none_dead_lettered() -> None:
    bench = holding(grants=False)
    bench.fill(range(5))
    assert bench.calls() == []
    bench.core.revoking([OWNED], "ticket", bench.now)
    bench.wait(HOUR_S + 61.0)
    assert held(bench) == 0


# --- those that follow --------------------------------------------------------------------------


def test_followers_of_its_key_have_waited_as_long() -> None:
    bench = holding(grants=False)
    for offset in range(20):
        message = bench.message(offset, b"k")
        bench.take_in(message, report(message))
    assert bench.calls() == []
    bench.wait(HOUR_S + 61.0)
    for done in range(1, 21):
        assert held(bench) == done
    assert bench.position == 20


def test_a_follower_of_a_lane_that_is_open_goes_out_however_long_it_waited() -> None:
    bench = holding(after_s=10.0)
    for offset in range(2):
        message = bench.message(offset, b"k")
        bench.take_in(message, report(message))
    call = bench.call()
    bench.wait(60.0)
    bench.answer(call, ACCEPTED)
    assert offsets([bench.call()]) == [1]
    assert held(bench) == 0


def test_a_report_that_may_have_arrived_is_dead_lettered_as_held_with_its_attempts() -> None:
    bench = holding()
    bench.fill(range(1))
    bench.answer(bench.call(), LOST)
    bench.wait(1.0)
    bench.answer(bench.call(), Unauthorized("401"))
    bench.grants = False
    assert bench.calls() == []
    bench.wait(HOUR_S + 61.0)
    (order,) = bench.orders()
    assert order.letter.refusal.reason is Reason.LANE_HELD
    assert order.letter.attempts == 2
    assert order.letter.idempotency_key
    assert "waits for a token" in order.letter.refusal.detail


# --- together with a flood ----------------------------------------------------------------------


def _flood(bench: Bench, refused: range) -> None:
    """The guard of the route `r` holds it."""
    for offset in refused:
        message = bench.message(offset, None)
        refusal = Refusal(Reason.EXPRESSION_FAILED, "broken")
        bench.take_in(message, RefusedReport(message, "r", "t", Action.REPORT, refusal))
    bench.write_letters()
    bench.letters.clear()
    assert bench.core.letters.holding == {"route r": 0}


def test_thousands_that_are_parked_behind_a_probe_whose_lane_is_held_end_one_after_the_other() -> (
    None
):
    bench = holding(after_s=300.0)
    bench.fill(range(1))
    bench.answer(bench.call(), Denied("403"))
    _flood(bench, range(1, 1 + FLOOD_REFUSALS))
    bench.fill(range(1 + FLOOD_REFUSALS, 3_000))
    fail_probes(bench, 900.0, Denied("403"))
    assert held(bench) >= 2_998 - FLOOD_REFUSALS
    assert bench.position == 3_000


def test_a_probe_that_is_dead_lettered_may_make_way_for_one_of_a_lane_that_was_not_there() -> None:
    bench = holding(after_s=5.0, max_in_flight=1)
    bench.fill(range(1))
    call = bench.call()
    _flood(bench, range(1, 101))
    bench.fill(range(101, 102))
    bench.fill(range(102, 103), instance="other-site")
    bench.wait(5.2)
    assert bench.core.letters.holding == {"route r": 1}, "the first of them is the probe"
    bench.answer(call, Throttled(60.0))
    bench.wait(1.0)
    assert held(bench) == 2
    assert offsets(bench.calls()) == [102]
