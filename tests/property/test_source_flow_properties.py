"""What must always hold of flow control, whatever comes and whatever is settled."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.model import Generation, Owned, Partition
from streamer.source.flow import Flow
from tests.effort import examples

MOST_MESSAGES = 8
MOST_BYTES = 10_000


class FlowMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow(MOST_MESSAGES, MOST_BYTES)
        self.held: dict[Owned, deque[int]] = {}
        self.generations = 0

    @rule()
    def opens(self) -> None:
        if len(self.held) < 6:
            self.generations += 1
            owned = Owned(Partition("t", self.generations), Generation(self.generations))
            self.held[owned] = deque()
            self.flow.opened(owned)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def closes(self, data: st.DataObject) -> None:
        owned = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[owned]
        self.flow.closed(owned)
        self.flow.settled(owned, 1, 100)  # too late: ignored

    @precondition(lambda self: self.held)
    @rule(data=st.data(), size=st.integers(1, 6_000), burst=st.integers(1, 10))
    def comes(self, data: st.DataObject, size: int, burst: int) -> None:
        owned = data.draw(st.sampled_from(sorted(self.held)))
        for _ in range(burst):
            held = sum(self.held[owned])
            share = MOST_BYTES // 2 // len(self.held)
            total = sum(sum(sizes) for sizes in self.held.values())
            admitted = self.flow.admit(owned, size)
            if admitted:
                self.held[owned].append(size)
            elif held + size <= share and len(self.held[owned]) < MOST_MESSAGES:
                # Its own share is refused only while partitions that came since are in debt.
                assert total + size > MOST_BYTES
            if not admitted:
                assert not self.flow.is_open(owned) or held * 2 <= MOST_BYTES

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), count=st.integers(1, 8))
    def is_settled(self, data: st.DataObject, count: int) -> None:
        owned = data.draw(st.sampled_from(sorted(o for o, sizes in self.held.items() if sizes)))
        sizes = self.held[owned]
        gone = [sizes.popleft() for _ in range(min(count, len(sizes)))]
        self.flow.settled(owned, len(gone), sum(gone))

    @invariant()
    def no_bound_is_passed(self) -> None:
        assert self.flow.held_bytes == sum(sum(sizes) for sizes in self.held.values())
        assert self.flow.held_bytes <= MOST_BYTES
        for owned, sizes in self.held.items():
            assert self.flow.held_messages(owned) == len(sizes) <= MOST_MESSAGES

    @invariant()
    def an_empty_partition_reads_or_will(self) -> None:
        for owned, sizes in self.held.items():
            if not sizes:
                assert self.flow.is_open(owned)


FlowMachine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40)
TestFlow = FlowMachine.TestCase
