"""Which lane sends next: fair in reports, whoever is held leaves the others alone."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.delivery.commands import Call
from streamer.delivery.core import CoreSettings, EndpointSettings
from streamer.delivery.lanes import SWEEP_PAUSE_S
from streamer.delivery.outcomes import Denied, Outcome, Throttled, Unauthorized
from streamer.model import Reason
from tests.effort import examples
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    UNAVAILABLE,
    Bench,
    bulk_answer,
    json_answer,
    offsets,
    report,
    result,
)


def bulk(quota: int | None = None, **more: object) -> Bench:
    settings = CoreSettings(**{"batch_most": 100, **more})  # type: ignore[arg-type]  # as it is
    return Bench(settings, endpoint=EndpointSettings(quota_per_minute=quota))


def site(call: Call) -> str:
    return call.batch.lane.instance


# --- turns --------------------------------------------------------------------------------------


def test_lanes_with_full_calls_and_lanes_with_small_ones_send_as_many_reports() -> None:
    """A busy site's calls are full; another's have ten, since its triggers are many."""
    bench = bulk(max_in_flight=1)
    bench.fill(range(3_000), instance="full")
    for offset in range(3_000, 6_000):
        bench.fill(range(offset, offset + 1), instance="small", trigger=f"t{offset % 300}")
    sent: Counter[str] = Counter()
    for _ in range(1_000):
        call = bench.call()
        sent[site(call)] += len(call.jobs)
        bench.answer(call, ACCEPTED)
        if sum(sent.values()) < 5_800:
            assert abs(sent["full"] - sent["small"]) <= 200
        if bench.position == 6_000:
            break
    assert sent == {"full": 3_000, "small": 3_000}


@settings(max_examples=examples(60))
@given(
    lanes=st.lists(
        st.tuples(st.integers(1, 120), st.integers(1, 8)), min_size=2, max_size=8, unique=True
    ),
    batch_most=st.sampled_from([1, 7, 100]),
    max_in_flight=st.sampled_from([1, 4, 256]),
)
def test_no_lane_with_something_to_send_falls_behind_another_by_more_than_two_turns(
    lanes: list[tuple[int, int]], batch_most: int, max_in_flight: int
) -> None:
    bench = bulk(batch_most=batch_most, max_in_flight=max_in_flight)
    offset, waiting = 0, {}
    for number, (reports, triggers) in enumerate(lanes):
        waiting[f"site-{number}"] = reports
        for _ in range(reports):
            trigger = f"t{offset % triggers}"
            bench.fill(range(offset, offset + 1), instance=f"site-{number}", trigger=trigger)
            offset += 1
    sent: Counter[str] = Counter()
    while offset:
        # Each call is answered before the next: all that differs is whose turn it is.
        call = bench.core.next_call(bench.now)
        if call is None:
            bench.answer_tokens()
            continue
        sent[site(call)] += len(call.jobs)
        waiting[site(call)] -= len(call.jobs)
        offset -= len(call.jobs)
        bench.answer(call, ACCEPTED)
        hungry = [sent[name] for name, left in waiting.items() if left]
        if hungry:
            assert max(sent.values()) - min(hungry) <= 2 * max(batch_most, 1)


def test_the_triggers_of_a_lane_take_turns() -> None:
    bench = bulk(batch_most=1, max_in_flight=1)
    bench.fill(range(50), trigger="busy")
    bench.fill(range(50, 55), trigger="quiet")
    triggers = []
    for _ in range(12):
        call = bench.call()
        triggers.append(call.batch.trigger)
        bench.answer(call, ACCEPTED)
    assert triggers.count("quiet") == 5


def test_a_trigger_that_is_held_while_it_stands_in_the_turn_costs_its_lane_no_turn() -> None:
    bench = bulk(batch_most=1)

    def start() -> Call:
        call = bench.core.next_call(bench.now)
        assert call is not None
        return call

    for offset in range(6):
        bench.fill(range(offset, offset + 1), instance="mixed", trigger=f"t{offset % 2}")
    bench.fill(range(6, 12), instance="other")
    assert bench.core.next_call(bench.now) is None
    bench.answer_tokens()
    first = start()
    assert (site(first), first.batch.trigger) == ("mixed", "t1")
    assert [site(start()) for _ in range(3)] == ["other", "mixed", "other"]
    bench.answer(first, Denied("403"))
    assert [site(start()) for _ in range(4)] == ["mixed", "other", "mixed", "other"]


def test_a_lane_keeps_to_its_share_of_the_calls_in_flight_while_others_wait() -> None:
    bench = bulk(batch_most=1, max_in_flight=100)
    for number in range(4):
        bench.fill(range(number * 500, number * 500 + 500), instance=f"site-{number}")
    calls = bench.calls()
    for _ in range(40):
        # Site 0 never answers.
        for call in [call for call in calls if site(call) != "site-0"][:20]:
            calls.remove(call)
            bench.answer(call, ACCEPTED)
        calls += bench.calls()
        assert Counter(map(site, calls))["site-0"] <= 100 / 4 + 1


def test_a_lane_alone_may_have_all_calls_in_flight() -> None:
    bench = bulk(batch_most=1, max_in_flight=100)
    bench.fill(range(500))
    assert len(bench.calls()) == 100


# --- one bulk call, one count -------------------------------------------------------------------


def test_an_outage_is_counted_by_calls_and_not_by_reports() -> None:
    bench = bulk()
    bench.fill(range(100))
    call = bench.call()
    bench.exchange(call, json_answer(503, {}))
    assert call.channel.outage.failures == 1
    assert call.channel.holds is None
    assert bench.core.limit.limit == 256


def test_ten_failed_bulk_calls_open_the_breaker() -> None:
    bench = bulk()
    bench.fill(range(1_000))
    calls = bench.calls()
    assert len(calls) == 10
    for call in calls:
        assert call.channel.holds is None
        bench.exchange(call, json_answer(503, {}))
    assert calls[0].channel.holds is not None
    bench.wait(2.0)
    assert len(bench.call().jobs) == 1, "a probe is a single call"


def test_a_403_to_a_bulk_call_holds_the_trigger_once() -> None:
    bench = bulk()
    bench.fill(range(100))
    call = bench.call()
    bench.exchange(call, json_answer(403, {}))
    assert call.channel.denial.failures == 1
    bench.wait(300.0)
    assert offsets([bench.call()]) == [0]


def test_a_401_to_a_bulk_call_renews_the_token_once() -> None:
    bench = bulk()
    bench.fill(range(100))
    call = bench.call()
    bench.now += 1.0
    bench.exchange(call, json_answer(401, {}))
    assert len(bench.core.take_commands().tokens) == 1
    bench.core.books["default"].granted("site", "fresh", None, bench.now)
    again = bench.call()
    assert again.token == "fresh"
    assert offsets([again]) == [*range(100)]


def test_a_429_to_a_bulk_call_is_one_429() -> None:
    bench = bulk()
    bench.fill(range(100))
    call = bench.call()
    bench.exchange(call, json_answer(429, {}))
    assert call.channel.lane.throttles == 1
    bench.wait(1.0)
    assert offsets([bench.call()]) == [*range(100)]


@pytest.mark.parametrize("outcome", [Throttled(), Unauthorized("401")])
def test_what_did_not_get_through_goes_first_and_in_its_order(outcome: Outcome) -> None:
    bench = bulk(batch_most=10, max_in_flight=1)
    bench.fill(range(30))
    call = bench.call()
    bench.now += 1.0
    bench.answer(call, outcome)
    bench.wait(2.0)
    sent = []
    for _ in range(3):
        call = bench.call()
        sent += offsets([call])
        bench.answer(call, ACCEPTED)
    assert sent == [*range(30)]


def test_a_connection_that_we_let_go_of_puts_its_reports_first_and_in_their_order() -> None:
    bench = bulk(batch_most=10, max_in_flight=1)
    bench.fill(range(20))
    call = bench.call()
    bench.core.dropped(call, bench.now)
    assert offsets([bench.call()]) == [*range(10)]
    assert all(job.may_have_arrived for job in call.jobs)


# --- answers that are mixed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE", 401, 403, 503, None]
)
def test_an_item_that_fails_as_a_lane_would_beside_accepted_ones_holds_no_lane(
    code: object,
) -> None:
    bench = bulk()
    bench.fill(range(10))
    call = bench.call()
    failed = {"itemMetadata": {"originalIndex": 0, "success": False, "error": {"code": code}}}
    bench.exchange(call, bulk_answer(failed, *[result(index) for index in range(1, 10)]))
    assert call.channel.holds is None
    assert not call.channel.lane.needs_token
    assert call.channel.lane.held_until is None
    bench.fill(range(10, 12))
    assert offsets(bench.calls()) == [10, 11]
    bench.wait(1.0)
    assert offsets(bench.calls()) == [0], "it is tried again by itself"


def test_a_throttled_item_beside_accepted_ones_pauses_the_lane_for_a_moment() -> None:
    bench = bulk()
    bench.fill(range(10))
    call = bench.call()
    failed = result(0, code="RESOURCE_EXHAUSTED")
    bench.exchange(call, bulk_answer(failed, *[result(index) for index in range(1, 10)]))
    bench.fill(range(10, 12))
    assert bench.calls() == []
    bench.wait(1.0)
    assert sorted(offsets(bench.calls())) == [0, 10, 11]


@pytest.mark.parametrize(
    "code", ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE", "RESOURCE_EXHAUSTED"]
)
def test_an_item_that_fails_for_good_beside_accepted_ones_is_exhausted(code: str) -> None:
    bench = bulk(retry_for_s=60.0)
    bench.fill(range(1))
    offset = 1
    while not bench.letters and offset < 3_000:
        bench.fill(range(offset, offset + 5))
        offset += 5
        for call in bench.calls():
            sent = offsets([call])
            if sent == [0]:
                # By itself it is a lane's affair, so let it have company.
                bench.core.dropped(call, bench.now)
                continue
            codes = [code if it == 0 else None for it in sent]
            found = [result(index, code=it) for index, it in enumerate(codes)]
            bench.exchange(call, bulk_answer(*found))
        bench.wait(1.0)
        bench.write_letters()
    assert bench.letters == [(Reason.EXHAUSTED, "r")]
    assert bench.now - 1000.0 >= 60.0


def test_of_a_mixed_answer_each_item_has_what_is_its_own() -> None:
    bench = bulk()
    bench.fill(range(6))
    call = bench.call()
    found = [
        result(0),
        result(1, code="SCHEMA_VALIDATION_FAILED"),
        result(2, code="UNAVAILABLE"),
        result(3, code="PERMISSION_DENIED"),
        result(5),
    ]
    bench.exchange(call, bulk_answer(*found, undetailed=1))
    bench.write_letters()
    assert bench.letters == [(Reason.REFUSED, "r")]
    bench.wait(1.0)
    assert sorted(offsets(bench.calls())) == [2, 3, 4]
    assert bench.position == 2


def test_items_that_all_fail_in_their_own_way_open_what_each_of_them_opens() -> None:
    bench = bulk()
    bench.fill(range(3))
    call = bench.call()
    codes = ["PERMISSION_DENIED", "UNAUTHENTICATED", "UNAVAILABLE"]
    bench.exchange(call, bulk_answer(*[result(i, code=code) for i, code in enumerate(codes)]))
    assert call.channel.holds is call.channel.denial
    bench.write_letters()
    assert bench.letters == []
    bench.wait(300.0)
    bench.answer(bench.call(), ACCEPTED)
    bench.wait(1.0)
    for call in bench.calls():
        bench.answer(call, ACCEPTED)
    assert bench.position == 3


outcomes = st.sampled_from(
    [ACCEPTED, ACCEPTED, UNAVAILABLE, Throttled(), Unauthorized("401"), Denied("403")]
)


@settings(max_examples=examples(80))
@given(
    calls=st.lists(st.lists(outcomes, min_size=1, max_size=12), max_size=15),
    whole=st.lists(st.booleans(), min_size=15, max_size=15),
    reports=st.integers(1, 40),
    quota=st.sampled_from([None, 10, 200]),
    linger_s=st.sampled_from([0.0, 2.0]),
)
def test_whatever_calls_answer_every_report_is_in_one_place_and_ends_accepted(
    calls: list[list[Outcome]],
    whole: list[bool],
    reports: int,
    quota: int | None,
    linger_s: float,
) -> None:
    bench = bulk(quota, batch_linger_s=linger_s)
    for offset in range(reports):
        message = bench.message(offset, b"k%d" % (offset % 15))
        about = {"instance": f"site-{offset % 3}", "trigger": f"t{offset % 2}"}
        bench.take_in(message, report(message, **about))
    left = list(zip(calls, whole, strict=False))
    accepted: Counter[int] = Counter()
    for _ in range(600):
        started = bench.calls()
        in_flight = [job for call in started for job in call.jobs]
        queued = [
            job
            for lane in bench.core.lanes
            for channel in lane.channels.values()
            for queue in (channel.reports, channel.cancels, *channel.apart)
            for job in queue
        ]
        assert len(in_flight + queued) == len(set(in_flight + queued))
        for call in started:
            ends, is_whole = left.pop() if left else ([ACCEPTED], False)
            each = [ends[index % len(ends)] for index in range(len(call.jobs))]
            if is_whole and len(call.jobs) > 1:
                bench.refuse_whole(call)
            else:
                bench.core.answered(call, each, bench.now)
                sent = zip(offsets([call]), each, strict=True)
                accepted.update(offset for offset, end in sent if end is ACCEPTED)
        if bench.position == reports:
            break
        bench.wait(5.0)
    assert accepted == Counter(range(reports))
    assert bench.letters == []
    assert bench.core.sender.in_flight == 0
    assert all(lane.in_flight == 0 for lane in bench.core.lanes)


# --- thousands ----------------------------------------------------------------------------------


SWEEP_FROM = 500


@pytest.fixture
def early_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes are swept from hundreds on, not from ten thousand."""
    monkeypatch.setattr("streamer.delivery.lanes.SWEEP_FROM", SWEEP_FROM)


