"""Does the core keep the rules, one fact at a time?"""

import pytest

from streamer.delivery.core import CoreSettings
from streamer.delivery.order import Ordering
from streamer.delivery.outcomes import Denied, Throttled, Unauthorized
from streamer.model import Action, BadMessage, Reason, Refusal, RefusedReport
from streamer.source.handover import CommitFailure, CommitResult
from tests.unit.delivery.bench_core import (
    ACCEPTED,
    LOST,
    OWNED,
    PARTITION,
    REFUSED,
    UNAVAILABLE,
    Bench,
    offsets,
    report,
)

# --- order ------------------------------------------------------------------------------------


def test_reports_of_one_key_go_one_after_the_other_and_other_keys_do_not_wait() -> None:
    bench = Bench()
    for offset, key in enumerate([b"a", b"a", b"b", None, None]):
        message = bench.message(offset, key)
        bench.take_in(message, report(message))

    first = bench.calls()
    assert offsets(first) == [0, 2, 3, 4]

    bench.answer(first[0], ACCEPTED)
    assert offsets(bench.calls()) == [1]


def test_an_empty_key_is_a_key() -> None:
    bench = Bench()
    for offset in range(2):
        message = bench.message(offset, b"")
        bench.take_in(message, report(message))
    assert offsets(bench.calls()) == [0]


@pytest.mark.parametrize(
    ("ordering", "expected"), [(Ordering.PARTITION, [0]), (Ordering.NONE, [0, 1, 2])]
)
def test_the_other_modes_order_the_partition_or_nothing(
    ordering: Ordering, expected: list[int]
) -> None:
    bench = Bench(CoreSettings(ordering=ordering))
    for offset, key in enumerate([b"a", b"a", b"b"]):
        message = bench.message(offset, key)
        bench.take_in(message, report(message))
    assert offsets(bench.calls()) == expected


def test_reports_of_one_event_in_one_lane_keep_the_tables_order_and_other_lanes_do_not_wait() -> (
    None
):
    bench = Bench()
    message = bench.message(0, None)
    bench.take_in(
        message,
        report(message, "first"),
        report(message, "second", trigger="other"),
        report(message, "elsewhere", instance="other-site"),
    )
    started = bench.calls()
    assert [call.batch.reports[0].route for call in started] == ["first", "elsewhere"]
    bench.answer(started[0], ACCEPTED)
    assert bench.call().batch.reports[0].route == "second"


def test_a_report_that_is_tried_again_keeps_later_ones_of_its_key_waiting() -> None:
    bench = Bench()
    for offset in range(2):
        message = bench.message(offset)
        bench.take_in(message, report(message))
    bench.answer(bench.call(), UNAVAILABLE)
    assert bench.calls() == []
    bench.wait(1.0)
    assert offsets(bench.calls()) == [0]


def test_a_dead_lettered_report_lets_later_ones_of_its_key_go_once_its_letter_is_confirmed() -> (
    None
):
    bench = Bench()
    for offset in range(2):
        message = bench.message(offset)
        bench.take_in(message, report(message))
    bench.answer(bench.call(), REFUSED)
    assert bench.calls() == []
    bench.write_letters()
    assert bench.letters == [(Reason.REFUSED, "r")]
    assert offsets(bench.calls()) == [1]


# --- cancels ----------------------------------------------------------------------------------


def _cancel_then_report(bench: Bench) -> None:
    for offset, action in enumerate([Action.CANCEL, Action.REPORT]):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, trigger="due", entity="e", action=action))


def test_a_report_after_a_cancel_starts_only_when_the_cancel_is_committed() -> None:
    bench = Bench()
    _cancel_then_report(bench)
    bench.answer(bench.call(), ACCEPTED)
    assert bench.calls() == []

    # The waiting report causes the commit at once, without the interval.
    assert bench.commit()
    assert offsets(bench.calls()) == [1]


def test_a_failed_commit_lets_no_report_pass_the_cancel() -> None:
    bench = Bench()
    _cancel_then_report(bench)
    bench.answer(bench.call(), ACCEPTED)
    bench.calls()
    plans = tuple(bench.last.commit)
    failure = CommitFailure(PARTITION, "REBALANCE_IN_PROGRESS")
    bench.core.committed(CommitResult(plans, (failure,)), bench.now)
    assert bench.calls() == []
    bench.wait(0.3)
    assert bench.commit(), "it is made again"
    assert offsets(bench.calls()) == [1]


