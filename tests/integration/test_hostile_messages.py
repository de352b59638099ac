"""What becomes of every hostile message on a real broker, and of the good ones between them?

Each case is one message, and a good one of the same key follows it at once: whatever stops or slows
what does not depend on it shows. `docs/hostile-messages.md` lists them.
"""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import psutil

from tests.integration.conftest import StartsStreamer
from tests.servers.kafka import KafkaCluster
from tests.servers.raw_records import RawRecord, batch_of, write_raw
from tests.servers.records import StoredRecord, committed, end_offsets, read_all
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.waiting import wait_until
from tests.unit.decoding.avro_bytes import record, written

INSTANCE = "5b1cf0b5-51c7-4c3f-8a52-3f4c0a9e7d10"
GROUP = "hostile-messages"

# All is settled in seconds; the machine may be busy with others.
WITHIN_S = 120
# An idle process has some 120 MB. One message that became all that it says would take far more.
MEMORY_MOST = 500 * 1024 * 1024
LARGEST_BATCH = 1_048_588  # the broker's message.max.bytes default

EVENT = "event"
"""What can be delivered truthfully is."""
BAD = "undecodable"
NO_SCHEMA = "unknown-schema"
INVALID = "payload-invalid"

Header = tuple[bytes, bytes | None]
StartsSandbox = Callable[..., SandboxProcess]


@dataclass(frozen=True)
class Case:
    """A message, and what becomes of it."""

    name: str
    schema: Any
    """What the registry has under the id that the value names: a schema, or the bytes of its
    answer. None: the value names none, and `data` is all of it."""
    data: bytes
    becomes: str
    """`event`, or the reason of its dead letter."""
    says: str = ""
    """A part of the dead letter's detail."""
    key: bytes | None = b"k"
    headers: tuple[Header, ...] = ((b"trace", b"\x00\xff"), (b"trace", None))
    timestamp_ms: int = 1_763_980_000_000


GOOD = record(("n", "long"), name="com.acme.Good")
LONG = record(("n", "long"), ("text", "string"), name="com.acme.Long")
DOUBLE = record(("x", "double"), name="com.acme.Double")
ODD = record(("__proto__", "long"), ("a.b", "long"), ("_hidden", "long"), name="com.acme.Odd")
NESTED = record(("inner", record(("a", "long"), name="com.acme.Inner")), name="com.acme.Nested")
SCALARS = record(("many", {"type": "array", "items": "long"}), name="com.acme.Scalars")
NODE = record(("next", ["null", "com.acme.Node"]), name="com.acme.Node")
ENUM = {"type": "enum", "name": "com.acme.E", "symbols": ["A", "B"]}
FIXED = [{"type": "fixed", "name": f"F{number}", "size": 1} for number in range(7_000)]
MANY = record(("n", "long"), ("x", {"type": "array", "items": FIXED}), name="com.acme.Many")
DEEP = '{"type":' * 20_000 + '"int"' + "}" * 20_000


def one(type_: Any, **logical: Any) -> Any:
    """A record with one field of the type."""
    return record(("x", {"type": type_, **logical} if logical else type_), name="com.acme.One")


def number(n: int) -> bytes:
    return written("long", n)


def referring(**reference: Any) -> bytes:
    """An answer with a schema that builds on another."""
    return json.dumps({"schema": '"int"', "references": [{"name": "x", **reference}]}).encode()


