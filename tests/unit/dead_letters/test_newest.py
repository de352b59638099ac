"""Which letters are open, newest first, each once, in one pass?"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.dead_letters import newest
from streamer.dead_letters.found import Found, read_found
from streamer.dead_letters.marks import Handling, Mark
from streamer.dead_letters.newest import (
    Index,
    Standing,
    State,
    newest_first,
    partition_by_partition,
    portions,
)
from streamer.dead_letters.reader import Span, TopicReader
from streamer.dead_letters.record import Letter
from streamer.model import Message, Partition
from tests.effort import examples
from tests.unit.dead_letters.topic import Topic, letter

Walk = Callable[..., AsyncIterator[Standing]]


async def all_wanted(found: Found, message: Message) -> bool:
    return True


async def read(topic: Topic, index: Index | None = None) -> list[Standing]:
    found = newest_first(topic.reader, topic.spans, all_wanted, index or Index())
    return [standing async for standing in found]


async def states(topic: Topic, walk: Walk) -> list[tuple[str, State]]:
    found = walk(topic.reader, topic.spans, all_wanted, Index())
    return [(it.found.id, it.state) async for it in found]


async def open_ids(topic: Topic) -> list[str]:
    return [it.found.id for it in await read(topic) if it.state is State.OPEN]


async def test_letters_come_newest_first_over_all_partitions() -> None:
    topic = Topic()
    ids = [topic.letter(letter(number), number % 3) for number in range(2000)]
    assert await open_ids(topic) == ids[::-1]


async def test_what_a_mark_names_is_not_open_and_says_what_became_of_it() -> None:
    topic = Topic()
    replayed, dropped, left = (topic.letter(letter(number)) for number in range(3))
    topic.mark(replayed)
    topic.mark(dropped, Handling.DROPPED)
    assert [(it.found.id, it.state) for it in await read(topic)] == [
        (left, State.OPEN),
        (dropped, State.DROPPED),
        (replayed, State.REPLAYED),
    ]


async def test_a_letter_that_stands_twice_comes_once_as_it_was_written_last() -> None:
    topic = Topic()
    topic.letter(letter(1, detail="first"))
    topic.letter(letter(2))
    topic.letter(letter(1, detail="second"))
    first, _ = await read(topic)
    assert isinstance(first.found.what, Letter)
    assert first.found.what.letter.refusal.detail == "second"
    assert first.found.offset == 2


async def test_a_letter_that_is_written_again_after_its_mark_is_open() -> None:
    topic = Topic()
    id = topic.letter(letter(1))
    topic.mark(id)
    topic.letter(letter(1))
    assert await open_ids(topic) == [id]


async def test_whoever_wants_the_newest_few_reads_no_more_than_a_portion() -> None:
    topic = Topic()
    for number in range(20_000):
        topic.letter(letter(number))
    found = newest_first(topic.reader, topic.spans, all_wanted, Index())
    for _ in range(50):
        await anext(found)
    assert len(topic.offsets_read) == 500


async def test_no_value_is_held_of_what_was_read() -> None:
    topic = Topic()
    topic.letter(letter(1, value=b"x" * 10_000))
    (standing,) = await read(topic)
    assert isinstance(standing.found.what, Letter)
    assert standing.found.what.letter.message.value is None
    assert standing.found.size == 10_000


async def test_a_filter_does_not_change_which_record_of_an_id_counts() -> None:
    topic = Topic()
    topic.letter(letter(1, detail="wanted"))
    topic.letter(letter(1, detail="other"))

    async def wanted(found: Found, message: Message) -> bool:
        what = found.what
        return isinstance(what, Letter) and what.letter.refusal.detail == "wanted"

    found = newest_first(topic.reader, topic.spans, wanted, Index())
    assert [it async for it in found] == []


async def test_foreign_records_have_their_place_as_id() -> None:
    topic = Topic()
    topic.other((("some", b"header"),))
    assert await open_ids(topic) == ["billing.invoices.dlq:0:0"]


async def test_what_comes_later_is_taken_in_later() -> None:
    topic = Topic()
    first, second = topic.letter(letter(1)), topic.letter(letter(2))
    index = Index()
    founds = {it.found.id: it.found for it in await read(topic, index)}
    assert index.is_open(founds[first])
    later = Topic()
    later.partitions = {p: list(records) for p, records in topic.partitions.items()}
    later.mark(first)
    later.letter(letter(2, detail="again"))
    newer = [it.found for it in reversed(await read(later)) if it.found.id == second]
    mark = Found(founds[first].partition, founds[first].offset, 0, 0, Mark(first, Handling.DROPPED))
    index.newer(mark)
    index.newer(newer[0])
    assert not index.is_open(founds[first])
    assert not index.is_open(founds[second])
    assert index.is_open(newer[0])


# --- in another partition ---


@pytest.mark.parametrize("walk", [newest_first, partition_by_partition])
async def test_a_letter_that_is_written_again_in_another_partition_after_its_mark_is_open(
    walk: Walk,
) -> None:
    topic = Topic()
    id = topic.letter(letter(1))
    topic.mark(id)
    topic.letter(letter(1), partition=1)
    assert (id, State.OPEN) in await states(topic, walk)


@pytest.mark.parametrize("first", [0, 1])
async def test_of_marks_in_two_partitions_the_newer_one_counts(first: int) -> None:
    topic = Topic()
    id = topic.letter(letter(1), first)
    topic.mark(id, partition=first)
    topic.letter(letter(1), 1 - first)
    topic.mark(id, Handling.DROPPED, 1 - first)
    told = await states(topic, partition_by_partition)
    assert [it for it, _ in told] == [id]
    assert told[0][1] is not State.OPEN


async def test_in_one_partition_the_place_counts_whatever_the_clocks_said() -> None:
    topic = Topic()
    topic.written = 1_000
    id = topic.letter(letter(1))
    topic.written = 0
    topic.mark(id)
    assert await states(topic, newest_first) == [(id, State.REPLAYED)]


# --- of several groups ---


async def test_what_another_group_wrote_is_passed_over_and_counted() -> None:
    topic = Topic()
    ours = topic.letter(letter(1), group="ours")
    topic.letter(letter(1), group="theirs")
    topic.mark(ours, group="theirs")
    index = Index("ours")
    assert [(it.found.id, it.state) for it in await read(topic, index)] == [(ours, State.OPEN)]
    assert index.others == {"theirs": 1}
    topic.mark(ours, group="ours")
    assert [it.state for it in await read(topic, Index("ours"))] == [State.REPLAYED]
    assert [it.state for it in await read(topic, Index("theirs"))] == [State.REPLAYED]


async def test_what_is_of_no_group_is_of_every_group() -> None:
    topic = Topic()
    id = topic.letter(letter(1))
    for group in ("ours", "theirs"):
        assert [it.state for it in await read(topic, Index(group))] == [State.OPEN]
    topic.mark(id)
    for group in ("ours", "theirs"):
        assert [it.state for it in await read(topic, Index(group))] == [State.REPLAYED]


async def test_what_another_group_writes_later_closes_and_opens_nothing() -> None:
    topic = Topic()
    topic.letter(letter(1), group="ours")
    index = Index("ours")
    (standing,) = await read(topic, index)
    later = Topic()
    later.mark(standing.found.id, group="theirs")
    later.letter(letter(1), group="theirs")
    for record in later.partitions[standing.found.partition]:
        index.newer(read_found(record))
    assert index.is_open(standing.found)


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["letter", "replayed", "dropped"])), max_size=60
)


@settings(max_examples=examples(200), deadline=None)
@given(STEPS)
async def test_of_one_id_the_last_record_says_what_it_is(steps: list[tuple[int, str]]) -> None:
    topic = Topic()
    wanted: dict[str, str] = {}
    for number, step in steps:
        id = topic.letter(letter(number)) if step == "letter" else None
        if id is None:
            known = list(wanted)
            id = known[number % len(known)] if known else "0" * 32
            topic.mark(id, Handling(step))
            if id not in wanted:
                continue
        wanted[id] = "open" if step == "letter" else step
    for walk in (newest_first, partition_by_partition):
        found = walk(topic.reader, topic.spans, all_wanted, Index())
        states = [(it.found.id, it.state.value) async for it in found]
        assert len(states) == len(wanted)
        assert dict(states) == wanted


@settings(max_examples=examples(200))
@given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(1, 1000), st.integers(1000, 5000))
def test_portions_are_the_span_from_its_end(start: int, length: int, first: int, most: int) -> None:
    span = Span(start, start + length)
    found = list(portions(span, first, most))
    assert [it.end for it in found[1:]] == [it.start for it in found[:-1]]
    assert sum(map(len, found)) == length
    assert all(len(it) <= most for it in found)


async def test_the_more_partitions_there_are_the_less_is_held_of_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(newest, "HELD_MOST", 2_000)
    monkeypatch.setattr(newest, "FEW", 50)
    topic = Topic()
    for number in range(6_000):
        topic.letter(letter(number), partition=number % 10)
    sizes: list[int] = []

    class Reader:
        def read(self, partition: Partition, span: Span) -> Iterator[list[Message]]:
            sizes.append(len(span))
            return topic.reader.read(partition, span)

    reader = cast(TopicReader, Reader())
    found = [it async for it in newest_first(reader, topic.spans, all_wanted, Index())]
    assert len(found) == 6_000
    assert max(sizes) == 200
