"""What waits between the poll thread and the core, and in which portions does it go on?"""

from hypothesis import given
from hypothesis import strategies as st

from streamer.edge.waiting import Waiting
from streamer.model import Generation, Message, Offset, Owned, Partition, Position
from streamer.source.handover import Intake, PartitionEnd

PARTITION = Partition("t", 0)


def handed_over(first: int, count: int) -> Intake:
    messages = [
        Message(PARTITION, Generation(1), Offset(offset), 0, None, b"")
        for offset in range(first, first + count)
    ]
    end = PartitionEnd(Owned(PARTITION, Generation(1)), Position(first + count))
    return Intake(messages, (end,))


@given(counts=st.lists(st.integers(0, 9), max_size=6), most=st.integers(1, 5))
def test_everything_goes_on_once_in_order_and_ends_follow_their_messages(
    counts: list[int], most: int
) -> None:
    waiting = Waiting()
    total = 0
    for count in counts:
        waiting.put(handed_over(total, count))
        total += count

    offsets: list[int] = []
    ends: list[int] = []
    last = 0
    while waiting:
        portion, was_last = waiting.take(most)
        assert len(portion.messages) <= most
        offsets += [message.offset for message in portion.messages]
        for end in portion.ends:
            assert end.position == len(offsets)
            ends.append(end.position)
        last += was_last

    assert offsets == list(range(total))
    assert len(ends) == last == len(counts)
