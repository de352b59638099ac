"""What of what was consumed is handed over now, and what waits until there is room?"""

from collections import deque
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError
from confluent_kafka import Message as ClientMessage

from streamer.model import Message, Owned, Position
from streamer.source.flow import Flow
from streamer.source.handover import Intake, PartitionEnd
from streamer.source.messages import read_message

_END = KafkaError._PARTITION_EOF


class Inbox:
    """Sorts what the client gave. Used by the poll thread alone.

    `take` keeps what belongs to an assignment of now, in order; `release` gives what fits. What
    does not fit waits here, and its partition is `blocked`: it has to be paused. That is at most
    what one call of the client gives.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._owned: dict[str, dict[int, Owned]] = {}
        self._fresh: list[Message] = []
        self._ends: dict[Owned, PartitionEnd] = {}
        self._waiting: dict[Owned, deque[Message]] = {}
        self._errors: list[ClientMessage] = []

    def opened(self, owned: Owned) -> None:
        """From now on, messages of this partition belong to this generation."""
        topic, number = owned.partition
        self._owned.setdefault(topic, {})[number] = owned
        self._flow.opened(owned)

    def closed(self, owned: Owned) -> None:
        """Drop what was not handed over of it, and all that is still to come."""
        topic, number = owned.partition
        self._owned.get(topic, {}).pop(number, None)
        self._waiting.pop(owned, None)
        self._ends.pop(owned, None)
        self._fresh = [message for message in self._fresh if message.partition != owned.partition]
        self._flow.closed(owned)

    @property
    def blocked(self) -> Iterable[Owned]:
        return self._waiting.keys()

    def is_blocked(self, owned: Owned) -> bool:
        return owned in self._waiting

    def take(self, given: Sequence[ClientMessage]) -> None:
        """Call it as soon as the client has returned: what counts is who owns the partition then,
        since the client may give messages of a partition that was revoked during the call."""
        for raw in given:
            partitions = self._owned.get(raw.topic() or "")
            owned = None if partitions is None else partitions.get(raw.partition() or 0)
            error = raw.error()
            if error is not None:
                self._take_error(raw, owned, error)
            elif owned is not None:
                self._ends.pop(owned, None)
                message = read_message(raw, owned)
                waiting = self._waiting.get(owned)
                if waiting is not None:
                    waiting.append(message)
                elif self._flow.admit(owned, message.size):
                    self._fresh.append(message)
                else:
                    self._waiting[owned] = deque([message])

    def _take_error(self, raw: ClientMessage, owned: Owned | None, error: KafkaError) -> None:
        if error.code() != _END:
            self._errors.append(raw)
        elif owned is not None:
            self._ends[owned] = PartitionEnd(owned, Position(raw.offset() or 0))

    def take_errors(self) -> list[ClientMessage]:
        """Errors that came in place of messages, other than the end of a partition."""
        errors, self._errors = self._errors, []
        return errors

    def release(self) -> Intake | None:
        """What is to be handed over now; None if there is nothing."""
        for owned in list(self._waiting):
            self._release(owned)
        ends = [end for owned, end in self._ends.items() if owned not in self._waiting]
        if not ends and not self._fresh:
            return None
        for end in ends:
            del self._ends[end.owned]
        messages, self._fresh = self._fresh, []
        return Intake(messages, ends)

    def _release(self, owned: Owned) -> None:
        waiting = self._waiting[owned]
        while waiting and self._flow.admit(owned, waiting[0].size):
            self._fresh.append(waiting.popleft())
        if not waiting:
            del self._waiting[owned]