def test_a_cancel_waits_for_every_earlier_report_of_its_entity() -> None:
    bench = Bench()
    for offset, action in enumerate([Action.REPORT, Action.REPORT, Action.CANCEL]):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, trigger="due", entity="e", action=action))
    first, second = bench.calls()
    bench.answer(first, ACCEPTED)
    assert bench.calls() == []
    bench.answer(second, ACCEPTED)
    assert offsets(bench.calls()) == [2]


def test_one_event_may_cancel_and_report_again() -> None:
    bench = Bench()
    message = bench.message(0)
    bench.take_in(
        message,
        report(message, "cancelling", trigger="due", entity="e", action=Action.CANCEL),
        report(message, "again", trigger="due", entity="e"),
    )
    bench.answer(bench.call(), ACCEPTED)
    assert bench.calls() == []
    assert bench.position == 0
    assert bench.commit(), "the metadata says which of the message's reports is settled"
    assert bench.call().batch.reports[0].route == "again"


# --- outcomes ---------------------------------------------------------------------------------


def test_a_throttled_lane_pauses_and_another_goes_on() -> None:
    bench = Bench()
    for offset, instance in enumerate(["slow", "slow", "other"]):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, instance=instance))
    slow, *rest = bench.calls()
    for call in rest:
        bench.answer(call, ACCEPTED)
    bench.answer(slow, Throttled(retry_after_s=5.0))
    message = bench.message(3, None)
    bench.take_in(message, report(message, instance="slow"))
    assert bench.calls() == []
    bench.wait(4.9)
    assert bench.calls() == []
    bench.wait(2.0)
    assert offsets(bench.calls()) == [0, 3]


def test_a_denied_trigger_is_held_and_another_trigger_of_the_lane_goes_on() -> None:
    bench = Bench()
    for offset, trigger in enumerate(["denied", "fine"]):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, trigger=trigger))
    denied, fine = sorted(bench.calls(), key=lambda call: call.batch.trigger)
    bench.answer(denied, Denied("403"))
    bench.answer(fine, ACCEPTED)
    for offset, trigger in [(2, "denied"), (3, "fine")]:
        message = bench.message(offset, None)
        bench.take_in(message, report(message, trigger=trigger))
    assert offsets(bench.calls()) == [3]
    bench.wait(300.0)
    assert len(bench.calls()) == 1, "one probe, whatever waits"


def test_an_expired_token_is_renewed_once_and_then_the_lane_is_held() -> None:
    bench = Bench()
    message = bench.message(0)
    bench.take_in(message, report(message))
    first = bench.call()
    bench.now += 1
    bench.answer(first, Unauthorized("401"))
    second = bench.call()
    assert second.token != first.token
    bench.now += 1
    bench.answer(second, Unauthorized("401"))
    assert bench.calls() == []
    bench.wait(61.0)
    assert offsets(bench.calls()) == [0]


def test_poison_is_dead_lettered_after_retry_for_while_others_are_accepted() -> None:
    bench = Bench(CoreSettings(retry_for_s=60.0))
    poison = bench.message(0, b"poison")
    bench.take_in(poison, report(poison))
    offset = 0
    while not bench.letters and offset < 2000:
        for call in bench.calls():
            is_poison = offsets([call]) == [0]
            bench.answer(call, UNAVAILABLE if is_poison else ACCEPTED)
        bench.write_letters()
        offset += 1
        message = bench.message(offset, b"fine")
        bench.take_in(message, report(message))
        bench.wait(1.0)
    assert bench.letters == [(Reason.EXHAUSTED, "r")]
    assert bench.now - 1000 >= 60


def test_an_outage_spends_no_budget_and_dead_letters_nothing() -> None:
    bench = Bench(CoreSettings(retry_for_s=60.0))
    for offset in range(20):
        message = bench.message(offset, None)
        bench.take_in(message, report(message))
    calls = 0
    while bench.now < 1000 + 7200:
        for call in bench.calls():
            calls += 1
            bench.answer(call, UNAVAILABLE)
        bench.write_letters()
        bench.wait(10.0)
    assert bench.letters == []
    assert calls < 600, "an open breaker lets only probes through"
    for _ in range(200):
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
        bench.wait(5.0)
    assert bench.position == 20


