"""A bulk call that is refused whole is taken apart, so that exactly the bad ones are refused."""

from collections import Counter
from collections.abc import Callable, Collection
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.delivery.commands import Call
from streamer.delivery.core import CoreSettings
from streamer.delivery.flood import FLOOD_REFUSALS
from streamer.delivery.outcomes import Accepted, Denied, Throttled, Unauthorized
from streamer.model import Action, Reason, Refusal, RefusedReport
from tests.effort import examples
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    OWNED,
    REFUSED,
    UNAVAILABLE,
    Bench,
    json_answer,
    offsets,
    report,
)

Names = Callable[[list[int]], list[int]]
"""Of the bad ones of a call, which ones does the answer name?"""

NOBODY: Names = lambda bad: []  # noqa: E731
EVERYBODY: Names = lambda bad: bad  # noqa: E731
THE_FIRST: Names = lambda bad: bad[:1]  # noqa: E731


class Endpoint:
    """Refuses each call that has a bad report in it; keeps what it was sent."""

    def __init__(self, bench: Bench, bad: Collection[int], names: Names = NOBODY) -> None:
        self.bench = bench
        self.bad = bad
        self.names = names
        self.calls = 0
        self.accepted: Counter[int] = Counter()

    def answer(self, call: Call) -> None:
        self.calls += 1
        sent = offsets([call])
        bad = [offset for offset in sent if offset in self.bad]
        if not bad:
            self.accepted.update(sent)
            self.bench.answer(call, ACCEPTED)
        elif len(sent) == 1:
            self.bench.answer(call, REFUSED)
        else:
            self.bench.refuse_whole(call, *self.names(bad))

    def run(self) -> None:
        """Until nothing is to be sent any more."""
        while calls := self.bench.calls():
            for call in calls:
                self.answer(call)
        self.bench.write_letters()


def bulk(**more: object) -> Bench:
    # Half of what these tests send may be bad, which no healthy route is.
    return Bench(CoreSettings(batch_most=100, guard_floods=False, **more))  # type: ignore[arg-type]


def refused(bench: Bench) -> int:
    assert {reason for reason, _ in bench.letters} <= {Reason.REFUSED}
    return len(bench.letters)


# --- cost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(100))
def test_one_bad_of_a_hundred_costs_fourteen_more_calls_at_most(position: int) -> None:
    bench = bulk()
    bench.fill(range(100))
    endpoint = Endpoint(bench, {position})
    endpoint.run()
    assert endpoint.calls <= 15
    assert endpoint.accepted == Counter(set(range(100)) - {position})
    assert refused(bench) == 1
    assert bench.position == 100


def test_one_bad_that_is_named_costs_two_more_calls() -> None:
    bench = bulk()
    bench.fill(range(100))
    endpoint = Endpoint(bench, {17}, EVERYBODY)
    endpoint.run()
    assert endpoint.calls == 3
    assert refused(bench) == 1


def test_where_some_of_the_bad_are_named_the_rest_is_found_too() -> None:
    bench = bulk()
    bench.fill(range(100))
    endpoint = Endpoint(bench, {3, 50, 97}, THE_FIRST)
    endpoint.run()
    assert endpoint.calls == 7
    assert endpoint.accepted == Counter(set(range(100)) - {3, 50, 97})
    assert refused(bench) == 3


def test_a_call_whose_items_are_all_named_is_refused_at_once() -> None:
    bench = bulk()
    bench.fill(range(100))
    endpoint = Endpoint(bench, range(100), EVERYBODY)
    endpoint.run()
    assert endpoint.calls == 1
    assert refused(bench) == 100


def test_what_is_taken_apart_is_sent_in_its_order_and_before_what_came_after() -> None:
    bench = bulk(max_in_flight=1)
    bench.fill(range(100))
    first = bench.call()
    bench.fill(range(100, 150))
    bench.refuse_whole(first)
    sent = []
    for _ in range(3):
        call = bench.call()
        sent.append(offsets([call]))
        bench.answer(call, ACCEPTED)
    assert sent == [[*range(50)], [*range(50, 100)], [*range(100, 150)]]