CASES = (
    # the wire format
    Case("a value without a byte", None, b"", BAD, "the value is empty"),
    Case("a value too short for its header", None, b"\0\0\0\0", BAD, "the value has 4 bytes"),
    Case("a wrong magic byte", None, b"{}", BAD, "begins with the byte 0x7b"),
    Case("an unknown schema id", None, b"\0\x77\0\0\1\0", NO_SCHEMA, "has no schema id 1996488705"),
    # the schema
    Case("a schema that is not Avro", {"type": "recording"}, b"", NO_SCHEMA, "is no Avro schema"),
    Case("a schema that is not JSON", b'{"schema":"{"}', b"", NO_SCHEMA, "it is not JSON"),
    Case(
        "a schema of Protobuf",
        b'{"schema":"message A {}","schemaType":"PROTOBUF"}',
        b"",
        NO_SCHEMA,
        "of the type PROTOBUF",
    ),
    Case(
        "a schema of JSON Schema",
        b'{"schema":"{}","schemaType":"JSON"}',
        b"",
        NO_SCHEMA,
        "of the type JSON",
    ),
    Case(
        "a schema nested 20,000 deep",
        json.dumps({"schema": DEEP}).encode(),
        b"\2",
        NO_SCHEMA,
        "nested deeper than 64 levels",
    ),
    Case(
        "a schema of 5 MB",
        record(("x", {"type": "int", "doc": "x" * 5_000_000})),
        b"\2",
        NO_SCHEMA,
        "is longer than 4194304 bytes",
    ),
    Case(
        "a reference to half a surrogate pair",
        referring(subject="\ud800", version=1),
        b"\2",
        NO_SCHEMA,
        "a reference that names no subject",
    ),
    Case(
        "a reference to 70,000 characters",
        referring(subject="x" * 70_000, version=1),
        b"\2",
        NO_SCHEMA,
        "a reference that names no subject",
    ),
    Case(
        "a reference without a version",
        referring(subject="s"),
        b"\2",
        NO_SCHEMA,
        "a reference that names no subject",
    ),
    # bytes that are no value
    Case("a value that is cut", one("string"), b"\x0aab", BAD, "ends inside this value"),
    Case("bytes after a value", one("string"), b"\x02ab", BAD, "1 bytes follow the complete value"),
    Case("a negative length", one("bytes"), b"\x09", BAD, "a length or an index is negative"),
    Case("a length of 2^62", one("string"), number(2**62) + b"a", BAD, "ends inside this value"),
    Case("a varint without end", one("long"), b"\x81" * 100_000, BAD, "more than 64 bits"),
    Case("a varint longer than need be", one("long"), b"\x80\0", BAD, "more bytes than it needs"),
    Case("an enum's index out of range", one(ENUM), b"\4", BAD, "the enum has no symbol"),
    Case("an enum's negative index", one(ENUM), b"\1", BAD, "an index is negative"),
    Case("a union's index out of range", one(["null", "int"]), b"\4", BAD, "has no branch"),
    Case("a union's negative index", one(["null", "int"]), b"\1", BAD, "an index is negative"),
    Case("text that is not UTF-8", one("string"), b"\x02\xff", BAD, "a text is not UTF-8"),
    # few bytes that say they are many
    Case(
        "2^40 items without bytes",
        one("array", items="null"),
        number(2**40) + b"\0",
        BAD,
        "have no bytes of their own",
    ),
    Case("a million levels", NODE, b"\2" * 1_000_000 + b"\0", BAD, "nested deeper than"),
    Case(
        "a fixed of 2 GB in three bytes",
        one("fixed", name="com.acme.F", size=2**31 - 1),
        b"abc",
        BAD,
        "ends inside this value",
    ),
    Case(
        "a decimal of 100 kB",
        one("bytes", logicalType="decimal", precision=250_000, scale=2),
        number(100_000) + b"\x7f" * 100_000,
        BAD,
        "a decimal has more than 512 bytes",
    ),
    # values of logical types
    Case(
        "a timestamp in the year 292,000,000",
        one("long", logicalType="timestamp-millis"),
        number(9_214_000_000_000_000_000),
        BAD,
        "a timestamp lies outside the years 1 to 9999",
    ),
    Case(
        "a date out of range",
        one("int", logicalType="date"),
        number(2**31 - 1),
        BAD,
        "a date lies outside",
    ),
    Case(
        "a time of day out of range",
        one("int", logicalType="time-millis"),
        number(-1),
        BAD,
        "a time of day lies outside the day",
    ),
    Case("a UUID that is none", one("string", logicalType="uuid"), b"\2x", BAD, "is no UUID"),
    # what decodes, and breaks the endpoint's rules
    Case("NaN", DOUBLE, struct.pack("<d", float("nan")), INVALID, "payload.x is NaN or infinite"),
    Case("infinity", DOUBLE, struct.pack("<d", float("-inf")), INVALID, "is NaN or infinite"),
    Case("a nested object", NESTED, b"\2", INVALID, "payload.inner is an object"),
    Case("an array of scalars", SCALARS, b"\2\2\0", INVALID, "payload.many[0] is an integer"),
    # what can be delivered truthfully
    Case("fields with odd names", ODD, b"\2\4\6", EVENT),
    Case(
        "200,000 of the last of 7,000 branches",
        MANY,
        number(1_006) + number(200_000) + (number(6_999) + b"z") * 200_000 + b"\0",
        EVENT,
    ),
    Case("a key of 0 bytes", GOOD, number(1_001), EVENT, key=b""),
    Case("no key", GOOD, number(1_002), EVENT, key=None),
    Case("a timestamp of -1", GOOD, number(1_003), EVENT, timestamp_ms=-1),
    Case(
        "a header value that is not UTF-8", GOOD, number(1_004), EVENT, headers=((b"h", b"\xff"),)
    ),
    # and the same where it cannot
    Case("a bad value, its key of 0 bytes", None, b"{", BAD, key=b""),
    Case("a bad value without a key", None, b"{", BAD, key=None),
    Case("a bad value, its timestamp -1", None, b"{", BAD, timestamp_ms=-1),
    Case("a bad value, its header value not UTF-8", None, b"{", BAD, headers=((b"h", b"\xff"),)),
    Case(
        "a header name that is not UTF-8",
        GOOD,
        number(1_005),
        BAD,
        "the name of one of its headers is not UTF-8",
        headers=((b"fine", b"1"), (b"\xff\xfe", b"2")),
    ),
)
UNREADABLE_HEADERS = "a header name that is not UTF-8"
ODD_PAYLOAD = {"proto": 1, "dotted": 2, "hidden": 3}

