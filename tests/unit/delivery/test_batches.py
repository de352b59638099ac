"""What shares a call: as much as waits, within reports and bytes, and never two of one key."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.delivery.batches import CALL_BYTES, ITEM_BYTES
from streamer.delivery.core import CoreSettings
from streamer.delivery.order import Ordering
from streamer.endpoint.requests import compose
from streamer.model import Action
from tests.effort import examples
from tests.unit.delivery.bench_core import ACCEPTED, UNAVAILABLE, Bench, offsets, report

ENTITY = "0a1b2c3d-0000-4000-8000-000000000001"


def bulk(**more: object) -> Bench:
    return Bench(CoreSettings(batch_most=100, **more))  # type: ignore[arg-type]  # as it is


def sizes(bench: Bench) -> list[int]:
    return [len(call.jobs) for call in bench.calls()]


# --- reports ------------------------------------------------------------------------------------


def test_what_waits_when_the_lane_may_send_shares_a_call() -> None:
    bench = bulk()
    bench.fill(range(3))
    first = bench.call()
    assert offsets([first]) == [0, 1, 2]


def test_a_report_alone_goes_at_once_as_a_single_call() -> None:
    bench = bulk()
    for offset in range(3):
        bench.fill(range(offset, offset + 1))
        assert sizes(bench) == [1]


def test_a_call_has_a_hundred_at_most() -> None:
    bench = bulk()
    bench.fill(range(250))
    assert sizes(bench) == [100, 100, 50]


def test_without_bulk_every_report_has_a_call() -> None:
    bench = Bench(CoreSettings(batch_most=1))
    bench.fill(range(5))
    assert sizes(bench) == [1] * 5


def test_lanes_triggers_and_actions_do_not_share_calls() -> None:
    bench = bulk()
    entities = [ENTITY, ENTITY.replace("1b", "2b")]
    bench.fill(range(2))
    bench.fill(range(2, 4), trigger="other")
    bench.fill(range(4, 6), instance="other-site")
    for offset, entity in zip(range(6, 8), entities, strict=True):
        bench.fill(range(offset, offset + 1), entity=entity, action=Action.CANCEL)
    assert sorted(offsets([call]) for call in bench.calls()) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_reports_and_cancels_take_turns_where_both_wait() -> None:
    bench = bulk(max_in_flight=1)
    bench.fill(range(300))
    for offset in range(300, 500):
        entity = f"0a1b2c3d-0000-4000-8000-{offset:012}"
        bench.fill(range(offset, offset + 1), entity=entity, action=Action.CANCEL)
    actions = []
    while calls := bench.calls():
        (call,) = calls
        actions.append(call.batch.action)
        bench.answer(call, ACCEPTED)
    assert actions == [Action.REPORT, Action.CANCEL] * 2 + [Action.REPORT]


@pytest.mark.parametrize("ordering", Ordering)
@settings(max_examples=examples(100))
@given(
    keys=st.lists(st.sampled_from([b"a", b"b", b"c", None]), max_size=30),
    ends=st.lists(st.booleans(), max_size=40),
)
def test_a_call_never_has_two_of_one_ordering_key(
    ordering: Ordering, keys: list[bytes | None], ends: list[bool]
) -> None:
    bench = bulk(ordering=ordering)
    for offset, key in enumerate(keys):
        message = bench.message(offset, key)
        bench.take_in(message, report(message))
    order: list[int] = []
    while len(order) < len(keys):
        for call in bench.calls():
            taken = [r.message.key for r in call.batch.reports]
            named = [key for key in taken if key is not None]
            if ordering is Ordering.PARTITION:
                assert len(taken) == 1
            elif ordering is Ordering.KEY:
                assert len(named) == len(set(named))
            fine = [ends.pop() if ends else True for _ in call.jobs]
            bench.answer(call, *[ACCEPTED if it else UNAVAILABLE for it in fine])
            accepted = zip(call.batch.reports, fine, strict=True)
            order += [r.message.offset for r, is_fine in accepted if is_fine]
        bench.wait(1.0)
    for key in {b"a", b"b", b"c"} if ordering is not Ordering.NONE else set():
        of_key = [offset for offset in order if keys[offset] == key]
        assert of_key == sorted(of_key)
    assert bench.position == len(keys)


# --- bytes --------------------------------------------------------------------------------------


def test_a_body_stays_within_its_bytes() -> None:
    bench = bulk(batch_bytes_most=10_000)
    bench.fill(range(40), payload=b'{"a":"%s"}' % (b"x" * 1_000))
    calls = bench.calls()
    assert sum(len(call.jobs) for call in calls) == 40
    assert all(5 <= len(call.jobs) <= 9 for call in calls)
    assert all(len(compose(call.batch).body) <= 10_000 for call in calls)


def test_a_report_over_the_bound_goes_alone_and_in_its_place() -> None:
    bench = bulk(batch_bytes_most=10_000)
    bench.fill(range(2))
    bench.fill(range(2, 3), payload=b'{"a":"%s"}' % (b"x" * 50_000))
    bench.fill(range(3, 5))
    assert [offsets([call]) for call in bench.calls()] == [[0, 1], [2], [3, 4]]


keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


@settings(max_examples=examples(100))
@given(
    items=st.lists(st.tuples(st.integers(0, 3000), keys), min_size=1, max_size=30),
    trigger=st.text(st.characters(codec="utf-8"), min_size=1, max_size=100),
    most=st.integers(1024, 20_000),
    action=st.sampled_from(Action),
)
def test_no_body_of_several_has_more_bytes_than_its_bound(
    items: list[tuple[int, str]], trigger: str, most: int, action: Action
) -> None:
    bench = bulk(batch_bytes_most=most)
    for offset, (size, key) in enumerate(items):
        entity = f"0a1b2c3d-0000-4000-8000-{offset:012}"
        payload = b'{"a":"%s"}' % (b"x" * size) if action is Action.REPORT else b""
        about: dict[str, Any] = {"payload": payload, "key": key, "action": action}
        about |= {"trigger": trigger, "entity": entity, "ttl_ms": 2**63 - 1}
        bench.fill(range(offset, offset + 1), **about)
    calls = bench.calls()
    assert sorted(offsets(calls)) == [*range(len(items))]
    for call in calls:
        assert len(call.jobs) == 1 or len(compose(call.batch).body) <= most


@pytest.mark.parametrize("character", ["a", '"', "\x01", "\x7f", "é", "\u2028", "😀"])
def test_the_longest_names_fit_into_what_is_reckoned_for_them(character: str) -> None:
    bench = bulk()
    key, trigger = character * 80, character * 100
    bench.fill(range(100), key=key, trigger=trigger, entity=ENTITY, ttl_ms=2**63 - 1)
    call = bench.call()
    assert len(compose(call.batch).body) <= CALL_BYTES + 100 * (ITEM_BYTES + len(b"{}"))


# --- linger -------------------------------------------------------------------------------------


def test_the_first_report_waits_for_company_and_no_longer() -> None:
    bench = bulk(batch_linger_s=0.5)
    bench.fill(range(1))
    assert sizes(bench) == []
    bench.wait(0.3)
    bench.fill(range(1, 3))
    bench.wait(0.19)
    assert sizes(bench) == []
    bench.wait(0.01)
    assert sizes(bench) == [3]


def test_a_full_call_does_not_linger() -> None:
    bench = bulk(batch_linger_s=60.0)
    bench.fill(range(99))
    assert sizes(bench) == []
    bench.fill(range(99, 100))
    assert sizes(bench) == [100]
    bench.fill(range(100, 101))
    assert sizes(bench) == [], "the next one waits anew"
    bench.wait(60.0)
    assert sizes(bench) == [1]


def test_lingering_leaves_the_other_triggers_and_lanes_alone() -> None:
    bench = bulk(batch_linger_s=1.0)
    bench.fill(range(1))
    bench.wait(0.9)
    bench.fill(range(1, 2), trigger="other")
    bench.fill(range(2, 3), instance="other-site")
    bench.wait(0.1)
    assert offsets(bench.calls()) == [0]
    bench.wait(0.9)
    assert sorted(offsets(bench.calls())) == [1, 2]


def test_what_is_tried_again_does_not_wait_for_company() -> None:
    bench = bulk(batch_linger_s=10.0)
    bench.fill(range(2))
    bench.wait(10.0)
    bench.answer(bench.call(), UNAVAILABLE)
    bench.wait(0.3)
    assert sum(sizes(bench)) == 2


def test_lingering_at_five_thousand_reports_a_second_leaves_no_timers_behind() -> None:
    bench = bulk(batch_linger_s=0.05)
    due = []
    for offset in range(20_000):
        bench.fill(range(offset, offset + 1), instance=f"site-{offset % 500}")
        bench.now += 0.0002
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
        due.append(len(bench.core.timers))
    assert max(due[5_000:]) <= 0.05 * 5_000 + 20
