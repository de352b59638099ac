"""Does a generated reader give what was written, and refuse what was not?"""

import io
import json
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from fastavro import schemaless_reader

from streamer.decoding.reader import MAX_UNPAID_VALUES, Reader
from streamer.decoding.reader_source import MAX_VALUE_DEPTH, reader_source
from streamer.decoding.schema import SchemaRejected
from streamer.decoding.schema_text import parse_schema
from streamer.decoding.values import NanoDatetime, Record
from tests.unit.decoding.avro_bytes import read, reader_of, record, written
from tests.unit.decoding.hostile_schemas import ORDINARY

LINE = record(("sku", "string"), ("qty", "int"), name="com.acme.Line")
EVERYTHING = record(
    ("text", "string"),
    ("int", "int"),
    ("long", "long"),
    ("yes", "boolean"),
    ("float", "float"),
    ("double", "double"),
    ("bytes", "bytes"),
    ("fixed", {"type": "fixed", "name": "F", "size": 3}),
    ("enum", {"type": "enum", "name": "E", "symbols": ["A", "B"]}),
    ("lines", {"type": "array", "items": LINE}),
    ("more_lines", {"type": "array", "items": "com.acme.Line"}),
    ("map", {"type": "map", "values": "long"}),
    ("note", ["null", "string"]),
    ("nothing", "null"),
)
VALUE: dict[str, Any] = {
    "text": "Grüße, 世界",
    "int": -(2**31),
    "long": 2**63 - 1,
    "yes": True,
    "float": 0.5,
    "double": -1e300,
    "bytes": b"\x00\xff",
    "fixed": b"abc",
    "enum": "B",
    "lines": [{"sku": "a", "qty": 1}, {"sku": "", "qty": -64}],
    "more_lines": [],
    "map": {"x": 1, "y": -(2**63)},
    "note": None,
    "nothing": None,
}


def test_every_type_arrives_as_it_was_written() -> None:
    assert read(EVERYTHING, written(EVERYTHING, VALUE)) == VALUE


def test_blocks_with_their_size_in_front_are_read() -> None:
    schema = {"type": "array", "items": "int"}
    assert read(schema, b"\x03\x04\x02\x04" + b"\x02\x06" + b"\x00") == [1, 2, 3]


@pytest.mark.parametrize(
    ("type_", "raw", "expected"),
    [
        ({"type": "int", "logicalType": "date"}, -1, date(1969, 12, 31)),
        ({"type": "int", "logicalType": "time-millis"}, 86_399_999, time(23, 59, 59, 999_000)),
        ({"type": "long", "logicalType": "time-micros"}, 1, time(0, 0, 0, 1)),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            1_763_980_000_123,
            datetime(2025, 11, 24, 10, 26, 40, 123_000, UTC),
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            -1,
            datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        ),
        (
            {"type": "long", "logicalType": "timestamp-nanos"},
            1_000,
            datetime(1970, 1, 1, 0, 0, 0, 1, UTC),
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            0,
            datetime(1970, 1, 1),
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-micros"},
            5,
            datetime(1970, 1, 1, 0, 0, 0, 5),
        ),
    ],
)
def test_logical_times_arrive_as_pythons_own(type_: Any, raw: int, expected: Any) -> None:
    value = read(type_, written(type_["type"], raw))
    assert value == expected
    assert type(value) is type(expected)
    if isinstance(value, datetime):
        assert value.tzinfo is expected.tzinfo


def test_nanoseconds_are_written_out_to_the_last_digit() -> None:
    type_ = {"type": "long", "logicalType": "timestamp-nanos"}
    value = read(type_, written("long", 1_763_980_000_123_456_789))
    assert isinstance(value, NanoDatetime)
    assert value == datetime(2025, 11, 24, 10, 26, 40, 123_456, UTC)
    assert value.isoformat() == "2025-11-24T10:26:40.123456789+00:00"
    local = read({**type_, "logicalType": "local-timestamp-nanos"}, written("long", -1))
    assert local.isoformat() == "1969-12-31T23:59:59.999999999"
    assert local.tzinfo is None
    assert (local - local).total_seconds() == 0