FIRST_ID = 100
GOOD_ID, LONG_ID = 1, 2


def largest(value_of_length: Callable[[int], bytes]) -> RawRecord:
    """A record whose batch has exactly the bytes that the broker allows."""
    length = LARGEST_BATCH
    while True:
        made = RawRecord(value_of_length(length), b"big")
        over = len(batch_of(made)) - LARGEST_BATCH
        if not over:
            return made
        length -= over


def long_event(length: int) -> bytes:
    return struct.pack(">bI", 0, LONG_ID) + number(2_000) + number(length) + b"x" * length


# --- the registry -----------------------------------------------------------------------------


def _answers() -> Mapping[str, bytes]:
    """By path, what the registry answers with 200."""
    by_id = {GOOD_ID: GOOD, LONG_ID: LONG} | {
        FIRST_ID + index: case.schema for index, case in enumerate(CASES) if case.schema is not None
    }
    return {
        f"/schemas/ids/{number}": schema
        if isinstance(schema, bytes)
        else json.dumps({"schema": json.dumps(schema)}).encode()
        for number, schema in by_id.items()
    }


@contextmanager
def odd_registry() -> Iterator[str]:
    """A registry that answers what no real one would store; its address."""
    answers = _answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = answers.get(self.path)
            body = b'{"error_code": 40403, "message": "not found"}' if known is None else known
            self.send_response(404 if known is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- the messages -----------------------------------------------------------------------------


def value_of(index: int, case: Case) -> bytes:
    if case.schema is None:
        return case.data
    return struct.pack(">bI", 0, FIRST_ID + index) + case.data


def good(n: int, key: bytes | None) -> RawRecord:
    return RawRecord(struct.pack(">bI", 0, GOOD_ID) + number(n), key)


def records() -> list[RawRecord]:
    """Each case, and behind it a good message of its key."""
    made = []
    for index, case in enumerate(CASES):
        raw = RawRecord(value_of(index, case), case.key, case.headers, case.timestamp_ms)
        made += [raw, good(index, case.key)]
    return made


def config(kafka: KafkaCluster, registry: str, endpoint: str, topic: str) -> dict[str, Any]:
    def route(event: str, payload: Mapping[str, str]) -> dict[str, Any]:
        full_name = f"com.acme.{event}"
        return {
            "name": event.lower(),
            "topic": topic,
            "event": full_name,
            "trigger": "told",
            "payload": payload,
        }

    odd = {
        "proto": 'event["__proto__"]',
        "dotted": 'event["a.b"]',
        "hidden": 'event["_hidden"]',
    }
    return {
        "kafka": {
            "bootstrap_servers": kafka.bootstrap,
            "group_id": GROUP,
            "start": "earliest",
        },
        "schemas": {"registry": {"url": registry}},
        "endpoint": {
            "base_url": endpoint,
            "app": {"id": "an-app", "secret": "the-secret-of-the-app"},
            "instance": INSTANCE,
            "quota": "none",
        },
        "dead_letters": {"create": True},
        "log": {"format": "json"},
        "routes": [
            route("Good", {"n": "event.n"}),
            route("Long", {"n": "event.n"}),
            route("Double", {"x": "event.x"}),
            route("Nested", {"inner": "event.inner"}),
            route("Scalars", {"many": "event.many"}),
            route("Odd", odd),
            route("Many", {"n": "event.n"}),
        ],
    }


def test_each_hostile_message_is_an_event_or_a_dead_letter_and_stops_nothing_else(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    topic = kafka.create_topic(config={"max.message.bytes": str(LARGEST_BATCH)})
    offsets = write_raw(kafka.bootstrap, topic, 0, records())
    large, large_and_bad = largest(long_event), largest(lambda length: b"{" * length)
    large_offsets = write_raw(
        kafka.bootstrap, topic, 0, [large, large_and_bad, good(2_001, b"big")]
    )
    sandbox = sandbox_process()
    deliverable = len(CASES) + sum(case.becomes == EVENT for case in CASES) + 2

    memory = 0
    with odd_registry() as registry:
        streamer = streamer_process(config(kafka, registry, sandbox.url, topic))

        def is_done() -> bool:
            nonlocal memory
            assert streamer.process.alive, streamer.process.log()[-3000:]
            memory = max(memory, psutil.Process(streamer.process.pid).memory_info().rss)
            at = committed(kafka.bootstrap, GROUP).get((topic, 0))
            return at is not None and at.offset == end_offsets(kafka.bootstrap, topic)[0]

        wait_until(is_done, "everything is settled and committed", WITHIN_S)

    assert memory < MEMORY_MOST, f"{memory:,} bytes"
    payloads = [entry["payload"] for entry in sandbox.reports()]
    assert len(payloads) == deliverable
    assert ODD_PAYLOAD in payloads
    numbers = [payload["n"] for payload in payloads if "n" in payload]
    kept = [n for n in numbers if n < len(CASES) and CASES[n].key == b"k"]
    assert kept == sorted(kept), "in the order of their key"
    assert {1_001, 1_002, 1_003, 1_004, 1_006, 2_000, 2_001} <= set(numbers)
    assert 1_005 not in numbers
    letters = _letters(kafka, topic)
    wrong = [
        f"{case.name}: {fault}"
        for index, case in enumerate(CASES)
        if (fault := _fault(case, value_of(index, case), letters.pop(offsets[2 * index], None)))
    ]
    assert wrong == []
    letter = letters.pop(large_offsets[1])
    assert (letter.key, letter.value) == (b"big", large_and_bad.value)
    assert letters == {}


def _letters(kafka: KafkaCluster, topic: str) -> dict[int, StoredRecord]:
    """By the offset of their origin."""
    found = {}
    for letter in read_all(kafka.bootstrap, f"{topic}.dlq"):
        offset = dict(letter.headers)["streamer-origin-offset"]
        assert offset is not None
        found[int(offset)] = letter
    return found


def _fault(case: Case, value: bytes, letter: StoredRecord | None) -> str:
    """What is not as the case says; empty if nothing."""
    if case.becomes == EVENT:
        return "" if letter is None else f"dead-lettered: {letter.headers}"
    if letter is None:
        return "has no dead letter"
    if (letter.key, letter.value) != (case.key, value):
        return "its key or value is not as it was"
    ours = {name: (text or b"").decode() for name, text in letter.headers if "streamer" in name}
    theirs = [pair for pair in letter.headers if "streamer" not in pair[0]]
    unreadable = case.name == UNREADABLE_HEADERS
    if theirs != ([] if unreadable else [(name.decode(), text) for name, text in case.headers]):
        return f"its headers are {theirs}"
    if unreadable != ("streamer-headers-unreadable" in ours):
        return "whether its headers could be read is told wrongly"
    if ours["streamer-origin-timestamp"] != str(case.timestamp_ms):
        return f"its timestamp is {ours['streamer-origin-timestamp']}"
    if ours["streamer-reason"] != case.becomes or case.says not in ours["streamer-detail"]:
        return f"{ours['streamer-reason']}: {ours['streamer-detail']}"
    return ""