def visit(bench: Bench, sites: range) -> None:
    """One report to each, accepted at once."""
    for offset in sites:
        bench.fill(range(offset, offset + 1), instance=f"site-{offset}")
        for call in bench.calls():
            bench.answer(call, ACCEPTED)


@pytest.mark.usefixtures("early_sweep")
def test_instances_that_were_seen_leave_nothing_behind_but_their_minute() -> None:
    bench = bulk(200)
    visit(bench, range(SWEEP_FROM + 50))
    assert len(bench.core.lanes) <= 100
    assert len(bench.core.lanes._spent) >= SWEEP_FROM, "their calls of the last minute count still"
    bench.wait(60.0)
    visit(bench, range(SWEEP_FROM + 50, 2 * SWEEP_FROM + 50))
    assert len(bench.core.lanes) <= 100
    assert len(bench.core.lanes._spent) <= SWEEP_FROM + 50
    assert len(bench.core.timers) <= 10


@pytest.mark.usefixtures("early_sweep")
def test_a_sweep_looks_at_some_lanes_at_a_time_and_comes_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamer.delivery.lanes.SWEEP_STEP", 100)
    bench = bulk(200)
    bench.fill(range(1), instance="busy")
    busy = bench.call()
    visit(bench, range(1, SWEEP_FROM + 1))
    seen = [len(bench.core.lanes)]
    while len(bench.core.lanes) > 2:
        # Others come meanwhile, and begin no sweep of their own.
        visit(bench, range(1_000 + len(seen), 1_001 + len(seen)))
        bench.wait(SWEEP_PAUSE_S)
        seen.append(len(bench.core.lanes))
        assert seen[-1] >= seen[-2] - 100
        if len(seen) > 6:
            break
    assert len(seen) >= 5
    assert bench.core.lanes.get(busy.batch.lane) is busy.channel.lane
    assert len(bench.core.lanes) <= 1 + len(seen)


