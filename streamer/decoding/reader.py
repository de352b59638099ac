"""How is a schema's reader made, and what does a person read of bytes that it cannot read?"""

import struct
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, Protocol

from streamer.decoding.extent import HoldsItself
from streamer.decoding.primitives import Malformed
from streamer.decoding.reader_source import ReaderSource, reader_source
from streamer.decoding.schema import RecordType, Schema, SchemaRejected, Type, Union

# Values without bytes of their own that one message may have, such as the items of an array of
# nulls: no event has them, and their memory stays under some tens of megabytes.
MAX_UNPAID_VALUES = 100_000

# Of a path: deeper than events are; the middle of a longer one says nothing more.
_MAX_PATH = 120

READ_ERRORS = (Malformed, IndexError, struct.error, UnicodeDecodeError, RecursionError)
"""All that `Reader.read` raises, whatever the bytes."""


class Read(Protocol):
    def __call__(self, b: bytes, p: int, /) -> Any: ...


class Reader:
    """Reads the values of one writer schema."""

    __slots__ = ("_code", "_paths", "event_name", "holds_records", "name", "read", "schema")

    def __init__(self, schema: Schema) -> None:
        """Raises `SchemaRejected` for a schema that no value fits."""
        self.schema = schema
        self.name = schema.name or "a schema without a name"
        """What people know the schema by."""
        root = schema.resolve(schema.root)
        self.event_name = root.name if isinstance(root, RecordType) else None
        """The event's name; None where the value is a `Record`, or no event at all."""
        self.holds_records = _is_event(schema, root)
        """Whether values (some of them, for a union) are records, and so events."""
        try:
            source = reader_source(schema)
        except HoldsItself as error:
            raise SchemaRejected(f"the record {error} holds itself without end") from None
        except RecursionError:
            raise SchemaRejected("its types are nested too deep in each other") from None
        try:
            self._code = compile(source.text, f"<reader of {self.name!a}>", "exec")
        except (MemoryError, RecursionError, SyntaxError):
            # All three are how Python's compiler says that a source is beyond its bounds.
            raise SchemaRejected("it is too large or too intricate for a reader") from None
        self._paths = source.paths
        self.read: Read = _loaded(source, self._code)
        """`read(b, p)`: the value whose bytes are `b` from `p` to its end; raises one of
        `READ_ERRORS`."""

    def problem(self, error: Exception) -> str:
        """What is wrong with bytes that `read` raised `error` for, and at which path of the
        value. Holds no value."""
        path = self._path(error.__traceback__)
        return f"{self.name}{' at ' + path if path else ''}: {_in_words(error)}"

    def _path(self, traceback: TracebackType | None) -> str:
        parts = []
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._code.co_filename:
                parts.append(self._paths[traceback.tb_lineno - 1])
            traceback = traceback.tb_next
        path = "".join(parts).lstrip(".")
        if len(path) <= _MAX_PATH:
            return path
        half = _MAX_PATH // 2
        return f"{path[:half]} ... {path[-half:]}"


def _is_event(schema: Schema, root: Type) -> bool:
    match root:
        case RecordType():
            return True
        case Union():
            return any(isinstance(schema.resolve(each), RecordType) for each in root.branches)
        case _:
            return False


def _loaded(source: ReaderSource, code: CodeType) -> Read:
    names = source.names
    if "charge(" not in source.text:
        exec(code, names)
        read: Read = names["read"]
        return read
    left = [0]
    names["charge"] = _charge(left)
    exec(code, names)
    return _counted(names["read"], left)


def _charge(left: list[int]) -> Callable[[int], None]:
    def charge(count: int) -> None:
        left[0] -= count
        if left[0] < 0:
            raise Malformed(f"more than {MAX_UNPAID_VALUES} values have no bytes of their own")

    return charge


def _counted(read: Read, left: list[int]) -> Read:
    """A reader that has the count of one message at a time."""

    def read_counted(b: bytes, p: int, /) -> Any:
        left[0] = MAX_UNPAID_VALUES
        return read(b, p)

    return read_counted


def _in_words(error: Exception) -> str:
    match error:
        case Malformed():
            return str(error)
        case UnicodeDecodeError():
            return "a text is not UTF-8"
        case RecursionError():
            return "the value is nested deeper than an event may be"
        case _:
            return "the message ends inside this value"