@settings(max_examples=examples(100))
@given(
    count=st.integers(2, 100),
    bad=st.sets(st.integers(0, 99), max_size=12),
    names=st.sampled_from([NOBODY, EVERYBODY, THE_FIRST]),
    action=st.sampled_from(Action),
    waiting=st.integers(0, 150),
)
def test_exactly_the_bad_ones_are_refused_and_each_good_one_is_accepted_once(
    count: int, bad: set[int], names: Names, action: Action, waiting: int
) -> None:
    bench = bulk()
    total = count + waiting
    for offset in range(total):
        entity = f"0a1b2c3d-0000-4000-8000-{offset:012}"
        bench.fill(range(offset, offset + 1), action=action, entity=entity)
    bad = {offset for offset in bad if offset < total}
    endpoint = Endpoint(bench, bad, names)
    endpoint.run()
    assert endpoint.accepted == Counter(set(range(total)) - bad)
    assert refused(bench) == len(bad)
    assert bench.position == total
    assert endpoint.calls <= -(-total // 100) + 14 * len(bad)


@settings(max_examples=examples(100))
@given(count=st.integers(2, 100), data=st.data())
def test_whoever_an_answer_names_wrongly_is_not_refused_for_it(
    count: int, data: st.DataObject
) -> None:
    bench = bulk()
    bench.fill(range(count))
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=5))

    def names(found: list[int]) -> list[int]:
        return data.draw(st.lists(st.integers(0, count - 1), max_size=3))

    endpoint = Endpoint(bench, bad, names)
    while calls := bench.calls():
        for call in calls:
            sent = set(offsets([call]))
            wrongly = set(names([])) & sent
            if len(sent) > 1 and sent & bad and wrongly != sent:
                bench.refuse_whole(call, *wrongly)
            else:
                endpoint.names = NOBODY
                endpoint.answer(call)
    bench.write_letters()
    assert endpoint.accepted == Counter(set(range(count)) - bad)
    assert refused(bench) == len(bad)


# --- by the answer's own words ------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 409, 413, 422, 428])
def test_a_refusal_of_the_whole_call_refuses_nobody_in_it(status: int) -> None:
    bench = bulk()
    bench.fill(range(10))
    bench.exchange(bench.call(), json_answer(status, {}))
    bench.write_letters()
    assert bench.letters == []
    assert [len(call.jobs) for call in bench.calls()] == [5, 5]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503, 504])
def test_what_is_about_the_lane_or_the_endpoint_keeps_the_call_together(status: int) -> None:
    bench = bulk()
    bench.fill(range(10))
    bench.exchange(bench.call(), json_answer(status, {}))
    # Longer than any first pause: 30 s after a 403.
    bench.wait(40.0)
    bench.write_letters()
    sent = bench.calls()
    assert bench.letters == []
    assert [len(call.jobs) for call in sent] == ([1] if status == 403 else [10])


def test_a_404_of_a_bulk_call_refuses_each_report_and_leaves_nothing_to_cancel() -> None:
    bench = bulk()
    bench.fill(range(10))
    bench.exchange(bench.call(), json_answer(404, {}))
    bench.write_letters()
    assert refused(bench) == 10
    for offset in (10, 11):
        bench.fill(range(offset, offset + 1), action=Action.CANCEL, entity=f"e{offset}")
    bench.exchange(bench.call(), json_answer(404, {}))
    assert bench.position == 12
    assert bench.watch.count("nothing_to_cancel") == 2


def test_the_fields_that_an_answer_names_tell_the_bad_ones_from_the_good() -> None:
    bench = bulk()
    bench.fill(range(10))
    violation = {"field": "eventsInfo[7].payload.amount", "violatedRule": "OTHER"}
    body = {"details": {"validationError": {"fieldViolations": [violation]}}}
    bench.exchange(bench.call(), json_answer(400, body))
    good, bad = bench.calls()
    assert (offsets([good]), offsets([bad])) == ([0, 1, 2, 3, 4, 5, 6, 8, 9], [7])


# --- and something happens in between -----------------------------------------------------------


def test_a_part_whose_partition_is_fenced_meanwhile_is_forgotten() -> None:
    bench = bulk(max_in_flight=1)
    other = bench.assign(1)
    bench.fill(range(6))
    bench.fill(range(100, 104), other)
    call = bench.call()
    bench.refuse_whole(call)
    bench.core.fenced([other.owned], bench.now)
    endpoint = Endpoint(bench, {2})
    endpoint.run()
    assert endpoint.accepted == Counter([0, 1, 3, 4, 5])
    assert refused(bench) == 1
    assert bench.position == 6


def test_a_call_that_is_refused_after_its_partition_was_fenced_sends_nothing_again() -> None:
    bench = bulk()
    bench.fill(range(6))
    call = bench.call()
    bench.core.fenced([OWNED], bench.now)
    bench.refuse_whole(call, 3)
    assert bench.calls() == []
    bench.write_letters()
    assert bench.letters == []
    assert bench.core.sender.in_flight == 0


def test_all_who_are_left_of_a_call_and_named_are_sent_again_before_they_are_refused() -> None:
    bench = bulk()
    other = bench.assign(1)
    bench.fill(range(2))
    bench.fill(range(100, 102), other)
    call = bench.call()
    bench.core.fenced([other.owned], bench.now)
    bench.refuse_whole(call, 0, 1)
    bench.write_letters()
    assert bench.letters == []
    bench.refuse_whole(bench.call(), 0, 1)
    bench.write_letters()
    assert refused(bench) == 2