@pytest.mark.parametrize("text", ["0.00", "1.10", "-0.01", "123456789012.34", "-99999999.99"])
def test_a_decimal_keeps_its_exact_digits(text: str) -> None:
    type_ = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    unscaled = int(Decimal(text).scaleb(2))
    value = read(type_, written("bytes", unscaled.to_bytes(9, "big", signed=True)))
    assert str(value) == text


def test_a_fixed_may_be_a_decimal_a_uuid_or_a_duration() -> None:
    fixed = {"type": "fixed", "name": "F"}
    decimal = {**fixed, "size": 4, "logicalType": "decimal", "precision": 9, "scale": 3}
    assert read(decimal, (-1500).to_bytes(4, "big", signed=True)) == Decimal("-1.500")
    uuid = UUID("3f0c1a52-0000-4000-8000-00000000000a")
    assert read({**fixed, "size": 16, "logicalType": "uuid"}, uuid.bytes) == uuid
    duration = b"\x01\0\0\0\x02\0\0\0\x03\0\0\0"
    assert read({**fixed, "size": 12, "logicalType": "duration"}, duration) == {
        "months": 1,
        "days": 2,
        "milliseconds": 3,
    }


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "bytes", "logicalType": "decimal"},
        {"type": "bytes", "logicalType": "decimal", "precision": 0},
        {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3},
        {"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": 10**8},
        {"type": "bytes", "logicalType": "uuid"},
        {"type": "bytes", "logicalType": ["odd"]},
    ],
)
def test_an_invalid_logical_type_leaves_the_value_as_it_is(type_: Any) -> None:
    assert read(type_, written("bytes", b"ab")) == b"ab"


def test_a_record_in_a_union_of_records_says_which_it_is() -> None:
    card = record(("number", "string"), name="com.acme.Card")
    cash = record(("till", "int"), name="com.acme.Cash")
    schema = record(("paid", ["null", card, cash]), ("refund", ["null", "com.acme.Cash"]))
    data = written(schema, {"paid": ("com.acme.Cash", {"till": 3}), "refund": {"till": 4}})
    value = read(schema, data)
    assert value == {"paid": {"till": 3}, "refund": {"till": 4}}
    assert isinstance(value["paid"], Record)
    assert value["paid"].avro_name == "com.acme.Cash"
    assert type(value["refund"]) is dict


@pytest.mark.parametrize("name", ["__proto__", "_hidden", "class", "a.b", "wei'rd\\", "def x(): "])
def test_fields_with_odd_names_are_keys_like_others(name: str) -> None:
    schema = record((name, "int"), ("b", "string"))
    assert read(schema, b"\x02\x02x") == {name: 1, "b": "x"}


def test_a_field_with_a_default_of_the_wrong_type_is_no_obstacle_to_reading() -> None:
    schema = record(("a", "int"))
    schema["fields"][0]["default"] = "seven"
    assert read(schema, b"\x02") == {"a": 1}


NODE = {
    "type": "record",
    "name": "com.acme.Node",
    "fields": [{"name": "next", "type": ["null", "com.acme.Node"]}],
}


def test_a_recursive_schema_is_read_to_a_bounded_depth() -> None:
    value = read(NODE, b"\x02" * 150 + b"\x00")
    for _ in range(150):
        value = value["next"]
    assert value == {"next": None}


@pytest.mark.parametrize("levels", [MAX_VALUE_DEPTH + 1, 5_000, 1_000_000])
def test_deeper_recursion_is_refused_and_does_not_end_the_process(levels: int) -> None:
    problem = read(NODE, b"\x02" * levels + b"\x00")
    assert problem.startswith("com.acme.Node at next.next.")
    assert problem.endswith("the value is nested deeper than an event may be")
    assert len(problem) < 300


@pytest.mark.parametrize(
    "recursive",
    [
        record(("a", {"type": "array", "items": "com.acme.R"})),
        record(("m", {"type": "map", "values": ["null", "com.acme.R"]})),
        record(
            ("u", ["null", {"type": "map", "values": {"type": "array", "items": "com.acme.R"}}])
        ),
    ],
)
def test_every_way_to_recurse_is_bounded(recursive: Any) -> None:
    for level in (b"\x02", b"\x02\x00\x02", b"\x02\x02\x00\x02\x02"):
        problem = read(recursive, level * 100_000)
        assert "com.acme.R" in problem