@pytest.mark.usefixtures("early_sweep")
def test_lanes_that_come_while_a_sweep_is_under_way_begin_no_other() -> None:
    bench = bulk(200)
    for offset in range(SWEEP_FROM + 100):
        bench.fill(range(offset, offset + 1), instance=f"site-{offset}")
    assert len(bench.core.timers) <= 10


@pytest.mark.usefixtures("early_sweep")
def test_lanes_that_are_held_or_wait_are_not_forgotten() -> None:
    bench = bulk()
    bench.fill(range(1), instance="denied")
    bench.fill(range(1, 2), instance="throttled")
    bench.fill(range(2, 3), instance="retrying")
    ends: dict[str, Outcome] = {
        "denied": Denied("403"),
        "throttled": Throttled(3600.0),
        "retrying": UNAVAILABLE,
    }
    for call in bench.calls():
        bench.answer(call, ends[site(call)])
    visit(bench, range(3, SWEEP_FROM + 100))
    names = {lane.key.instance for lane in bench.core.lanes}
    assert set(ends) <= names
    assert len(names) < 110


@pytest.mark.usefixtures("early_sweep")
def test_a_lane_is_not_forgotten_while_one_of_its_calls_is_being_settled() -> None:
    """What its answer sets free may be the first of thousands of other lanes."""
    bench = Bench(CoreSettings(batch_most=100, max_in_flight=1))
    message = bench.message(0, None)
    bench.take_in(message, report(message, "flooding"))
    bench.fill(range(1, 2))
    call = bench.call()
    assert len(call.jobs) == 2
    _hold_route(bench, call)
    visited = 2
    parked = SWEEP_FROM + 1
    for offset in range(visited, visited + parked):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, "flooding", instance=f"site-{offset}"))
    bench.answer(call, ACCEPTED, UNAVAILABLE)
    assert bench.core.letters.holding == {}
    assert len(bench.core.lanes) > SWEEP_FROM
    assert bench.core.lanes.get(call.batch.lane) is call.channel.lane
    bench.wait(0.0)
    bench.core.tick(bench.now)
    assert bench.core.lanes.get(call.batch.lane) is call.channel.lane


def _hold_route(bench: Bench, call: Call) -> None:
    """Its guard holds the route of the call's first report, which is the probe."""
    guard = call.jobs[0].guard
    for _ in range(200):
        guard.refused(bench.now)
    guard.breaker.probe()
    bench.core.letters._held[guard.name].probe = call.jobs[0]