def test_a_failed_probe_is_followed_by_another_reports() -> None:
    bench = Bench()
    for offset in range(12):
        message = bench.message(offset, None)
        bench.take_in(message, report(message))
    for call in bench.calls():
        bench.answer(call, UNAVAILABLE)
    probed: list[int] = []
    while len(probed) < 4:
        for call in bench.calls():
            probed += offsets([call])
            bench.answer(call, UNAVAILABLE)
        bench.wait(1.0)
    assert len(set(probed)) == 4


def test_a_report_that_may_be_accepted_is_not_sent_when_its_key_may_be_forgotten() -> None:
    bench = Bench()
    message = bench.message(0)
    bench.take_in(message, report(message, ttl_ms=60_000))
    bench.answer(bench.call(), LOST)
    bench.wait(0.5)
    bench.answer(bench.call(), LOST)
    bench.wait(51)  # ten seconds are the call's own time-out
    assert bench.calls() == []
    bench.write_letters()
    assert bench.letters == [(Reason.MAYBE_DELIVERED, "r")]


def test_a_report_that_never_arrived_is_sent_however_late() -> None:
    bench = Bench()
    message = bench.message(0)
    bench.take_in(message, report(message, ttl_ms=60_000))
    bench.answer(bench.call(), UNAVAILABLE)
    bench.wait(120.0)
    assert offsets(bench.calls()) == [0]


# --- dead letters and floods --------------------------------------------------------------------


def test_a_letter_that_cannot_be_written_holds_its_offset_and_is_tried_again() -> None:
    bench = Bench()
    message = bench.message(0)
    refusal = Refusal(Reason.UNDECODABLE, "bad")
    bench.core.take_bad(bench.part, BadMessage(message, refusal, "none"), bench.now)
    (order,) = bench.core.take_commands().letters
    bench.core.letter_failed(order, "transient", "no broker", bench.now)
    assert bench.position == 0
    bench.wait(1.0)
    bench.write_letters()
    assert bench.position == 1


def _flood(bench: Bench, offsets_: range) -> None:
    for offset in offsets_:
        message = bench.message(offset, None)
        refusal = Refusal(Reason.EXPRESSION_FAILED, "broken")
        bench.take_in(message, RefusedReport(message, "broken", "t", Action.REPORT, refusal))
    bench.write_letters()


def test_a_flood_of_refusals_holds_its_route_and_leaves_the_others_alone() -> None:
    bench = Bench()
    _flood(bench, range(1000))
    assert len(bench.letters) == 100
    message = bench.message(1000, None)
    bench.take_in(message, report(message, "fine"))
    assert offsets(bench.calls()) == [1000]


def _take_bad(bench: Bench, offset: int) -> None:
    bad = BadMessage(bench.message(offset, None), Refusal(Reason.UNDECODABLE, "bad"), "none")
    bench.core.take_bad(bench.part, bad, bench.now)
    bench.write_letters()


def test_bytes_that_do_not_decode_are_held_when_they_are_most_of_their_topic() -> None:
    bench = Bench()
    for offset in range(1000):
        _take_bad(bench, offset)
    assert len(bench.letters) == 100


def test_bytes_that_do_not_decode_are_let_go_once_most_of_their_topic_decodes_again() -> None:
    bench = Bench()
    for offset in range(150):
        _take_bad(bench, offset)
    for _ in range(5):
        bench.core.letters.decoded(PARTITION.topic, 1000, bench.now)
        bench.wait(30.0)
        bench.write_letters()
    assert len(bench.letters) == 150
    assert bench.position == 150


def test_some_bytes_that_do_not_decode_among_many_that_do_are_all_dead_lettered() -> None:
    bench = Bench()
    bench.core.letters.decoded(PARTITION.topic, 5000, bench.now)
    for offset in range(1000):
        _take_bad(bench, offset)
    assert len(bench.letters) == 1000


