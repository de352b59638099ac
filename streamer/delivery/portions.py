"""How much is taken in at a time, while no answer is read and no call starts?"""

from streamer.model import Message

PORTION_MESSAGES = 32
"""A millisecond or two, of usual messages."""
PORTION_BYTES = 65_536
"""Of all of them: what takes longest to decode and to route takes 2 us a byte."""


class Portion:
    """Counts what was taken; at least one message is, whatever its size."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0

    @property
    def has_room(self) -> bool:
        return self.messages < PORTION_MESSAGES and self.bytes < PORTION_BYTES

    def take(self, message: Message) -> None:
        self.messages += 1
        self.bytes += len(message.value or b"")
