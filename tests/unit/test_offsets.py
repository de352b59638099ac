"""What does a window commit, and when may a report start that follows a cancel?"""

import pytest

from streamer.model import Generation, Offset, Owned, Partition, Position
from streamer.source.commit_metadata import (
    BROKER_LIMIT,
    NOTHING,
    MetadataRead,
    Restored,
    read,
    settlement_hash,
)
from streamer.source.handover import Assigned, CommitPlan
from streamer.source.offsets import Pin, Window

CLUSTER = "cluster"
INVOICES = Partition("billing.invoices", 3)
STARTED_AT_MS = 1_700_000_000_000
CANCEL = settlement_hash("c\x00invoice_overdue\x00site\x00invoice-1")


def window(position: int = 0, restored: Restored = NOTHING, limit: int = BROKER_LIMIT) -> Window:
    owned = Owned(INVOICES, Generation(1))
    assigned = Assigned(owned, Position(position), restored, STARTED_AT_MS)
    return Window(assigned, CLUSTER, "fingerprint", limit)


def filled(*offsets: int, position: int = 0, limit: int = BROKER_LIMIT) -> Window:
    made = window(position, limit=limit)
    for offset in offsets:
        made.take_in(Offset(offset), 100)
    return made


def settle(made: Window, *offsets: int) -> None:
    for offset in offsets:
        made.settle(Offset(offset))


def planned(made: Window) -> CommitPlan:
    plan = made.plan()
    assert plan is not None
    return plan


def commit(made: Window) -> CommitPlan:
    plan = planned(made)
    made.committed(plan.number)
    return plan


def said(plan: CommitPlan) -> MetadataRead:
    return read(plan.metadata, plan.position, CLUSTER, INVOICES)


# --- position ---


def test_the_position_is_the_lowest_unsettled_offset() -> None:
    made = filled(0, 1, 2, 3)
    settle(made, 2, 0)
    assert made.position == 1
    settle(made, 1)
    assert made.position == 3


def test_with_everything_settled_the_position_is_the_next_to_read() -> None:
    made = filled(5, 9, position=5)
    settle(made, 9, 5)
    assert made.position == 10


def test_the_position_follows_the_end_of_the_partition_only_past_what_is_settled() -> None:
    made = filled(0, 1)
    settle(made, 1)
    made.reached(Position(7))
    assert made.position == 0
    settle(made, 0)
    assert made.position == 7
    made.reached(Position(9))
    assert commit(made).position == 9


def test_an_end_that_was_passed_already_changes_nothing() -> None:
    made = filled(0, 1, 2)
    made.reached(Position(1))
    settle(made, 0, 1, 2)
    assert made.position == 3


def test_what_is_held_is_counted_in_messages_and_bytes() -> None:
    made = window()
    made.take_in(Offset(0), 300)
    made.take_in(Offset(1), 50)
    settle(made, 0)
    assert (made.held_messages, made.held_bytes) == (1, 50)


def test_the_span_reaches_from_the_position_to_the_highest_settled_offset() -> None:
    made = filled(0, 1, 2, 3)
    assert made.span == 0
    settle(made, 2)
    assert made.span == 3
    settle(made, 0)
    assert made.span == 2
    settle(made, 1)
    assert made.span == 0


@pytest.mark.parametrize("offset", [0, 1])
def test_an_offset_that_comes_a_second_time_is_a_bug(offset: int) -> None:
    made = filled(0, 1)
    with pytest.raises(ValueError, match="came after 1"):
        made.take_in(Offset(offset), 1)


def test_a_message_that_is_settled_twice_is_a_bug() -> None:
    made = filled(0, 1)
    settle(made, 1)
    with pytest.raises(ValueError, match="not held"):
        made.settle(Offset(1))
    with pytest.raises(ValueError, match="not held"):
        made.settle_part(Offset(1), 5)


def test_a_result_of_an_unknown_commit_is_a_bug() -> None:
    with pytest.raises(ValueError, match="number 1"):
        window().committed(1)


# --- plans ---


def test_nothing_is_committed_before_anything_changed() -> None:
    made = filled(0, 1)
    assert made.plan() is None
    settle(made, 0)
    assert commit(made).position == 1
    assert made.plan() is None


