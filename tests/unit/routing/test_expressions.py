"""What is an expression's value, and in which words does it fail?"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from streamer.model import KeyRefused, Reason, Refusal
from streamer.routing.language.budget import STEPS
from streamer.routing.language.failures import Kind
from streamer.routing.language.scope import KeyFailure
from tests.unit.routing.samples import FIELDS, failure, message, value


@pytest.mark.parametrize(
    ("text", "found", "do"),
    [
        ("event.nope", "event has no field nope", "correct the name"),
        ("event.customer.nope", "event.customer has no field nope", "default("),
        ("event.note.x", "event.note is null where a record", 'default(event.note.x, "")'),
        ("event.days_overdue.x", "event.days_overdue is an integer where a record", "leave out .x"),
        ("event['nope']", "event has no key ['nope']", "default("),
        ("event.lines[7]", "event.lines has no item [7]", 'default(event.lines[7], "")'),
        ("event.note[0]", "event.note is null where a list or map", "default(event.note, [])"),
        ("event.note > 7", "event.note is null where", "default(event.note, 0)"),
        ("event.note + 'x'", "event.note is null where", 'default(event.note, "")'),
        ("event.amount - event.note", "event.note is null", 'default(event.note, decimal("0"))'),
        ("-event.note", "event.note is null where", "default("),
        ("lower(event.note)", "event.note is null where", "default("),
        ("f'{event.note}'", "event.note is null where", "default("),
        ("f'{event.note:>9}'", "event.note is null where", "default("),
        ("[x for x in event.note]", "event.note is null where a list", "default(event.note, [])"),
        ("'x' in event.note", "event.note is null where", "default("),
        ("{event.note: 1}", "event.note is null where a key", "default("),
        ("event.amount > 1.5", "event.amount > 1.5 mixes a decimal and a float", 'decimal("1.1")'),
        ("1.5 == event.amount", "1.5 == event.amount mixes", 'decimal("1.1")'),
        ("event.amount + event.rate", "event.amount + event.rate mixes", 'decimal("1.1")'),
        ("event.amount in [1, 2.5]", "event.amount in [1, 2.5] mixes", 'decimal("1.1")'),
        ("[event.amount] == [event.rate]", "mixes a decimal and a float", 'decimal("1.1")'),
        ("max(event.amount, event.rate)", "max(event.amount, event.rate) mixes", "decimal"),
        ("sum([event.amount, event.rate])", "sum([event.amount, event.rate]) mixes", "decimal"),
        ("sorted([event.amount, event.rate])", "mixes a decimal and a float", "decimal"),
        ("event.currency + 1", "has no meaning: event.currency is text and 1 is an int", "str(x)"),
        ("event.currency < 1", "event.currency < 1 has no meaning", "int(x)"),
        ("event.days_overdue / 0", "event.days_overdue / 0 divides by zero", "if b != 0"),
        ("event.amount % 0", "event.amount % 0", ""),
        ("event.currency % 3", "% formats no text", "f-string"),
        ("int(event.currency)", "int(event.currency) has no value", "look at"),
        ("lower(event.days_overdue)", "an argument is an integer where text", "str(x)"),
        ("str(event.raw)", "bytes where text is needed", "base64(x)"),
        ("text(event.raw)", "the bytes are no UTF-8", "hex(x)"),
        ("f'{event.lines}'", "a list where text is needed", "json(x)"),
        ("name(event.customer)", "a record of a union of several records", ""),
        ("[k for k, v in event.lines]", "the items of event.lines are no lists of 2", "items("),
        ("[x for x in event.customer.name]", "event.customer.name is text where a list", ""),
        ("datetime('2026-11-01T10:00:00')", "the text names no zone", '"Z"'),
        ("event.lines[event.amount]", "event.amount is a decimal where an integer", ""),
        ("{event.amount: 1}", "event.amount is a decimal where text for a key", "str("),
    ],
)  # fmt: skip
def test_a_failure_says_what_was_found_where_and_what_to_write(
    text: str, found: str, do: str
) -> None:
    failed = failure(text)
    assert found in failed.found
    assert do in failed.do


def test_the_words_of_a_failure_hold_no_value_of_the_event() -> None:
    fields: dict[str, Any] = {"secret": "hunter2", "list": ["hunter2"], "map": {"hunter2": 1}}
    for text in (
        "event.secret + 1", "event.secret.x", "int(event.secret)", "event.map[event.secret + 'x']",
        "event.list[9]", "decimal(event.secret)", "date(event.secret)", "event.secret % 1",
        "event.list < event.map", "from_json(event.secret)", "uuid5('x', event.secret)",
        "json({event.secret: b''})", "round(event.secret)", "event.secret[event.secret]",
        "f'{event.secret:.2f}'",
    ):  # fmt: skip
        failed = failure(text, fields)
        assert "hunter2" not in failed.found + failed.do


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("default(event.note, 'n')", "n"),
        ("default(event.nope, 'n')", "n"),
        ("default(event.nope.deeper[3].x, 'n')", "n"),
        ("default(event.lines[9].sku, 'n')", "n"),
        ("default(event.customer.city.street, 'n')", "n"),
        ("default(event.note > 3, False)", False),
        ("default(event.note * 2, 0)", 0),
        ("default(lower(event.note), 'n')", "n"),
        ("default(lower(default(event.note, event.nope)), 'n')", "n"),
        ("default(max([]), 5)", 5),
        ("default(event.days_overdue, 1)", 9),
        ("default(event.note, event.note)", None),
        ("default({'a': 1}['b'], 2)", 2),
        ("[default(l.nope, l.qty) for l in event.lines]", [2, 0]),
    ],
)
def test_default_stands_in_for_what_is_missing_out_of_range_or_null(text: str, wanted: Any) -> None:
    assert value(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "default(event.days_overdue / 0, 1)",
        "default(event.amount + 1.5, 1)",
        "default(int(event.currency), 1)",
        "default(event.currency.x, 1)",
        "default([1 for a in range(90000) for b in range(90000)], 1)",
    ],
)
def test_default_hides_no_other_failure(text: str) -> None:
    assert failure(text).kind not in (Kind.MISSING, Kind.RANGE, Kind.NULL)


def test_decimals_keep_all_their_digits() -> None:
    fields = {"long": Decimal("12345678901234567890123456789012345.67")}
    assert value("event.long + 1", fields) == Decimal("12345678901234567890123456789012346.67")
    assert value("-event.long", fields) == Decimal("-12345678901234567890123456789012345.67")
    assert value("abs(-event.long)", fields) == fields["long"]
    assert value("event.long * 2", fields) == Decimal("24691357802469135780246913578024691.34")
    assert value("str(event.long)", fields) == "12345678901234567890123456789012345.67"
    assert value("round(event.long, 1)", fields) == Decimal("12345678901234567890123456789012345.7")


def test_a_decimal_is_written_without_an_exponent() -> None:
    assert value("str(event.d)", {"d": Decimal("0E-7")}) == "0.0000000"
    assert value("f'{event.d}'", {"d": Decimal("1E+3")}) == "1000"


@pytest.mark.parametrize(
    "text",
    [
        "'a' * 10 ** 9",
        "[0] * 10 ** 9",
        "10 ** 65",
        "(2 ** 64) ** 65",
        "((2 ** 64) ** 64) * 2",
        "1 << 5000",
        "1 << 10 ** 9",
        "range(10 ** 12)",
        "[1 for a in range(1000) for b in range(1000)]",
        "[c for a in range(50) for b in range(50) for c in range(50)]",
        "replace('a' * 9000, 'a', 'b' * 9000)",
        "[y for x in ['a' * 9000] for y in [x + x] for z in [y * 999] for w in [z + z]]",
        "str(decimal('1E+999999'))",
        "f'{decimal(\"1E+999999\")}'",
        "int(decimal('1E+999999'))",
        "decimal('1E+600') * decimal('1E+600') + 1",
        "join(['x' * 9000 for a in range(9000)], '')",
        "json([[event for a in range(300)] for b in range(300)])",
        "int('9' * 5000)",
        "[a in event.lines * 100 for a in range(1000)]",
        "[event.lines * 100 == event.lines * 100 for a in range(1000)]",
        "split('a' * 9000000)",
    ],
)
def test_what_would_take_long_or_fill_the_memory_is_refused(text: str) -> None:
    assert failure(text).kind is Kind.LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "[1 for a in event.many for b in event.many]",
        "{a: b for a in event.many for b in event.many}",
        "[1 for a in event.many for b, c in event.pairs]",
        "[1 for a in event.many if any(event.many)]",
        "[1 for a in event.many if sorted(event.many)]",
        "[1 for a in event.many if event.many == event.others]",
        "[1 for a in event.many if -1 in event.many]",
        "[1 for a in event.many if 'y' in event.long]",
        "[1 for a in event.many if lower(event.long) == 'a']",
        "[1 for a in event.many if event.long == event.same]",
        "[1 for a in event.many if event.many[1:]]",
        "[f'{event.long}' for a in event.many]",
        "[event.long + 'y' for a in event.many]",
        "[json(event.many) for a in event.many]",
        "[sha256(event.long) for a in event.many]",
        "[keys(event.map) for a in event.many]",
        "[event.map | {'a': 1} for a in event.many]",
    ],
)
def test_work_on_an_events_own_values_takes_steps_too(text: str) -> None:
    fields = {
        "many": list(range(1_000)),
        "others": list(range(1_000)),
        "pairs": [[1, 2]] * 1_000,
        "map": {str(number): number for number in range(1_000)},
        "long": "x" * 100_000,
        "same": "".join(["x"] * 100_000),
    }
    assert failure(text, fields).kind is Kind.LIMIT


def test_each_evaluation_has_the_whole_budget() -> None:
    text = f"len(range({STEPS - 10}))"
    assert value(text) == STEPS - 10
    assert value(text) == STEPS - 10


def test_what_is_known_of_the_message_can_be_read() -> None:
    at = message(key=b"k-1", headers=(("a", b"1"), ("a", b"2"), ("b", b"\xff"), ("c", None)))
    assert value("[topic, partition, offset, key]", of=at) == ["billing.invoices", 3, 42, "k-1"]
    assert value("headers", of=at) == {"a": "2", "b": b"\xff", "c": None}
    assert value("timestamp", of=at) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_a_key_that_is_no_text_is_bytes_and_none_is_null() -> None:
    assert value("key", of=message(key=b"\xff")) == b"\xff"
    assert value("key is None", of=message(key=None)) is True


def test_a_record_without_a_timestamp_has_none() -> None:
    assert value("timestamp is None", of=message(timestamp_ms=-1)) is True
    assert "timestamp" in failure("timestamp", of=message(timestamp_ms=2**62)).found


def test_a_decoded_key_is_read_like_the_event() -> None:
    assert value("key.id", avro_key={"id": 5}, decoded_key=True) == 5


def test_a_key_that_does_not_decode_fails_with_the_refusal_of_the_decoder() -> None:
    refusal = Refusal(Reason.UNDECODABLE, "the key is cut short")
    failed = failure("default(key.id, 1)", avro_key=KeyRefused(refusal), decoded_key=True)
    assert isinstance(failed, KeyFailure)
    assert failed.refusal is refusal


def test_a_chain_of_comparisons_is_the_and_of_its_pairs() -> None:
    assert value("1 < event.days_overdue < 9.5") is True
    assert value("1 < 0 < event.nope") is False
    assert value("event.rate <= event.rate < event.days_overdue <= 9") is True


def test_a_field_named_like_something_of_python_is_a_field() -> None:
    fields = {"__class__": 1, "format": 2, "get": 3, "f_back": 4, "print": 5, "self": 6}
    assert value("event['__class__'] + event.format + event.get", fields) == 6
    assert value("[event.f_back, event.print, event.self]", fields) == [4, 5, 6]


def test_the_same_expression_is_compiled_once_for_all_events() -> None:
    fields = [{**FIELDS, "days_overdue": days} for days in (1, 9)]
    assert [value("event.days_overdue > 7", each) for each in fields] == [False, True]
