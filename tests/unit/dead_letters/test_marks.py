"""Is what became of a letter read back as written, and what others wrote as far as it goes?"""

import pytest

from streamer.dead_letters.foreign import Foreign
from streamer.dead_letters.found import Found, read_found
from streamer.dead_letters.history import HISTORY_BYTES_MOST, Earlier, history_of, history_text
from streamer.dead_letters.marks import Handling, Mark, write_mark
from streamer.dead_letters.record import Letter, NotReadable, Record, Unreadable, write_record
from streamer.model import Generation, Headers, Message, Offset, Partition
from tests.unit.dead_letters.topic import letter

ID = "0123456789abcdef0123456789abcdef"


def found(record: Record) -> Found:
    partition = Partition(record.topic, record.partition or 0)
    return read_found(
        Message(partition, Generation(0), Offset(7), 99, record.key, record.value, record.headers)
    )


def of_headers(headers: Headers) -> Found:
    return found(Record("dlq", b"k", b"v", headers))


def test_a_mark_is_read_back() -> None:
    mark = Mark(ID, Handling.DROPPED, "told the customer: ü", 1_700_000_000_000, "new-key", "g")
    record = write_mark(mark, "dlq", 3)
    assert (record.topic, record.partition, record.key, record.value) == (
        "dlq",
        3,
        ID.encode(),
        None,
    )
    assert found(record).what == mark
    assert found(record).id == ID
    assert found(record).group == "g"


def test_a_mark_holds_no_header_for_what_is_unknown() -> None:
    headers = dict(write_mark(Mark(ID, Handling.REPLAYED), "dlq", 0).headers)
    assert set(headers) == {"streamer-version", "streamer-mark", "streamer-id"}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("streamer-version", b"2", NotReadable.VERSION),
        ("streamer-mark", b"burnt", NotReadable.CORRUPT),
        ("streamer-id", b"", NotReadable.CORRUPT),
    ],
)
def test_a_mark_that_cannot_be_read_is_none(name: str, value: bytes, why: NotReadable) -> None:
    record = write_mark(Mark(ID, Handling.REPLAYED, "w", 5), "dlq", 0)
    headers = tuple((n, value if n == name else v) for n, v in record.headers)
    what = of_headers(headers).what
    assert isinstance(what, Unreadable)
    assert what.why is why
    assert name in what.detail


def test_a_letter_whose_message_was_a_mark_is_a_letter() -> None:
    mark = write_mark(Mark(ID, Handling.REPLAYED), "dlq", 0)
    some = letter(1)
    headers = (*mark.headers, *write_record(some, "{topic}.dlq", "c", 5).headers)
    assert isinstance(of_headers(headers).what, Letter)


def test_kafka_connects_headers_are_told() -> None:
    texts = {
        "topic": "orders",
        "partition": "3",
        "offset": "42",
        "connector.name": "sink",
        "task.id": "1",
        "stage": "VALUE_CONVERTER",
        "class.name": "org.apache.kafka.connect.json.JsonConverter",
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": "no JSON",
        "exception.stacktrace": "at ...",
    }
    headers = tuple((f"__connect.errors.{name}", text.encode()) for name, text in texts.items())
    assert of_headers(headers).what == Foreign(
        "Kafka Connect",
        "no JSON",
        topic="orders",
        partition=3,
        offset=42,
        error="org.apache.kafka.connect.errors.DataException",
        stage="VALUE_CONVERTER",
        by="sink, task 1",
    )
    assert of_headers(headers).id == "dlq:0:7"


def test_of_other_records_the_names_of_their_headers_are_told() -> None:
    assert of_headers((("a", b"\xff"), ("b", None), ("a", b""))).what == Foreign(
        "unknown", "headers: a, b"
    )
    assert of_headers(()).what == Foreign("unknown", "it has no headers")
    odd = of_headers(
        (("__connect.errors.partition", b"\xff"), ("__connect.errors.offset", b"9" * 99))
    )
    assert isinstance(odd.what, Foreign)
    assert (odd.what.partition, odd.what.offset) == (None, None)


def test_a_letters_history_is_read_back() -> None:
    history = (
        Earlier("refused", "no", 428, "CODE", "req", 2, 5, 6),
        Earlier("exhausted", "half \ud800 a pair", None, "half \ud800", "half \ud800"),
    )
    record = write_record(letter(1), "{topic}.dlq", "c", 5, history=history)
    what = found(record).what
    assert isinstance(what, Letter)
    assert what.history[0] == history[0]
    assert what.history[1] == Earlier("exhausted", "half ? a pair", None, "half ?", "half ?")
    assert "streamer-history" not in [n for n, _ in write_record(letter(1), "d", "c", 5).headers]


def test_of_a_long_history_the_newest_are_kept() -> None:
    history = tuple(Earlier("refused", f"{n} " + "x" * 1000) for n in range(100))
    text = history_text(history)
    assert len(text) <= HISTORY_BYTES_MOST
    kept = history_of(text)
    assert len(kept) > 5
    assert kept[-1].detail.startswith("99 ")


@pytest.mark.parametrize("text", ["{", "[1]", '[{"detail": "no reason"}]', "\ud800", "[" * 5000])
def test_what_is_no_history_makes_a_corrupt_letter(text: str) -> None:
    with pytest.raises(ValueError, match="history"):
        history_of(text)
