"""What waits between the poll thread and the core, and in which portions does it go on?"""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streamer.delivery.portions import PORTION_BYTES, PORTION_MESSAGES
from streamer.edge.waiting import Waiting
from streamer.model import Generation, Message, Offset, Owned, Partition, Position
from streamer.source.handover import Intake, PartitionEnd

PARTITION = Partition("t", 0)


def handed_over(first: int, sizes: Sequence[int]) -> Intake:
    count = len(sizes)
    messages = [
        Message(PARTITION, Generation(1), Offset(first + number), 0, None, bytes(size))
        for number, size in enumerate(sizes)
    ]
    end = PartitionEnd(Owned(PARTITION, Generation(1)), Position(first + count))
    return Intake(messages, (end,))


SIZES = st.sampled_from([0, 1, 1_000, PORTION_BYTES - 1, PORTION_BYTES, 3 * PORTION_BYTES])


@given(st.lists(st.lists(SIZES, max_size=3 * PORTION_MESSAGES), max_size=4))
def test_everything_goes_on_once_in_order_and_ends_follow_their_messages(
    hand_overs: list[list[int]],
) -> None:
    waiting = Waiting()
    total = 0
    for sizes in hand_overs:
        waiting.put(handed_over(total, sizes))
        total += len(sizes)

    offsets: list[int] = []
    ends: list[int] = []
    last = 0
    while waiting:
        portion, was_last = waiting.take()
        assert len(portion.messages) <= PORTION_MESSAGES
        values = [len(message.value or b"") for message in portion.messages]
        assert sum(values[:-1]) < PORTION_BYTES, "a large one is the last of its portion"
        offsets += [message.offset for message in portion.messages]
        for end in portion.ends:
            assert end.position == len(offsets)
            ends.append(end.position)
        last += was_last

    assert offsets == list(range(total))
    assert len(ends) == last == len(hand_overs)
