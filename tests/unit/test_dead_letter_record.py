"""What stands in a dead letter, and what is read back from one?"""

import pytest

from streamer.dead_letters.naming import can_name, template_fault, topic_for
from streamer.dead_letters.record import (
    Letter,
    NotReadable,
    Unreadable,
    letter_id,
    read_record,
    write_record,
)
from streamer.model import (
    DeadLetter,
    Generation,
    Headers,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
)


def message(headers: Headers = (), readable: bool = True) -> Message:
    return Message(
        Partition("billing.invoices", 3),
        Generation(7),
        Offset(1234),
        1_700_000_000_000,
        b"invoice-1",
        b"\x00\xffvalue",
        headers,
        readable,
    )


def letter(headers: Headers = (), route: str = "invoice-overdue") -> DeadLetter:
    return DeadLetter(
        message(headers),
        Refusal(Reason.REFUSED, "the endpoint refused `amount`", 428, "SCHEMA", "req-1"),
        route=route,
        trigger="invoice_overdue",
        action="report",
        instance="site-1",
        entity="inv",
        schema="com.acme.billing.InvoiceOverdue",
        idempotency_key="key-1",
        attempts=3,
        first_attempt_ms=1_700_000_000_100,
        last_attempt_ms=1_700_000_000_900,
    )


def written(some: DeadLetter, shrunk: bool = False) -> Headers:
    return write_record(some, "{topic}.dlq", "cluster-1", 1_700_000_001_000, shrunk).headers


def test_key_value_and_headers_are_the_originals_and_ours_follow() -> None:
    original: Headers = (("trace", b"\x00\xff"), ("trace", None), ("", b""))
    record = write_record(letter(original), "{topic}.dlq", "cluster-1", 5)
    assert record.topic == "billing.invoices.dlq"
    assert record.key == b"invoice-1"
    assert record.value == b"\x00\xffvalue"
    assert record.headers[:3] == original
    assert record.headers[3] == ("streamer-version", b"1")
    assert all(name.startswith("streamer-") for name, _ in record.headers[3:])


def test_the_headers_are_as_documented() -> None:
    assert dict(written(letter())) == {
        "streamer-version": b"1",
        "streamer-id": letter_id(letter()).encode(),
        "streamer-reason": b"refused",
        "streamer-detail": b"the endpoint refused `amount`",
        "streamer-status": b"428",
        "streamer-code": b"SCHEMA",
        "streamer-request-id": b"req-1",
        "streamer-route": b"invoice-overdue",
        "streamer-trigger": b"invoice_overdue",
        "streamer-action": b"report",
        "streamer-instance": b"site-1",
        "streamer-entity": b"inv",
        "streamer-schema": b"com.acme.billing.InvoiceOverdue",
        "streamer-idempotency-key": b"key-1",
        "streamer-attempts": b"3",
        "streamer-first-attempt": b"1700000000100",
        "streamer-last-attempt": b"1700000000900",
        "streamer-written": b"1700000001000",
        "streamer-origin-topic": b"billing.invoices",
        "streamer-origin-partition": b"3",
        "streamer-origin-offset": b"1234",
        "streamer-origin-timestamp": b"1700000000000",
        "streamer-origin-cluster": b"cluster-1",
    }


def test_a_record_that_is_too_large_keeps_reason_and_origin() -> None:
    headers = written(letter(), shrunk=True)
    assert [name for name, _ in headers] == [
        "streamer-version",
        "streamer-id",
        "streamer-reason",
        "streamer-origin-topic",
        "streamer-origin-partition",
        "streamer-origin-offset",
        "streamer-origin-timestamp",
        "streamer-shrunk",
    ]
    back = read_record(b"k", b"v", headers)
    assert isinstance(back, Letter)
    assert back.shrunk
    assert back.letter.message.offset == 1234
    assert back.letter.refusal.reason is Reason.REFUSED


def test_headers_that_could_not_be_read_are_said_to_be_missing() -> None:
    some = DeadLetter(message((), readable=False), Refusal(Reason.UNDECODABLE, "no"))
    headers = written(some)
    assert ("streamer-headers-unreadable", b"1") in headers
    back = read_record(b"k", b"v", headers)
    assert isinstance(back, Letter)
    assert not back.letter.message.headers_readable


def test_the_id_is_the_same_for_the_same_refusal_and_differs_by_route_and_origin() -> None:
    assert letter_id(letter()) == letter_id(letter((("a", b"b"),)))
    assert letter_id(letter()) == "ee66c143b98d44d5a53641b0af16ae28"
    assert letter_id(letter()) != letter_id(letter(route="invoice-paid"))
    glued = DeadLetter(message(), letter().refusal, route="ab", instance="c")
    parted = DeadLetter(message(), letter().refusal, route="a", instance="bc")
    assert letter_id(glued) != letter_id(parted)


def test_a_letter_about_a_letter_is_the_newer_one_with_the_older_ones_headers() -> None:
    older = written(letter())
    newer = written(letter(older, route="another"))
    back = read_record(b"k", b"v", newer)
    assert isinstance(back, Letter)
    assert back.letter.route == "another"
    assert back.letter.message.headers == older


def test_headers_that_others_added_behind_ours_are_kept() -> None:
    back = read_record(b"k", b"v", (*written(letter()), ("mirror", b"x")))
    assert isinstance(back, Letter)
    assert back.letter.message.headers == (("mirror", b"x"),)


def test_a_text_of_any_length_is_cut_so_that_the_record_can_be_written() -> None:
    some = DeadLetter(message(), Refusal(Reason.REFUSED, "x" * 1_000_000))
    assert sum(len(value or b"") for _, value in written(some)) < 10_000


