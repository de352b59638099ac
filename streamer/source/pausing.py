"""Which partitions does the client stop and go on fetching?"""

from collections.abc import Collection

from streamer.model import Owned
from streamer.source.client import Client
from streamer.source.flow import Flow
from streamer.source.inbox import Inbox


class Pausing:
    """A partition pauses once a message of it did not fit, and goes on once there is room."""

    def __init__(self, client: Client, inbox: Inbox, flow: Flow) -> None:
        self._client = client
        self._inbox = inbox
        self._flow = flow
        self._paused: set[Owned] = set()
        self._spans_full: set[Owned] = set()

    @property
    def paused(self) -> Collection[Owned]:
        """A copy: other threads look at it."""
        return self._paused.copy()

    def span_full(self, owned: Owned, full: bool) -> None:
        """Settled messages reach too far beyond the position, or no more."""
        self._flow.span_full(owned, full)
        (self._spans_full.add if full else self._spans_full.discard)(owned)

    def turn(self, owned: Collection[Owned]) -> None:
        """`owned`: the open partitions. Costs nothing for those that are neither full nor were."""
        blocked = self._inbox.blocked
        if not (self._paused or self._spans_full or blocked):
            return
        current = set(owned)
        self._paused &= current
        self._spans_full &= current
        full = self._spans_full.union(blocked).difference(self._paused)
        self._client.pause([one.partition for one in full])
        self._paused |= full
        room = [
            one
            for one in self._paused
            if not self._inbox.is_blocked(one) and self._flow.is_open(one)
        ]
        self._client.resume([one.partition for one in room])
        self._paused.difference_update(room)