MAYBE_NOTHING = record(*((f"n{number}", "null") for number in range(50)), name="com.acme.Nothing")


@pytest.mark.parametrize(
    "items",
    ["null", record(), record(("n", "null")), {"type": "fixed", "name": "Z", "size": 0}],
)
def test_many_items_of_no_bytes_are_refused_at_once(items: Any) -> None:
    schema = {"type": "array", "items": items}
    assert len(read(schema, written("long", 1_000) + b"\0")) == 1_000
    expected = f"more than {MAX_UNPAID_VALUES} values have no bytes of their own"
    assert read(schema, written("long", 2**40) + b"\0").endswith(expected)
    assert read(schema, written("long", 1_000) * 101 + b"\0").endswith(expected)


@pytest.mark.parametrize("schema", ORDINARY)
def test_a_schema_that_can_do_no_harm_is_read_without_counting(schema: Any) -> None:
    assert "charge(" not in reader_source(parse_schema(json.dumps(schema))).text
    harmful = {"type": "array", "items": "null"}
    assert "charge(" in reader_source(parse_schema(json.dumps(harmful))).text


def test_items_of_no_bytes_are_counted_through_all_nested_arrays() -> None:
    schema = {"type": "array", "items": {"type": "array", "items": "null"}}
    inner = written("long", 1_000) + b"\0"
    assert len(read(schema, written("long", 50) + inner * 50 + b"\0")) == 50
    problem = read(schema, written("long", 200) + inner * 200 + b"\0")
    assert "values have no bytes of their own" in problem
    # Each message has its own count.
    reader = reader_of(schema)
    for _ in range(5):
        reader.read(written("long", 50) + inner * 50 + b"\0", 0)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": record(("m", MAYBE_NOTHING), ("b", "boolean"))},
        {"type": "map", "values": MAYBE_NOTHING},
        record(
            ("left", ["null", "com.acme.R"]),
            ("right", ["null", "com.acme.R"]),
            ("m", MAYBE_NOTHING),
        ),
    ],
)
def test_few_bytes_do_not_become_many_values(schema: Any) -> None:
    count = 20_000
    if schema["type"] == "record":
        data = b"\x02\x02\x00\x00\x02" * count  # left children, each with a right one
    else:
        data = written("long", count) + b"\0" * (count + 1)
    problem = read(schema, data)
    assert "no bytes of their own" in problem or "nested deeper" in problem


def test_a_byte_does_not_become_four_values() -> None:
    inner = record(("a", record(("b", record(name="B")), name="A")), name="I")
    items = record(("u", [inner, record(name="J")]), name="K")
    data = written("long", 150_000) + b"\0" * 150_001
    assert "no bytes of their own" in read({"type": "array", "items": items}, data)

    fewer = record(("u", [record(("a", record(name="A")), name="I"), record(name="J")]), name="K")
    assert len(read({"type": "array", "items": fewer}, data)) == 150_000


def test_a_record_that_doubles_at_each_level_is_counted_before_it_is_made() -> None:
    schema: Any = record(("n", "null"), name="com.acme.R0")
    union = [schema]
    for level in range(1, 40):
        inner = f"com.acme.R{level - 1}"
        union.append(record(("a", inner), ("b", inner), name=f"com.acme.R{level}"))
    schema = {"type": "array", "items": union}
    problem = read(schema, b"\x02" + written("long", 39) + b"\0")
    assert "no bytes of their own" in problem


