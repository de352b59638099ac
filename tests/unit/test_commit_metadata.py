"""What does the text of a commit hold, and when is it not believed?"""

import pytest
from msgspec.structs import replace

from streamer.model import Offset, Partition, Position
from streamer.source.commit_metadata import (
    BROKER_LIMIT,
    NOTHING,
    CommitContext,
    Encoded,
    NoRoom,
    Rejected,
    Restored,
    encode,
    read,
    settlement_hash,
)
from streamer.source.done_set import DoneSet, mark_of, pack, unpack

CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
INVOICES = Partition("billing.invoices", 3)
CONTEXT = CommitContext(CLUSTER, INVOICES, 1_700_000_000_000, "0123456789abcdef")
TOPIC = 0xFEDCBA9876543210
OF_A_TOPIC = replace(CONTEXT, topic_digest=TOPIC)
POSITION = Position(1000)


def runs(*pairs: tuple[int, int]) -> tuple[tuple[Offset, Offset], ...]:
    return tuple((Offset(first), Offset(last)) for first, last in pairs)


def done(*pairs: tuple[int, int], parts: dict[int, set[int]] | None = None) -> Restored:
    some = {Offset(offset): frozenset(hashes) for offset, hashes in (parts or {}).items()}
    return Restored(runs(*pairs), some)


def encoded(
    settled: Restored,
    must: Restored = NOTHING,
    limit: int = BROKER_LIMIT,
    context: CommitContext = CONTEXT,
) -> Encoded:
    made = encode(context, POSITION, must, settled.runs, sorted(settled.parts.items()), limit)
    assert isinstance(made, Encoded)
    return made


def test_what_was_settled_comes_back_with_the_start_moment_and_the_subscription() -> None:
    settled = done((1002, 1002), (1005, 1900), parts={1000: {1, 2**64 - 1}, 1001: {7}})

    answer = read(encoded(settled).text, POSITION, CLUSTER, INVOICES)

    assert answer.restored == settled
    assert answer.started_at_ms == 1_700_000_000_000
    assert answer.subscription == "0123456789abcdef"
    assert answer.rejected is None


def test_a_text_of_an_earlier_release_of_this_version_can_be_read() -> None:
    text = (
        "streamer-1.8fv25kWGwVYkcEz0S7sLaJMydHGVV2SuAAAAAAAAA+gAAAGLz+VoABAwMTIzNDU2Nzg5"
        "YWJjZGVmAQAAAAAAAAAAAAUCDAI"
    )
    answer = read(text, POSITION, CLUSTER, INVOICES)
    assert answer.restored == done((1002, 1003), (1009, 1009), parts={1000: {5}})
    assert answer.topic_digest is None


@pytest.mark.parametrize(
    "settled",
    [
        NOTHING,
        done((1002, 1003)),
        done(parts={1000: {5, 9}}),
        done((1002, 1002), parts={1000: {TOPIC - 1, TOPIC + 1}, 1001: {TOPIC}}),
        done(parts={1001 + n: {n} for n in range(127)}),
    ],
)
def test_the_topic_of_an_offset_comes_back_beside_what_was_settled(settled: Restored) -> None:
    answer = read(encoded(settled, context=OF_A_TOPIC).text, POSITION, CLUSTER, INVOICES)

    assert answer.topic_digest == TOPIC
    assert answer.restored == settled
    assert answer.rejected is None
    assert read(encoded(settled).text, POSITION, CLUSTER, INVOICES).topic_digest is None


def test_a_release_that_knows_no_topics_reads_a_settled_report_that_there_is_not() -> None:
    """Its done-set is this: what it makes of the text is not harmed, and not rejected."""
    packed = pack(POSITION, done((1002, 1003), parts={1000: {5}, 1001: {7}}), TOPIC)

    assert unpack(POSITION, packed) == done((1002, 1003), parts={1000: {5, TOPIC}, 1001: {7}})
    # And this is what it writes as long as it carries that on: nothing names a topic.
    assert mark_of(pack(POSITION, unpack(POSITION, packed))) is None


def test_a_text_with_a_topic_of_an_earlier_release_can_be_read() -> None:
    text = (
        "streamer-1.hhk3UQe7XiskcEz0S7sLaJMydHGVV2SuAAAAAAAAA+gAAAGLz+VoABAwMTIzNDU2Nzg"
        "5YWJjZGVmAQAC/ty6mHZUMhD+3LqYdlQyEAAAAAAAAAAFAQw"
    )
    answer = read(text, POSITION, CLUSTER, INVOICES)
    assert answer.topic_digest == TOPIC
    assert answer.restored == done((1002, 1003), parts={1000: {5}})


def test_what_must_be_carried_has_room_before_the_topic() -> None:
    must = done(parts={offset: {offset} for offset in range(1000, 1030)})
    short = encode(CONTEXT, POSITION, must, (), (), 200)
    assert isinstance(short, NoRoom)

    made = encoded(NOTHING, must, short.needed, context=OF_A_TOPIC)
    roomy = encoded(NOTHING, must, short.needed + 30, context=OF_A_TOPIC)

    answer = read(made.text, POSITION, CLUSTER, INVOICES)
    assert (answer.restored, answer.topic_digest) == (must, None)
    assert len(made.text) < short.needed
    answer = read(roomy.text, POSITION, CLUSTER, INVOICES)
    assert (answer.restored, answer.topic_digest) == (must, TOPIC)