def test_one_commit_is_in_flight_at_most() -> None:
    made = filled(0, 1)
    settle(made, 0)
    first = planned(made)
    settle(made, 1)
    assert made.plan() is None
    made.committed(first.number)
    assert commit(made).position == 2


def test_a_commit_that_failed_is_made_again_from_the_state_of_then() -> None:
    made = filled(0, 1, 2)
    settle(made, 0)
    made.not_committed(planned(made).number, metadata_too_large=False)
    settle(made, 1)
    assert commit(made).position == 2
    assert made.committed_position == 2


def test_what_the_broker_has_for_certain_is_not_committed_again_before_the_partition_goes() -> None:
    made = filled(0, 1)
    assert made.last_plan() is None
    settle(made, 0)
    commit(made)
    assert made.last_plan() is None
    settle(made, 1)
    last = made.last_plan()
    assert last is not None
    assert last.position == 2


def test_what_is_in_flight_is_committed_again_before_the_partition_goes() -> None:
    made = filled(0)
    settle(made, 0)
    planned(made)
    last = made.last_plan()
    assert last is not None
    assert last.position == 1


def test_a_plan_anyway_says_the_same_again_with_the_start_moment() -> None:
    made = window(7)
    plan = made.plan_anyway()
    assert plan.position == 7
    assert said(plan).started_at_ms == STARTED_AT_MS
    assert said(plan).subscription == "fingerprint"


def test_the_metadata_names_what_is_settled_beyond_the_position() -> None:
    made = filled(0, 1, 2, 3, 5, 8)
    settle(made, 1, 3, 5)
    made.settle_part(Offset(8), 77)
    restored = said(planned(made)).restored
    assert restored.runs == ((1, 1), (3, 7))
    assert restored.parts == {8: frozenset({77})}


def test_every_commit_names_the_topic_that_its_position_is_of() -> None:
    owned = Owned(INVOICES, Generation(1))
    assigned = Assigned(owned, Position(0), NOTHING, STARTED_AT_MS, topic_digest=7)
    made = Window(assigned, CLUSTER, "fingerprint")
    for offset in range(3):
        made.take_in(Offset(offset), 100)

    settle(made, 1)
    assert said(commit(made)).topic_digest == 7
    settle(made, 0, 2)
    assert said(commit(made)).topic_digest == 7

    of_no_topic = filled(0)
    settle(of_no_topic, 0)
    assert said(commit(of_no_topic)).topic_digest is None


def test_a_settlement_that_has_no_room_causes_no_commit() -> None:
    made = filled(*range(4000), limit=400)
    settle(made, *range(1, 3000, 3))
    commit(made)
    settle(made, 3500)
    assert made.plan() is None
    settle(made, 2)
    assert made.plan() is not None


def test_after_the_broker_refused_the_metadata_the_commit_is_made_without_it_once() -> None:
    made = filled(*range(4000))
    settle(made, 0, *range(2, 4000, 2))
    refused = planned(made)
    made.not_committed(refused.number, metadata_too_large=True)
    bare = commit(made)
    assert (bare.position, bare.metadata) == (1, "")
    smaller = commit(made)
    assert 0 < len(smaller.metadata) < 2048
    assert said(smaller).started_at_ms == STARTED_AT_MS
    assert made.plan() is None


def test_under_a_limit_that_has_no_room_at_all_positions_are_committed_bare() -> None:
    made = filled(0, 1, limit=20)
    settle(made, 0)
    assert commit(made).metadata == ""
    assert made.plan() is None
    settle(made, 1)
    assert commit(made).position == 2


# --- after a restart ---


def test_what_was_settled_before_the_restart_is_not_taken_in_again() -> None:
    made = window(10, Restored(((Offset(12), Offset(13)), (Offset(15), Offset(15)))))
    taken = [made.take_in(Offset(offset), 1) for offset in range(10, 17)]
    assert taken == [True, True, False, False, True, False, True]
    settle(made, 10, 11)
    assert made.position == 14