def test_a_held_route_is_probed_and_closes_when_one_is_accepted() -> None:
    bench = Bench()
    _flood(bench, range(200))
    message = bench.message(200, None)
    bench.take_in(message, report(message, "broken"))
    assert bench.calls() == [], "held like the others"
    for _ in range(150):
        bench.wait(60.0)
        bench.write_letters()
        calls = bench.calls()
        for call in calls:
            bench.answer(call, ACCEPTED)
        if calls:
            break
    bench.write_letters()
    assert bench.position == 201
    assert len(bench.letters) == 200


def test_without_the_guard_every_refusal_is_dead_lettered() -> None:
    bench = Bench(CoreSettings(guard_floods=False))
    _flood(bench, range(1000))
    assert len(bench.letters) == 1000


def test_a_route_that_accepts_more_than_it_refuses_is_not_held() -> None:
    bench = Bench()
    for offset in range(0, 900, 3):
        for more in range(2):
            message = bench.message(offset + more, None)
            bench.take_in(message, report(message, "broken"))
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
        _flood(bench, range(offset + 2, offset + 3))
    assert len(bench.letters) == 300


# --- assignments --------------------------------------------------------------------------------


def test_a_revocation_starts_nothing_and_ends_when_nothing_is_in_flight() -> None:
    bench = Bench()
    for offset in range(2):
        message = bench.message(offset)
        bench.take_in(message, report(message))
    call = bench.call()
    bench.core.revoking([OWNED], "ticket", bench.now)
    assert bench.core.take_commands().finished == []
    bench.answer(call, ACCEPTED)
    (finished,) = bench.core.take_commands().finished
    assert finished.ticket == "ticket"
    assert [plan.position for plan in finished.plans] == [1]
    assert bench.calls() == []


def test_a_partition_that_goes_is_not_committed_again_where_the_broker_has_all() -> None:
    """Its topic may be gone, and the group's offsets with it: it would bring them back."""
    bench = Bench()
    bench.fill(range(2))
    for call in bench.calls():
        bench.answer(call, ACCEPTED)
    bench.wait(0.3)
    assert bench.commit()

    bench.core.revoking([OWNED], "ticket", bench.now)

    (finished,) = bench.core.take_commands().finished
    assert finished.plans == ()


def test_what_a_fenced_partitions_calls_answer_changes_nothing() -> None:
    bench = Bench()
    message = bench.message(0)
    bench.take_in(message, report(message))
    call = bench.call()
    bench.core.fenced([OWNED], bench.now)
    bench.answer(call, ACCEPTED)
    assert bench.position == 0
    assert bench.core.take_commands().commit == []


def test_after_a_stall_no_call_starts_before_a_commit_succeeded() -> None:
    bench = Bench()
    for offset in range(2):
        message = bench.message(offset, None)
        bench.take_in(message, report(message))
    first, second = bench.calls()
    bench.now += 16.0  # `delivery.stall_after` is 15 s, and nothing came in between
    bench.answer(first, UNAVAILABLE)
    bench.last = bench.core.take_commands()
    assert bench.last.drop_cancels
    commit = bench.last.commit
    bench.answer(second, UNAVAILABLE)
    message = bench.message(2, None)
    bench.take_in(message, report(message))
    assert bench.calls() == []
    assert [plan.position for plan in commit] == [0], "made although nothing changed"
    bench.core.committed(CommitResult(tuple(commit), ()), bench.now)
    assert 2 in offsets(bench.calls())


def test_a_commit_from_before_the_stall_does_not_end_it() -> None:
    bench = Bench()
    message = bench.message(0, None)
    bench.take_in(message, report(message))
    bench.answer(bench.call(), ACCEPTED)
    bench.wait(0.3)
    plans = tuple(bench.core.take_commands().commit)
    assert plans
    bench.now += 16.0
    bench.core.committed(CommitResult(plans, ()), bench.now)
    message = bench.message(1, None)
    bench.take_in(message, report(message))
    assert bench.calls() == []
    assert bench.commit()
    assert offsets(bench.calls()) == [1]