def test_a_revocation_waits_for_calls_and_not_for_parts_that_were_not_sent() -> None:
    bench = bulk(max_in_flight=1)
    bench.fill(range(10))
    call = bench.call()
    bench.core.revoking([OWNED], "ticket", bench.now)
    assert bench.core.take_commands().finished == []
    bench.refuse_whole(call)
    (finished,) = bench.core.take_commands().finished
    assert finished.ticket == "ticket"
    assert bench.calls() == []


def test_after_a_stall_the_parts_wait_for_a_commit_and_then_go() -> None:
    bench = bulk()
    bench.fill(range(10))
    bench.fill(range(10, 20), trigger="other")
    second, first = sorted(bench.calls(), key=lambda call: call.batch.trigger)
    bench.refuse_whole(first)
    bench.now += 20.0
    bench.answer(second, ACCEPTED)
    assert bench.calls() == [], "the group may have gone on without us"
    bench.wait(0.3)
    assert bench.commit()
    endpoint = Endpoint(bench, {3})
    endpoint.run()
    assert endpoint.accepted == Counter(set(range(10)) - {3})
    assert refused(bench) == 1


def test_one_of_a_part_may_be_parked_by_its_flood_guard_and_goes_on_when_that_ends() -> None:
    bench = Bench(CoreSettings(batch_most=100, max_in_flight=1))
    for offset in range(10):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, "flooding" if offset == 2 else "r"))
    bench.refuse_whole(bench.call())
    for offset in range(10, 10 + FLOOD_REFUSALS):
        message = bench.message(offset, None)
        refusal = Refusal(Reason.EXPRESSION_FAILED, "broken")
        broken = RefusedReport(message, "flooding", "t", Action.REPORT, refusal)
        bench.take_in(message, broken)
    bench.write_letters()
    assert bench.core.letters.holding == {"route flooding": 0}
    endpoint = Endpoint(bench, {7})
    endpoint.run()
    assert endpoint.accepted == Counter([0, 1, 3, 4, 5, 6, 8, 9])
    assert bench.core.letters.holding == {"route flooding": 1}
    bench.wait(61.0)
    endpoint.run()
    assert endpoint.accepted[2] == 1
    assert bench.core.letters.holding == {}
    assert bench.position == 10 + FLOOD_REFUSALS


def test_a_token_that_is_refused_in_between_costs_one_call() -> None:
    bench = bulk(max_in_flight=1)
    bench.fill(range(100))
    endpoint = Endpoint(bench, {60})
    endpoint.answer(bench.call())
    bench.now += 1.0
    bench.answer(bench.call(), Unauthorized("401"))
    endpoint.run()
    assert endpoint.calls <= 15
    assert endpoint.accepted == Counter(set(range(100)) - {60})


@pytest.mark.parametrize("meanwhile", [Throttled(1.0), Unauthorized("401"), None])
def test_a_part_that_meets_what_is_about_its_lane_stays_a_part(
    meanwhile: Throttled | Unauthorized | None,
) -> None:
    """Mixed with others, the bad one in it would be looked for from the beginning."""
    bench = bulk(max_in_flight=1)
    bench.fill(range(100))
    endpoint = Endpoint(bench, {37})
    bench.refuse_whole(bench.call())
    bench.fill(range(100, 160))
    sent: list[list[int]] = []
    for _ in range(40):
        for call in bench.calls():
            bench.now += 1.0
            sent.append(offsets([call]))
            # Each is turned away at first, and goes the second time as it went the first.
            if sent.count(sent[-1]) == 2:
                endpoint.answer(call)
            elif meanwhile is None:
                bench.core.dropped(call, bench.now)
            else:
                bench.answer(call, meanwhile)
        bench.write_letters()
        bench.wait(1.0)
    assert bench.position == 160
    assert sent[::2] == sent[1::2]
    assert endpoint.calls <= 14 + 1
    assert endpoint.accepted == Counter(set(range(160)) - {37})


def test_what_a_call_spent_of_a_budget_is_not_given_back_to_its_parts() -> None:
    bench = bulk()
    bench.fill(range(2))
    bench.answer(bench.call(), UNAVAILABLE)
    bench.wait(1.0)
    call = bench.call()
    # While it is under way others are accepted for so long.
    call.channel.accepting_s += 100.0
    bench.refuse_whole(call)
    assert [job.failed_at_s for part in bench.calls() for job in part.jobs] == [0.0, 0.0]