def test_of_a_message_settled_in_part_the_settled_reports_are_told() -> None:
    made = window(10, Restored(parts={Offset(11): frozenset({5, 6})}))
    made.take_in(Offset(10), 1)
    assert made.take_in(Offset(11), 1)
    assert made.settled_parts(Offset(10)) == frozenset()
    assert made.settled_parts(Offset(11)) == {5, 6}
    made.settle_part(Offset(11), 7)
    assert said(planned(made)).restored.parts == {11: frozenset({5, 6, 7})}
    settle(made, 11)
    assert made.settled_parts(Offset(11)) == frozenset()


def test_what_was_restored_is_carried_before_it_is_read_again() -> None:
    restored = Restored(((Offset(12), Offset(20)),), {Offset(25): frozenset({5})})
    made = window(10, restored)
    assert said(made.plan_anyway()).restored == restored
    for offset in (10, 11, 12, 13, 14):
        made.take_in(Offset(offset), 1)
    settle(made, 11)
    assert said(made.plan_anyway()).restored.runs == ((11, 20),)


def test_what_was_restored_and_exists_no_more_is_passed() -> None:
    made = window(10, Restored(((Offset(12), Offset(13)),), {Offset(15): frozenset({5})}))
    made.reached(Position(16))
    made.take_in(Offset(16), 1)
    assert made.position == 16
    assert made.settled_parts(Offset(15)) == frozenset()
    assert said(made.plan_anyway()).restored == NOTHING


def test_what_was_restored_comes_before_what_is_nearer_where_there_is_no_room_for_both() -> None:
    far = Restored(((Offset(3999), Offset(3999)),))
    made = window(0, far, limit=400)
    for offset in range(4000):
        made.take_in(Offset(offset), 1)
    settle(made, *(offset for offset in range(1, 3000, 3)))
    restored = said(planned(made)).restored
    assert restored.covers(Offset(3999))
    assert restored.covers(Offset(1))
    assert not restored.covers(Offset(2998))


# --- cancels ---


def test_a_report_waits_until_the_commit_with_its_cancel_succeeded() -> None:
    made = filled(0, 1, 2)
    assert made.pin(Offset(1), CANCEL) is Pin.NOT_COMMITTED
    settle(made, 1)
    assert made.pin(Offset(1), CANCEL) is Pin.NOT_COMMITTED
    plan = planned(made)
    assert made.pin(Offset(1), CANCEL) is Pin.NOT_COMMITTED
    made.committed(plan.number)
    assert made.pin(Offset(1), CANCEL) is Pin.HELD


def test_a_cancel_behind_the_committed_position_needs_no_room() -> None:
    made = filled(0, 1, limit=20)
    settle(made, 0)
    assert made.pin(Offset(0), CANCEL) is Pin.NOT_COMMITTED
    commit(made)
    assert made.pin(Offset(0), CANCEL) is Pin.HELD


def test_a_cancel_and_a_report_of_one_message_are_told_apart_by_their_hash() -> None:
    made = filled(0, 1)
    made.settle_part(Offset(0), CANCEL)
    commit(made)
    assert made.pin(Offset(0), CANCEL) is Pin.HELD
    assert made.pin(Offset(0), CANCEL + 1) is Pin.NOT_COMMITTED


def test_a_cancel_that_a_report_waits_for_comes_first_however_far_it_is() -> None:
    made = filled(*range(4000), limit=400)
    settle(made, *range(1, 3000, 3), 3999)
    commit(made)
    assert made.pin(Offset(3999), CANCEL) is Pin.NOT_COMMITTED
    assert said(commit(made)).restored.covers(Offset(3999))
    assert made.pin(Offset(3999), CANCEL) is Pin.HELD
    settle(made, *range(2, 3000, 3))
    assert said(commit(made)).restored.covers(Offset(3999))


def test_a_cancel_in_a_commit_that_failed_is_not_held_until_the_next_succeeds() -> None:
    made = filled(0, 1, 2)
    settle(made, 1)
    commit(made)
    settle(made, 2)
    made.not_committed(planned(made).number, metadata_too_large=False)
    assert made.pin(Offset(1), CANCEL) is Pin.NOT_COMMITTED
    commit(made)
    assert made.pin(Offset(1), CANCEL) is Pin.HELD