BAD_BYTES = [
    ("string", b"", "the message ends inside this value"),
    ("string", b"\x04a", "the message ends inside this value"),
    ("string", b"\x01", "a length or an index is negative"),
    ("string", b"\x02\xff", "a text is not UTF-8"),
    ("string", b"\x02ab", "1 bytes follow the complete value"),
    ("string", written("long", 2**62) + b"a", "the message ends inside this value"),
    ("bytes", written("long", -5), "a length or an index is negative"),
    ("long", b"\x80", "the message ends inside this value"),
    ("long", b"\x80" * 11, "the message ends inside this value"),
    ("long", b"\x80\x00", "an integer has more bytes than it needs"),
    ("long", b"\xff" * 9 + b"\x02", "an integer has more than 64 bits"),
    ("long", b"\x81" * 100_000 + b"\x01", "an integer has more than 64 bits"),
    ("long", b"\x80" * 100_000 + b"\x01", "an integer has more than 64 bits"),
    ("int", written("long", 2**31), "an int has more than 32 bits"),
    ("int", written("long", -(2**31) - 1), "an int has more than 32 bits"),
    ("boolean", b"\x02", "a boolean is neither 0 nor 1"),
    ("float", b"\0\0\0", "the message ends inside this value"),
    ("double", b"\0" * 7, "the message ends inside this value"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x01", "a length or an index is negative"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", "the enum has no symbol"),
    ({"type": "enum", "name": "E", "symbols": []}, b"\x00", "the enum has no symbol"),
    (["null", "int"], b"\x04", "the union has no branch"),
    (["null", "int"], b"\x01", "a length or an index is negative"),
    ([], b"\x00", "the union has no branch"),
    ({"type": "fixed", "name": "F", "size": 2**31 - 1}, b"abc", "the message ends inside"),
    ({"type": "array", "items": "int"}, written("long", 2**60), "the message ends inside"),
    ({"type": "array", "items": "int"}, written("long", -(2**63)) + b"\0", "the message ends"),
    ({"type": "array", "items": "int"}, b"\x01\x01", "a length or an index is negative"),
    ({"type": "map", "values": "int"}, b"\x02\x01\x00", "a length or an index is negative"),
    ({"type": "int", "logicalType": "date"}, written("int", 2**31 - 1), "a date lies outside"),
    ({"type": "int", "logicalType": "time-millis"}, written("int", -1), "a time of day lies"),
    (
        {"type": "long", "logicalType": "time-micros"},
        written("long", 86_400_000_000),
        "a time of day lies outside the day",
    ),
    (
        {"type": "long", "logicalType": "timestamp-millis"},
        written("long", 9_214_000_000_000_000_000),
        "a timestamp lies outside the years 1 to 9999",
    ),
    (
        {"type": "long", "logicalType": "local-timestamp-micros"},
        written("long", -(2**63)),
        "a timestamp lies outside the years 1 to 9999",
    ),
    ({"type": "string", "logicalType": "uuid"}, written("string", "none"), "is no UUID"),
    (
        {"type": "string", "logicalType": "uuid"},
        written("string", "{3f0c1a52-0000-4000-8000-00000000000a}"),
        "is no UUID",
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 250_000, "scale": 2},
        written("bytes", b"\x7f" * 100_000),
        "a decimal has more than 512 bytes",
    ),
]


@pytest.mark.parametrize(("type_", "data", "expected"), BAD_BYTES)
def test_bytes_that_are_no_value_are_refused_with_their_path(
    type_: Any, data: bytes, expected: str
) -> None:
    problem = read(record(("a", record(("b", type_), name="com.acme.Inner"))), data)
    assert isinstance(problem, str)
    assert problem.startswith(("com.acme.R at a.b", "com.acme.R: 1 bytes follow"))
    assert expected in problem


def test_a_problem_in_an_array_names_the_way_there() -> None:
    data = written(EVERYTHING, VALUE).replace(b"\x02a\x02", b"\x02\xff\x02")
    assert read(EVERYTHING, data) == "com.acme.R at lines[].sku: a text is not UTF-8"


def test_every_truncation_and_every_extension_is_refused() -> None:
    data = written(EVERYTHING, VALUE)
    reader = reader_of(EVERYTHING)
    for end in range(len(data)):
        assert isinstance(read(EVERYTHING, data[:end]), str), end
    assert reader.read(data, 0) == VALUE
    assert read(EVERYTHING, data + b"\0") == "com.acme.R: 1 bytes follow the complete value"


def test_nan_and_infinity_are_values() -> None:
    assert read("double", written("double", float("inf"))) == float("inf")
    nan = read("float", written("float", float("nan")))
    assert nan != nan


def test_types_nested_far_into_each_other_are_read() -> None:
    schema: Any = "int"
    value: Any = 7
    for level in range(15):
        schema = {"type": "array", "items": ["null", {"type": "map", "values": schema}]}
        schema = record((f"f{level}", schema), name=f"com.acme.N{level}")
        value = {f"f{level}": [{"k": value}, None]}
    assert read(schema, written(schema, value)) == value


