"""Is what went wrong told in a few lines?"""

from streamer.dead_letters.found import read_found
from streamer.dead_letters.summary import GROUPS_MOST, Counted, Summary
from streamer.model import DeadLetter, Headers, Reason
from streamer.replay.shown import sentence
from tests.unit.dead_letters.topic import Topic, letter


def summary_of(*letters: DeadLetter, others: tuple[Headers, ...] = ()) -> Summary:
    topic = Topic()
    for some in letters:
        topic.letter(some)
    for headers in others:
        topic.other(headers)
    summary = Summary()
    for records in topic.partitions.values():
        for record in records:
            summary.add(read_found(record, with_value=False))
    return summary


def counts(summary: Summary) -> list[tuple[int, str, str]]:
    return [(counted.count, group.reason, group.route) for group, counted in summary.groups]


def test_the_largest_comes_first_by_reason_route_and_what_was_answered() -> None:
    summary = summary_of(
        letter(1),
        letter(2),
        letter(3, route="paid"),
        letter(4, reason=Reason.EXHAUSTED, detail="tried for 900 s"),
        letter(5, reason=Reason.EXHAUSTED, detail="tried for 901 s"),
        letter(6, reason=Reason.EXHAUSTED, detail="tried for 902 s"),
    )
    assert counts(summary) == [
        (3, "exhausted", "overdue"),
        (2, "refused", "overdue"),
        (1, "refused", "paid"),
    ]
    assert summary.total == 6


def test_a_sentence_says_how_many_why_where_and_since_when() -> None:
    ((group, counted),) = summary_of(letter(1), letter(2)).groups
    text = sentence(group, counted)
    assert text.startswith("2 refused by overdue: 428 SCHEMA_VALIDATION_FAILED: the endpoint")
    assert "(amount)" in text
    assert counted.example in text
    apart = Counted(2, 1_000_000, 9_000_000, "id")
    assert "since" in sentence(group, apart)
    assert "last" in sentence(group, apart)


def test_items_of_a_bulk_call_whose_fields_are_not_told_count_with_those_whose_are() -> None:
    bare = "the endpoint answered 400 SCHEMA_VALIDATION_FAILED; see what the platform says"
    summary = summary_of(letter(1), letter(2, detail=bare), letter(3, detail=bare))
    ((group, counted),) = summary.groups
    assert (counted.count, counted.without_field) == (3, 2)
    assert "(amount)" in group.detail
    assert "of 2 of them no field was told" in sentence(group, counted)


def test_names_that_differ_by_a_digit_are_two_mistakes_and_items_of_a_list_are_one() -> None:
    said = "the endpoint answered 428 SCHEMA_VALIDATION_FAILED ({}: required)"
    fields = ("address_line1", "address_line2", "line-1", "line-2", "lines[3].sku", "lines[4].sku")
    summary = summary_of(*(letter(n, detail=said.format(it)) for n, it in enumerate(fields)))
    assert [counted.count for _, counted in summary.groups] == [2, 1, 1, 1, 1]


def test_of_two_groups_that_tell_fields_none_takes_the_rest() -> None:
    other = "the endpoint answered 428 SCHEMA_VALIDATION_FAILED (currency)"
    bare = "the endpoint answered 400 SCHEMA_VALIDATION_FAILED; see"
    summary = summary_of(letter(1), letter(2, detail=other), letter(3, detail=bare))
    assert [count for count, *_ in counts(summary)] == [1, 1, 1]


def test_records_of_others_are_told_as_far_as_they_can_be() -> None:
    connect: Headers = (
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.exception.class.name", b"org.apache.kafka.DataException"),
    )
    summary = summary_of(
        others=(connect, (("streamer-version", b"2"),), (("streamer-version", b"x"),))
    )
    assert {reason for _, reason, _ in counts(summary)} == {"foreign", "version", "corrupt"}
    assert any("DataException" in group.detail for group, _ in summary.groups)


def test_however_many_differ_the_lines_are_bounded() -> None:
    many = [letter(n, route=f"route-{n % 3}", detail="word " * n) for n in range(GROUPS_MOST + 50)]
    summary = summary_of(*many)
    assert sum(counted.count for _, counted in summary.groups) == len(many)
    assert len(summary.groups) <= GROUPS_MOST + 3