@pytest.mark.parametrize("meanwhile", [UNAVAILABLE, Throttled(1.0), Denied("403")])
def test_a_part_that_did_not_get_through_is_sent_again(meanwhile: Denied) -> None:
    bench = bulk(max_in_flight=1)
    bench.fill(range(100))
    endpoint = Endpoint(bench, {60})
    endpoint.answer(bench.call())
    bench.answer(bench.call(), meanwhile)
    for _ in range(100):
        endpoint.run()
        bench.wait(1.0)
    assert endpoint.accepted == Counter(set(range(100)) - {60})
    assert refused(bench) == 1


def test_an_item_of_a_part_that_is_unavailable_is_sent_again_by_itself() -> None:
    bench = bulk(max_in_flight=1)
    bench.fill(range(100))
    endpoint = Endpoint(bench, {60})
    endpoint.answer(bench.call())
    half = bench.call()
    bench.answer(half, *[UNAVAILABLE if index == 7 else ACCEPTED for index in range(50)])
    endpoint.run()
    assert 7 not in endpoint.accepted
    bench.wait(1.0)
    endpoint.run()
    assert endpoint.accepted == Counter({7: 1, **dict.fromkeys(set(range(50, 100)) - {60}, 1)})


def test_a_breaker_that_opens_between_two_halves_is_probed_with_one_of_them() -> None:
    bench = bulk(max_in_flight=12)
    bench.fill(range(1100))
    calls = bench.calls()
    bench.refuse_whole(calls[0])
    for call in calls[1:]:
        bench.answer(call, Denied("403"))
    assert bench.calls() == []
    bench.wait(300.0)
    probe = bench.call()
    assert offsets([probe]) == [0]
    bench.answer(probe, ACCEPTED)
    parts = bench.calls()[:2]
    assert [offsets([part]) for part in parts] == [[*range(1, 50)], [*range(50, 100)]]


def test_a_probe_that_fails_is_followed_by_another_of_the_same_part() -> None:
    bench = bulk(max_in_flight=12)
    bench.fill(range(1100))
    calls = bench.calls()
    bench.refuse_whole(calls[0])
    for call in calls[1:]:
        bench.answer(call, Denied("403"))
    probed = []
    for _ in range(3):
        bench.wait(300.0)
        probe = bench.call()
        probed += offsets([probe])
        bench.answer(probe, Denied("403"))
    assert probed == [0, 1, 2]


faults = st.lists(
    st.sampled_from([ACCEPTED, UNAVAILABLE, Throttled(0.5), Unauthorized("401"), Denied("403")]),
    max_size=12,
)


@settings(max_examples=examples(100))
@given(
    count=st.integers(2, 60),
    bad=st.sets(st.integers(0, 59), max_size=5),
    names=st.sampled_from([NOBODY, EVERYBODY, THE_FIRST]),
    faults=faults,
)
def test_whatever_happens_in_between_each_good_one_is_accepted_and_each_bad_one_refused(
    count: int,
    bad: set[int],
    names: Names,
    faults: list[Accepted],
) -> None:
    bench = bulk(max_in_flight=3)
    bench.fill(range(count))
    bad = {offset for offset in bad if offset < count}
    endpoint = Endpoint(bench, bad, names)
    left = list(faults)
    for _ in range(400):
        for call in bench.calls():
            fault = left.pop() if left else ACCEPTED
            if fault is ACCEPTED:
                endpoint.answer(call)
            else:
                bench.answer(call, fault)
        bench.write_letters()
        if bench.position == count:
            break
        bench.wait(5.0)
    assert endpoint.accepted == Counter(set(range(count)) - bad)
    assert refused(bench) == len(bad)


# --- a bulk call that failed ---------------------------------------------------------------------


def test_the_reports_of_a_failed_bulk_call_are_first_tried_again_together() -> None:
    bench = Bench(CoreSettings(batch_most=100))
    bench.fill(range(50))
    bench.answer(bench.call(), UNAVAILABLE)
    bench.wait(1.0)
    again = bench.call()
    assert len(again.jobs) == 50


def test_reports_of_a_bulk_call_that_fails_again_part_so_that_the_one_at_fault_shows() -> None:
    bench = Bench(CoreSettings(batch_most=100))
    draws = count(1)
    bench.core.answers._retries.draw = lambda: next(draws) % 97 / 97
    bench.fill(range(50))
    bench.answer(bench.call(), UNAVAILABLE)
    bench.wait(1.0)
    bench.answer(bench.call(), UNAVAILABLE)
    sizes = []
    for _ in range(1000):
        bench.wait(0.001)
        sizes += [len(call.jobs) for call in bench.calls()]
    assert sum(sizes) == 50
    assert max(sizes) < 10
