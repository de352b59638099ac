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
        # Replaced and never changed: other threads look at it.
        self._paused: frozenset[Owned] = frozenset()
        self._spans_full: set[Owned] = set()

    @property
    def paused(self) -> frozenset[Owned]:
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
        current = self._paused.intersection(owned)
        self._spans_full.intersection_update(owned)
        full = self._spans_full.union(blocked).difference(current)
        self._client.pause([one.partition for one in full])
        current |= full
        room = [
            one for one in current if not self._inbox.is_blocked(one) and self._flow.is_open(one)
        ]
        self._client.resume([one.partition for one in room])
        self._paused = current.difference(room)
