"""What do the bytes of a key or value say about their writer schema?"""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from streamer.decoding.reader import Reader
from streamer.model import Message, Refusal, SchemaRef


class Side(StrEnum):
    """Which bytes of the message; the value is the name in texts for people."""

    KEY = "key"
    VALUE = "value"


class Unreadable(Struct, frozen=True):
    """The bytes have no known wire format, or a schema that is known not to be there."""

    refusal: Refusal
    schema: str
    """What the flood guard counts it under."""


Found = tuple[Reader, int] | SchemaRef | Unreadable
"""The reader and where its value starts, or the schema that must be fetched first, or neither."""


class WriterSchemas(Protocol):
    """Where writer schemas come from: a registry's cache or a directory."""

    def find(self, side: Side, data: bytes, message: Message) -> Found: ...
