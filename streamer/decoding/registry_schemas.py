"""Which writer schema does a message of a registry's user name, and is it here already?

The wire formats of Confluent's serializers: a magic byte and what names the schema (0 and an id
of four bytes, or 1 and a GUID of sixteen), in front of the Avro value or, for the newer form, in
a header of the record.
"""

from collections import OrderedDict
from uuid import UUID

from streamer.decoding.fetched import SchemaText, SchemaUnknown
from streamer.decoding.found import Found, Side, Unreadable
from streamer.decoding.reader import Reader
from streamer.decoding.schema import SchemaRejected
from streamer.decoding.schema_text import parse_schema
from streamer.model import Message, Reason, Refusal, SchemaRef

# `confluent_kafka.schema_registry`: `_KEY_SCHEMA_ID` and `_VALUE_SCHEMA_ID`.
_HEADERS = {Side.KEY: "__key_schema_id", Side.VALUE: "__value_schema_id"}

_ID_SIZE = 5
_GUID_SIZE = 17

# A schema that was registered too late (or whose registry's replica is behind) is found again
# after this long, without a restart; meanwhile a flood of its messages costs no further call.
UNKNOWN_FOR_S = 30.0
# Hostile ids may be any of four billion.
MAX_UNKNOWN = 10_000


class RegistrySchemas:
    """The schemas that were fetched so far. `learn` adds one; `expire` forgets old refusals."""

    def __init__(self) -> None:
        self._in_front: dict[bytes, tuple[Reader, int] | Unreadable] = {}
        self._in_header: dict[bytes, tuple[Reader, int] | Unreadable] = {}
        self._unknown_until: OrderedDict[bytes, float] = OrderedDict()

    def find(self, side: Side, data: bytes, message: Message) -> Found:
        if message.headers:
            name = _HEADERS[side]
            for header, named in reversed(message.headers):
                if header == name:
                    return self._by_header(named or b"", name)
        found = self._in_front.get(data[:_ID_SIZE])
        if found is not None:
            return found
        return self._by_prefix(data, side)

    def learn(self, ref: SchemaRef, fetched: SchemaText | SchemaUnknown, now_s: float) -> None:
        """Puts in what the registry answered. `now_s` is any steady clock's, `expire`'s too."""
        named = _in_bytes(ref)
        known = _read_by(fetched, ref)
        if isinstance(known, Unreadable):
            self._in_front[named] = self._in_header[named] = known
            self._unknown_until[named] = now_s + UNKNOWN_FOR_S
            self._unknown_until.move_to_end(named)
            if len(self._unknown_until) > MAX_UNKNOWN:
                self._forget_oldest()
        else:
            self._unknown_until.pop(named, None)
            self._in_front[named] = (known, len(named))
            self._in_header[named] = (known, 0)

    def expire(self, now_s: float) -> None:
        """Forgets refusals that are old enough, so that their schemas are asked for again.
        Costs next to nothing where there is none; call it with each batch of messages."""
        unknown = self._unknown_until
        while unknown and next(iter(unknown.values())) <= now_s:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        named, _ = self._unknown_until.popitem(last=False)
        del self._in_front[named]
        del self._in_header[named]

    def _by_header(self, named: bytes, header: str) -> Found:
        found = self._in_header.get(named)
        if found is not None:
            return found
        ref = _ref(named)
        if ref is not None and len(named) == _size(ref):
            return ref
        return _unreadable(
            f"the header {header} holds {len(named)} bytes, and neither 0 and a schema id of 4"
            " bytes nor 1 and a schema GUID of 16"
        )

    def _by_prefix(self, data: bytes, side: Side) -> Found:
        ref = _ref(data)
        if ref is not None:
            return self._in_front.get(data[: _size(ref)], ref)
        if not data:
            return _unreadable(f"the {side} is empty: it has no schema id")
        size = _GUID_SIZE if data[0] == 1 else _ID_SIZE
        if data[0] in (0, 1):
            return _unreadable(
                f"the {side} has {len(data)} bytes, and its schema's name alone takes {size}"
            )
        return _unreadable(
            f"the {side} begins with the byte {data[0]:#04x}, no magic byte of the registry's wire"
            " format (0 or 1); its producer does not write Avro with a schema registry"
        )


def _ref(data: bytes) -> SchemaRef | None:
    """What the first bytes name, if they name anything."""
    if data[:1] == b"\0" and len(data) >= _ID_SIZE:
        return SchemaRef("id", str(int.from_bytes(data[1:_ID_SIZE], "big")))
    if data[:1] == b"\1" and len(data) >= _GUID_SIZE:
        return SchemaRef("guid", str(UUID(bytes=data[1:_GUID_SIZE])))
    return None


def _size(ref: SchemaRef) -> int:
    return _ID_SIZE if ref.kind == "id" else _GUID_SIZE


def _in_bytes(ref: SchemaRef) -> bytes:
    """As the ref stands in front of a value or in a header."""
    if ref.kind == "id":
        return b"\0" + int(ref.value).to_bytes(4, "big")
    return b"\1" + UUID(ref.value).bytes


def _read_by(fetched: SchemaText | SchemaUnknown, ref: SchemaRef) -> Reader | Unreadable:
    if isinstance(fetched, SchemaUnknown):
        return Unreadable(fetched.refusal, str(ref))
    try:
        return Reader(parse_schema(fetched.text, fetched.references))
    except SchemaRejected as error:
        detail = f"{ref} of the registry is no Avro schema that can be read: {error}"
        return Unreadable(Refusal(Reason.UNKNOWN_SCHEMA, detail), str(ref))


def _unreadable(problem: str) -> Unreadable:
    return Unreadable(Refusal(Reason.UNDECODABLE, problem), "none")
