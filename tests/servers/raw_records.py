"""How does a test write a record that no client library writes?

Header names that are not UTF-8, and a batch that is as long as the broker allows to the byte: the
bytes of a record batch are put together here and sent to the partition's leader.

Source: the Kafka protocol guide, "Record Batch" (magic 2) and "Produce API", version 3.
"""

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT_S = 30.0
_PRODUCE, _VERSION = 0, 3
_CASTAGNOLI = 0x82F63B78


@dataclass(frozen=True, slots=True)
class RawRecord:
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    timestamp_ms: int = -1
    """-1: the record has none."""


def write_raw(
    bootstrap: str, topic: str, partition: int, records: Sequence[RawRecord]
) -> list[int]:
    """Their offsets, all confirmed. `bootstrap` is the leader's address."""
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        return [_write(connection, topic, partition, batch_of(record)) for record in records]


def batch_of(record: RawRecord) -> bytes:
    """A record batch of one."""
    body = b"\0" + _varint(0) + _varint(0) + _sized(record.key) + _sized(record.value)
    body += _varint(len(record.headers))
    for name, value in record.headers:
        body += _sized(name) + _sized(value)
    at = record.timestamp_ms
    # Attributes, last offset's distance, first and last timestamp, no producer, one record.
    checked = struct.pack(">hiqqqhii", 0, 0, at, at, -1, -1, -1, 1) + _varint(len(body)) + body
    rest = struct.pack(">ibI", -1, 2, _crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def _write(connection: socket.socket, topic: str, partition: int, batch: bytes) -> int:
    name = topic.encode()
    request = struct.pack(">hhih", _PRODUCE, _VERSION, 1, -1)
    request += struct.pack(">hhi", -1, -1, int(TIMEOUT_S * 1000))
    request += struct.pack(">ih", 1, len(name)) + name + struct.pack(">ii", 1, partition)
    request += struct.pack(">i", len(batch)) + batch
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    answer = _exactly(connection, length)
    # Correlation, one topic with its name, one partition: number, error, offset.
    _, error, offset = struct.unpack_from(">ihq", answer, 4 + 4 + 2 + len(name) + 4)
    assert error == 0, f"the broker refused the record with error {error}"
    assert isinstance(offset, int)
    return offset


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        piece = connection.recv(count - len(got))
        assert piece, "the broker closed the connection"
        got += piece
    return bytes(got)


def _varint(number: int) -> bytes:
    """Zig-zag, 7 bits a byte, lowest first."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


def _sized(data: bytes | None) -> bytes:
    return _varint(-1) if data is None else _varint(len(data)) + data


def _table() -> Sequence[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
