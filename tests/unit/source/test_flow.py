"""How much more is taken in, and who pauses."""

from streamer.model import Generation, Owned, Partition
from streamer.source.flow import Flow

A = Owned(Partition("t", 0), Generation(1))
B = Owned(Partition("t", 1), Generation(2))


def flow_of(most_messages: int = 100, most_bytes: int = 10_000) -> Flow:
    flow = Flow(most_messages, most_bytes)
    flow.opened(A)
    flow.opened(B)
    return flow


def fill(flow: Flow, owned: Owned, size: int) -> int:
    taken = 0
    while flow.admit(owned, size):
        taken += 1
    return taken


def test_a_partition_takes_in_exactly_its_messages() -> None:
    assert fill(flow_of(most_messages=7), A, 1) == 7


def test_a_full_partition_goes_on_at_half_and_not_before() -> None:
    flow = flow_of(most_messages=8)
    fill(flow, A, 1)

    assert not flow.is_open(A)
    flow.settled(A, 3, 3)
    assert not flow.is_open(A)
    flow.settled(A, 1, 1)
    assert flow.is_open(A)


def test_who_holds_much_leaves_the_others_their_share_and_half_of_the_pool() -> None:
    flow = flow_of()

    # Its share is 2,500, and of the pool of 5,000 it may have as much as it leaves free.
    assert fill(flow, A, 100) == 50
    # The other has its own 2,500, and of the 2,500 that are left as much as it leaves free.
    assert fill(flow, B, 100) == 37


def test_a_message_larger_than_everything_is_taken_in_where_nothing_is_held() -> None:
    flow = flow_of()

    assert flow.admit(A, 50_000)
    assert not flow.admit(B, 1)
    flow.settled(A, 1, 50_000)
    assert flow.admit(B, 1)


def test_a_partition_that_holds_nothing_may_take_a_message_beyond_its_share() -> None:
    flow = flow_of()
    fill(flow, A, 100)

    assert flow.admit(B, 4_500)


def test_a_partition_whose_span_is_full_takes_in_nothing_until_told() -> None:
    flow = flow_of()
    flow.span_full(A, True)

    assert not flow.admit(A, 1)
    assert not flow.is_open(A)
    flow.span_full(A, False)
    assert flow.is_open(A)
    assert flow.admit(A, 1)


def test_what_a_partition_held_is_free_once_it_is_gone() -> None:
    flow = flow_of()
    fill(flow, A, 100)
    flow.closed(A)

    assert flow.held_bytes == 0
    assert fill(flow, B, 100) == 75


def test_fewer_messages_are_asked_for_where_little_room_is_left() -> None:
    flow = flow_of(most_messages=1_000, most_bytes=100_000)
    before = flow.next_count(500)
    fill(flow, A, 1_000)
    fill(flow, B, 1_000)

    assert flow.next_count(500) < before <= 500
    assert flow.next_count(500) >= 1
