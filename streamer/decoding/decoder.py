"""Which event, or which refusal, is a message?"""

from typing import Any

from streamer.decoding.found import Side, Unreadable, WriterSchemas
from streamer.decoding.reader import READ_ERRORS, Reader
from streamer.decoding.values import Record
from streamer.model import (
    BadMessage,
    Decoded,
    Event,
    KeyRefused,
    Message,
    Reason,
    Refusal,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)

_HEADERS_UNREADABLE = Refusal(
    Reason.UNDECODABLE,
    "the name of one of its headers is not UTF-8, so that none of its headers can be read",
)


class Decoder:
    """Makes events of messages, with the writer schemas that are here.

    For any bytes, `decode` ends with an event, a tombstone, a bad message or the schema that it
    needs, within time and memory that grow with the message's size in a straight line.
    """

    def __init__(self, schemas: WriterSchemas) -> None:
        self._schemas = schemas

    def decode(self, message: Message, with_key: bool = False) -> Decoded:
        """`with_key`: whether some route of the topic reads the key as Avro. A key that does not
        decode is a `KeyRefused` in the event: what became of the value still counts."""
        if not message.headers_readable:
            return BadMessage(message, _HEADERS_UNREADABLE, "none")
        value = message.value
        if value is None:
            return self._with_key(message, None, None) if with_key else Tombstone(message)
        found = self._schemas.find(Side.VALUE, value, message)
        if isinstance(found, Unreadable):
            return BadMessage(message, found.refusal, found.schema)
        if isinstance(found, SchemaRef):
            return SchemaNeeded(message, found)
        reader, start = found
        try:
            fields = reader.read(value, start)
        except READ_ERRORS as error:
            return BadMessage(message, _refused(reader, error, Side.VALUE), reader.name)
        name = reader.event_name
        if name is None:
            if not isinstance(fields, Record):
                return BadMessage(message, _no_event(reader), reader.name)
            name = fields.avro_name
        return self._with_key(message, name, fields) if with_key else Event(message, name, fields)

    def _with_key(self, message: Message, name: str | None, fields: Any) -> Decoded:
        key = self._key(message)
        if isinstance(key, SchemaNeeded):
            return key
        if name is None:
            return Tombstone(message, key)
        return Event(message, name, fields, key)

    def _key(self, message: Message) -> Any:
        """The decoded key, `KeyRefused` or `SchemaNeeded`; None where there is no key."""
        if message.key is None:
            return None
        found = self._schemas.find(Side.KEY, message.key, message)
        if isinstance(found, Unreadable):
            return KeyRefused(found.refusal)
        if isinstance(found, SchemaRef):
            return SchemaNeeded(message, found)
        reader, start = found
        try:
            return reader.read(message.key, start)
        except READ_ERRORS as error:
            return KeyRefused(_refused(reader, error, Side.KEY))


def _refused(reader: Reader, error: Exception, side: Side) -> Refusal:
    return Refusal(
        Reason.UNDECODABLE,
        f"the {side} is no value of its writer schema: {reader.problem(error)}; its producer wrote"
        " it with another schema, or the bytes were damaged",
    )


def _no_event(reader: Reader) -> Refusal:
    return Refusal(
        Reason.UNDECODABLE,
        f"the value of {reader.name} is no record: an event has named fields",
    )