def test_a_schema_with_thousands_of_fields_is_read() -> None:
    schema = record(*((f"f{number}", ["null", "string"]) for number in range(2_500)))
    value = {f"f{number}": "x" if number % 2 else None for number in range(2_500)}
    assert read(schema, written(schema, value)) == value


def fixed_of(numbers: range) -> list[Any]:
    return [{"type": "fixed", "name": f"F{number}", "size": 1} for number in numbers]


@pytest.mark.parametrize("count", [7, 8, 9, 17, 7_000])
def test_a_union_of_any_number_of_branches_is_read(count: int) -> None:
    schema = ["null", *fixed_of(range(1, count))]
    reader = reader_of(schema)

    for index in {1, 2, count // 2, count - 2, count - 1}:
        assert reader.read(written("long", index) + b"x", 0) == b"x"
    assert reader.read(b"\0", 0) is None
    for index in (count, count + 1, 2**40):
        assert read(schema, written("long", index)).endswith("no branch of this index")


def lines_run(reader: Reader, data: bytes) -> int:
    """How many lines of a reader's code it takes to read the value."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        reader.read(data, 0)
    finally:
        sys.settrace(before)
    return count


def test_the_last_of_thousands_of_branches_is_found_in_a_few_steps() -> None:
    few, many = (reader_of(["null", *fixed_of(range(1, count))]) for count in (8, 4_096))

    last_of_few = lines_run(few, written("long", 7) + b"x")
    last_of_many = lines_run(many, written("long", 4_095) + b"x")

    # A step for each doubling, and the call for an index of two bytes.
    assert last_of_many < last_of_few + 50


def test_unions_of_thousands_of_branches_stand_in_each_other() -> None:
    schema: Any = "int"
    for level in range(4):
        numbers = range(level * 2_000, level * 2_000 + 2_000)
        schema = record(("x", [*fixed_of(numbers), schema]), name=f"com.acme.R{level}")

    last = written("long", 2_000)
    assert read(schema, last * 4 + b"\2") == {"x": {"x": {"x": {"x": 1}}}}


@pytest.mark.parametrize("error", [MemoryError, RecursionError, SyntaxError])
def test_a_schema_whose_reader_python_cannot_compile_is_refused(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("streamer.decoding.reader.compile", compiled, raising=False)
    with pytest.raises(SchemaRejected, match="too large or too intricate for a reader"):
        reader_of("int")


def test_a_record_that_holds_itself_without_end_is_no_schema() -> None:
    schema = record(("a", record(("r", "com.acme.R"), name="com.acme.Inner")))
    with pytest.raises(SchemaRejected, match="holds itself without end"):
        reader_of(schema)


def test_recursion_through_a_union_and_a_second_record_is_a_schema() -> None:
    inner = record(("r", "com.acme.R"), name="com.acme.Inner")
    assert read(record(("a", ["null", inner])), b"\x02\x00") == {"a": {"r": {"a": None}}}


def test_records_that_recurse_through_each_other_may_stand_in_arrays() -> None:
    inner = record(("r", "com.acme.A"), name="com.acme.Inner")
    outer = record(("a", ["null", inner]), name="com.acme.A")
    schema = record(
        ("outers", {"type": "array", "items": outer}),
        ("inners", {"type": "array", "items": "com.acme.Inner"}),
    )
    end = {"a": None}
    value = {"outers": [end, {"a": {"r": end}}], "inners": [{"r": end}, {"r": end}]}
    assert read(schema, written(schema, value)) == value


def test_a_chain_of_references_is_read_and_one_of_a_thousand_is_refused() -> None:
    texts = [json.dumps(record(("n", "int"), name="com.acme.C0"))]
    for level in range(1, 1_500):
        texts.append(json.dumps(record(("n", f"com.acme.C{level - 1}"), name=f"com.acme.C{level}")))
    with pytest.raises(SchemaRejected, match="nested too deep in each other"):
        Reader(parse_schema(texts[-1], texts[:-1]))
    value = Reader(parse_schema(texts[150], texts[:150])).read(b"\x02", 0)
    for _ in range(151):
        value = value["n"]
    assert value == 1


def test_the_reader_agrees_with_fastavro_on_the_sample() -> None:
    data = written(EVERYTHING, VALUE)
    assert schemaless_reader(io.BytesIO(data), EVERYTHING) == read(EVERYTHING, data)