def test_a_start_moment_before_1970_comes_back() -> None:
    context = CommitContext(CLUSTER, INVOICES, -1, "")
    made = encode(context, POSITION, NOTHING, (), ())
    assert isinstance(made, Encoded)
    assert read(made.text, POSITION, CLUSTER, INVOICES).started_at_ms == -1


@pytest.mark.parametrize("text", [None, ""])
def test_a_commit_without_metadata_is_no_fault(text: str | None) -> None:
    answer = read(text, POSITION, CLUSTER, INVOICES)
    assert answer.rejected is Rejected.ABSENT
    assert answer.restored == NOTHING


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello", Rejected.FOREIGN),
        ('{"offset": 12}', Rejected.FOREIGN),
        ("streamer", Rejected.FOREIGN),
        ("streamer-x.AAAA", Rejected.FOREIGN),
        ("streamer-1." + "A" * 100_000, Rejected.FOREIGN),
        ("streamer-2.AAAA", Rejected.VERSION),
        ("streamer-01.AAAA", Rejected.VERSION),
        ("streamer-1.", Rejected.CORRUPT),
        ("streamer-1.AAAA", Rejected.CORRUPT),
        ("streamer-1.é", Rejected.CORRUPT),
        ("streamer-1.\udc80", Rejected.CORRUPT),
    ],
)
def test_a_text_of_somebody_else_is_read_as_empty_with_a_reason(text: str, why: Rejected) -> None:
    answer = read(text, POSITION, CLUSTER, INVOICES)
    assert answer.rejected is why
    assert answer.restored == NOTHING
    assert answer.started_at_ms is None
    assert answer.subscription is None


@pytest.mark.parametrize(
    ("position", "cluster", "partition", "why"),
    [
        (POSITION, "another", INVOICES, Rejected.CLUSTER),
        (POSITION, CLUSTER, Partition("billing.invoices", 4), Rejected.PARTITION),
        (POSITION, CLUSTER, Partition("billing.payments", 3), Rejected.PARTITION),
        (Position(999), CLUSTER, INVOICES, Rejected.POSITION),
        (Position(1001), CLUSTER, INVOICES, Rejected.POSITION),
    ],
)
def test_a_text_that_was_copied_elsewhere_is_not_believed(
    position: Position, cluster: str, partition: Partition, why: Rejected
) -> None:
    text = encoded(done((1002, 1003))).text
    answer = read(text, position, cluster, partition)
    assert answer.rejected is why
    assert answer.restored == NOTHING
    assert answer.started_at_ms is None


def test_a_text_cut_at_any_place_is_not_believed() -> None:
    text = encoded(done((1002, 1003), parts={1000: {5}})).text
    for length in range(1, len(text)):
        assert read(text[:length], POSITION, CLUSTER, INVOICES).rejected is not None


def test_of_too_much_the_part_nearest_the_position_is_carried() -> None:
    settled = done(*((first, first + 20) for first in range(1001, 200_000, 300)))
    made = encoded(settled, limit=500)
    assert isinstance(made.carried, DoneSet)
    carried = made.carried.runs
    assert 0 < len(carried) < len(settled.runs)
    assert carried == settled.runs[: len(carried)]
    assert len(made.text) < 500
    assert read(made.text, POSITION, CLUSTER, INVOICES).restored == made.carried


def test_many_small_runs_take_one_bit_an_offset() -> None:
    settled = done(*((first, first) for first in range(1001, 21_000, 2)))
    assert encoded(settled).carried == settled


def test_a_long_tail_after_many_small_runs_is_carried_too() -> None:
    settled = done(*((first, first) for first in range(1001, 11_000, 2)), (12_000, 900_000))
    assert encoded(settled).carried == settled


def test_what_must_be_carried_is_carried_however_far_it_is() -> None:
    settled = done(*((first, first + 20) for first in range(1001, 200_000, 300)))
    must = done((190_201, 190_201), parts={1_000_000: {9}})
    made = encoded(Restored(settled.runs, must.parts), must, limit=500)
    answer = read(made.text, POSITION, CLUSTER, INVOICES)
    assert answer.restored.shows(Offset(190_201), 1)
    assert answer.restored.shows(Offset(1_000_000), 9)
    assert answer.restored.covers(Offset(1001))
    assert len(made.text) < 500


def test_no_room_for_what_must_be_carried_says_which_limit_would_do() -> None:
    must = done(parts={offset: {offset} for offset in range(1000, 1100)})
    short = encode(CONTEXT, POSITION, must, must.runs, must.parts.items(), 600)
    assert isinstance(short, NoRoom)
    parts = sorted(must.parts.items())
    assert isinstance(encode(CONTEXT, POSITION, must, (), parts, short.needed - 1), NoRoom)
    enough = encode(CONTEXT, POSITION, must, (), parts, short.needed)
    assert isinstance(enough, Encoded)
    assert enough.carried == must
    assert len(enough.text) <= short.needed - 1


def test_a_limit_below_the_shortest_text_is_no_room() -> None:
    assert isinstance(encode(CONTEXT, POSITION, NOTHING, (), (), 0), NoRoom)
    assert isinstance(encode(CONTEXT, POSITION, NOTHING, (), (), 60), NoRoom)


def test_a_settlements_hash_is_the_same_in_every_process() -> None:
    assert settlement_hash("r\x00invoice-overdue\x00site") == 0x2231EB0CA587F3F9
    assert settlement_hash("a") == settlement_hash("a") != settlement_hash("b")
    assert 0 <= settlement_hash("\ud800") < 2**64