def test_while_the_group_is_not_heard_of_cancels_wait_and_reports_go_on() -> None:
    bench = Bench()
    bench.core.heard(bench.now, bench.now)
    bench.wait(16.0)
    assert [alert.event for alert in bench.core.take_commands().alerts] == ["group_unheard"]
    for offset, entity, action in [(0, "e", Action.CANCEL), (1, "f", Action.REPORT)]:
        message = bench.message(offset, None)
        bench.take_in(message, report(message, trigger="due", entity=entity, action=action))

    assert offsets(bench.calls()) == [1]


def test_cancels_in_flight_are_let_go_of_when_the_group_is_not_heard_of() -> None:
    bench = Bench()
    bench.core.heard(bench.now, bench.now)
    message = bench.message(0, None)
    bench.take_in(message, report(message, trigger="due", entity="e", action=Action.CANCEL))
    call = bench.call()
    bench.wait(16.0)

    assert bench.core.take_commands().drop_cancels
    bench.core.dropped(call, bench.now)
    assert bench.calls() == []


def test_a_group_that_is_heard_of_again_shows_by_a_commit_whose_the_partitions_are() -> None:
    bench = Bench()
    bench.core.heard(bench.now, bench.now)
    bench.wait(16.0)
    message = bench.message(0, None)
    bench.take_in(message, report(message, trigger="due", entity="e", action=Action.CANCEL))
    assert bench.calls() == []

    bench.core.heard(bench.now, bench.now)
    assert bench.calls() == []
    assert bench.commit(), "made although nothing changed"
    assert offsets(bench.calls()) == [0]


def test_a_group_that_is_heard_of_all_the_time_holds_nothing_up() -> None:
    bench = Bench()
    for _ in range(20):
        bench.core.heard(bench.now - 3.0, bench.now)
        bench.wait(5.0)
    message = bench.message(0, None)
    bench.take_in(message, report(message, trigger="due", entity="e", action=Action.CANCEL))

    assert offsets(bench.calls()) == [0]


def test_a_dropped_call_is_made_again_at_once_and_may_have_arrived() -> None:
    bench = Bench()
    message = bench.message(0)
    bench.take_in(message, report(message))
    call = bench.call()
    bench.core.dropped(call, bench.now)
    again = bench.call()
    assert offsets([again]) == [0]
    assert again.jobs[0].may_have_arrived


# --- limits ---------------------------------------------------------------------------------------


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    bench = Bench(CoreSettings(max_in_flight=3))
    for offset in range(10):
        message = bench.message(offset, None)
        bench.take_in(message, report(message))
    calls = bench.calls()
    assert len(calls) == 3
    bench.answer(calls[0], ACCEPTED)
    assert len(bench.calls()) == 1


def test_lanes_take_turns() -> None:
    bench = Bench(CoreSettings(max_in_flight=4))
    for offset in range(40):
        message = bench.message(offset, None)
        bench.take_in(message, report(message, instance="busy" if offset < 38 else "quiet"))
    instances = [call.batch.lane.instance for call in bench.calls()]
    assert instances.count("quiet") == 2


def test_a_batch_holds_one_action_and_never_two_of_one_key() -> None:
    bench = Bench(CoreSettings(batch_most=100))
    for offset in range(10):
        message = bench.message(offset, b"a" if offset % 2 else None)
        bench.take_in(message, report(message))
    call = bench.call()
    assert offsets([call]) == [0, 1, 2, 4, 6, 8]


def test_messages_are_wanted_unless_a_report_waits_for_nothing_but_room_in_flight() -> None:
    bench = Bench(CoreSettings(max_in_flight=1))
    for offset, key in enumerate([b"a", b"a", b"b"]):
        message = bench.message(offset, key)
        bench.take_in(message, report(message))
    first = bench.call()
    wanted = [bench.core.wants_messages]  # not now: b could go

    bench.answer(first, UNAVAILABLE)
    assert offsets([bench.call()]) == [2]
    wanted.append(bench.core.wants_messages)  # a waits for its retry, and another a for it
    assert wanted == [False, True]


def test_a_held_lane_does_not_keep_others_from_their_messages() -> None:
    bench = Bench(CoreSettings(max_in_flight=1))
    for offset in range(2):
        message = bench.message(offset, None)
        bench.take_in(message, report(message))
    bench.answer(bench.call(), Denied("403", None))
    assert bench.calls() == []
    assert bench.core.wants_messages