def changed(name: str, value: bytes | None) -> Headers:
    headers = written(letter())
    return tuple((n, value if n == name else v) for n, v in headers)


@pytest.mark.parametrize(
    ("headers", "why", "named"),
    [
        ((), NotReadable.FOREIGN, "streamer-version"),
        ((("connect.errors.topic", b"x"),), NotReadable.FOREIGN, "streamer-version"),
        (changed("streamer-version", b"2"), NotReadable.VERSION, "2"),
        (changed("streamer-version", b"one"), NotReadable.CORRUPT, "streamer-version"),
        (changed("streamer-version", None), NotReadable.CORRUPT, "streamer-version"),
        (changed("streamer-reason", b"bored"), NotReadable.CORRUPT, "streamer-reason"),
        (changed("streamer-origin-topic", None), NotReadable.CORRUPT, "streamer-origin-topic"),
        (changed("streamer-origin-offset", b""), NotReadable.CORRUPT, "streamer-origin-offset"),
        (changed("streamer-attempts", b"9" * 5000), NotReadable.CORRUPT, "streamer-attempts"),
        (changed("streamer-status", "٤".encode()), NotReadable.CORRUPT, "streamer-status"),
        (changed("streamer-route", b"\xff"), NotReadable.CORRUPT, "streamer-route"),
        (changed("streamer-written", b"9" * 20), NotReadable.CORRUPT, "streamer-written"),
        (changed("streamer-first-attempt", b"-5"), NotReadable.CORRUPT, "first-attempt"),
        (changed("streamer-last-attempt", b"9" * 17), NotReadable.CORRUPT, "last-attempt"),
        (changed("streamer-origin-partition", b"-5"), NotReadable.CORRUPT, "origin-partition"),
        (changed("streamer-origin-partition", b"9" * 10), NotReadable.CORRUPT, "partition"),
        (changed("streamer-origin-offset", b"-1"), NotReadable.CORRUPT, "origin-offset"),
        (changed("streamer-origin-offset", b"9" * 20), NotReadable.CORRUPT, "origin-offset"),
        (changed("streamer-origin-timestamp", b"-2"), NotReadable.CORRUPT, "origin-timestamp"),
        (changed("streamer-idempotency-key", b"\xed\xa0\x80"), NotReadable.CORRUPT, "key"),
        (changed("streamer-idempotency-key", b"k" * 81), NotReadable.CORRUPT, "key"),
    ],
)
def test_a_record_that_is_no_letter_of_this_version_says_why(
    headers: Headers, why: NotReadable, named: str
) -> None:
    back = read_record(b"k", b"v", headers)
    assert isinstance(back, Unreadable)
    assert back.why is why
    assert named in back.detail


def test_of_a_letter_that_is_corrupt_the_rest_is_told() -> None:
    headers = written(letter())
    headers = (*headers, ("streamer-attempts", b"many"), ("streamer-trigger", b"\xff"))
    back = read_record(b"k", b"v", headers)
    assert isinstance(back, Unreadable)
    assert back.told == {
        "reason": "refused",
        "route": "invoice-overdue",
        "action": "report",
        "instance": "site-1",
        "origin-topic": "billing.invoices",
        "origin-partition": "3",
    }


def test_a_timestamp_of_any_length_that_kafka_has_is_one() -> None:
    # A producer may give nanoseconds.
    back = read_record(b"k", b"v", changed("streamer-origin-timestamp", b"1764000000000000000"))
    assert isinstance(back, Letter)
    assert back.letter.message.timestamp_ms == 1_764_000_000_000_000_000


@pytest.mark.parametrize("shrunk", [False, True])
def test_the_group_that_wrote_it_is_read_back_and_is_no_part_of_the_id(shrunk: bool) -> None:
    record = write_record(letter(), "{topic}.dlq", "c", 5, shrunk, group="billing")
    back = read_record(b"k", b"v", record.headers)
    assert isinstance(back, Letter)
    assert (back.group, back.id) == ("billing", letter_id(letter()))
    older = read_record(b"k", b"v", written(letter()))
    assert isinstance(older, Letter)
    assert older.group == ""


@pytest.mark.parametrize(
    ("template", "topic", "could"),
    [
        ("{topic}.dlq", "billing.invoices.dlq", True),
        ("{topic}.dlq", "billing.invoices", False),
        ("{topic}.dlq", ".dlq", False),
        ("{topic}.dlq", "billing-dlq", False),
        ("dead.{topic}", "dead.billing", True),
        ("dead.{topic}", "dead.", False),
        ("dead.{topic}.{topic}", "dead.a.a", True),
        ("dead.{topic}.{topic}", "dead.a.b", False),
        ("dead-letters", "dead-letters", True),
        ("dead-letters", "dead-letters2", False),
    ],
)
def test_a_dead_letter_topic_is_known_by_its_name(template: str, topic: str, could: bool) -> None:
    assert can_name(template, topic) is could


def test_what_a_template_makes_it_can_name() -> None:
    for template in ("{topic}.dlq", "a.{topic}.b.{topic}", "fixed"):
        assert can_name(template, topic_for(template, "billing.invoices"))


@pytest.mark.parametrize(
    "template", ["{topic}", "", "{topic}.", "{topic} dlq", "{t}.dlq", "x" * 249]
)
def test_a_template_that_cannot_work_has_a_fault(template: str) -> None:
    assert template_fault(template)


@pytest.mark.parametrize("template", ["{topic}.dlq", "dead-letters", "dlq_{topic}"])
def test_a_template_that_works_has_none(template: str) -> None:
    assert template_fault(template) is None