def test_a_commit_in_flight_that_lacks_the_cancel_makes_its_report_wait() -> None:
    made = filled(*range(4000), limit=400)
    settle(made, 3999)
    commit(made)
    settle(made, *range(1, 3000, 3))
    lacking = planned(made)
    assert not said(lacking).restored.covers(Offset(3999))
    assert made.pin(Offset(3999), CANCEL) is Pin.NOT_COMMITTED
    made.committed(lacking.number)
    assert made.pin(Offset(3999), CANCEL) is Pin.NOT_COMMITTED
    commit(made)
    assert made.pin(Offset(3999), CANCEL) is Pin.HELD


def test_a_full_metadata_has_no_room_for_another_cancel_until_the_position_moves() -> None:
    made = filled(*range(200), limit=300)
    settle(made, 198)
    answers = []
    for offset in range(1, 190, 2):
        made.settle_part(Offset(offset), CANCEL)
        answers.append(made.pin(Offset(offset), CANCEL))
    assert answers[0] is Pin.NOT_COMMITTED
    assert answers[-1] is Pin.NO_ROOM
    commit(made)
    settle(made, *range(100))
    assert made.pin(Offset(189), CANCEL) is Pin.NOT_COMMITTED
    commit(made)
    assert made.pin(Offset(189), CANCEL) is Pin.HELD


def test_a_cancel_of_the_message_at_the_position_finds_room_in_a_full_metadata() -> None:
    made = filled(*range(200), limit=400)
    for offset in range(199, 0, -2):
        made.settle_part(Offset(offset), CANCEL)
        made.pin(Offset(offset), CANCEL)
    assert made.pin(Offset(1), CANCEL) is Pin.NO_ROOM
    made.settle_part(Offset(0), CANCEL)
    assert made.pin(Offset(0), CANCEL) is Pin.NOT_COMMITTED
    commit(made)
    assert made.pin(Offset(0), CANCEL) is Pin.HELD


def test_with_a_cancel_to_carry_a_refused_text_is_halved_and_never_left_out() -> None:
    made = filled(*range(4000))
    settle(made, *range(1, 4000, 2))
    made.pin(Offset(3999), CANCEL)
    made.not_committed(planned(made).number, metadata_too_large=True)
    smaller = commit(made)
    assert len(smaller.metadata) < 2048
    assert said(smaller).restored.covers(Offset(3999))


def test_a_cancel_at_the_position_has_room_where_halving_went_too_far() -> None:
    made = filled(*range(200), limit=512)
    offset = 0
    while len(made.plan_anyway().metadata) < 260:
        offset += 2
        made.settle_part(Offset(offset), CANCEL)
        assert made.pin(Offset(offset), CANCEL) is Pin.NOT_COMMITTED
    for more in range(offset + 2, 200, 2):
        made.settle_part(Offset(more), CANCEL)
    refused = made.plan_anyway()
    made.not_committed(refused.number, metadata_too_large=True)

    made.settle_part(Offset(0), CANCEL)
    made.pin(Offset(0), CANCEL)
    plan = made.plan_anyway()
    assert 256 < len(plan.metadata) < len(refused.metadata)
    assert said(plan).restored.shows(Offset(0), CANCEL)
    assert said(plan).restored.shows(Offset(offset), CANCEL)
    assert made.stuck is None


def test_where_what_must_be_carried_is_refused_no_commit_is_made_until_it_is_passed() -> None:
    made = filled(0, 1, 2, limit=260)
    settle(made, 1)
    made.pin(Offset(1), CANCEL)
    commit(made)
    settle(made, 2)
    made.not_committed(planned(made).number, metadata_too_large=True)
    made.not_committed(made.plan_anyway().number, metadata_too_large=True)
    assert made.plan() is None
    stuck = made.stuck
    assert stuck is not None
    assert "billing.invoices[3]" in stuck
    assert "offset.metadata.max.bytes" in stuck
    assert said(made.plan_anyway()).restored.covers(Offset(1))
    made.committed(4)
    settle(made, 0)
    assert commit(made).position == 3
    assert made.stuck is None


def test_digits_of_what_was_passed_are_dropped_though_something_is_always_under_way() -> None:
    made = filled(0)
    for offset in range(1, 60_000):
        made.take_in(Offset(offset), 1)
        made.settle(Offset(offset - 1))
        if offset % 1_000 == 0:
            commit(made)
    assert len(made._digits) < 10_000
