"""What must hold of a commit's metadata, whatever was settled and whatever text comes back?"""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.model import Offset, Partition, Position
from streamer.source.commit_metadata import (
    BROKER_LIMIT,
    NOTHING,
    CommitContext,
    Encoded,
    NoRoom,
    Restored,
    encode,
    read,
)
from streamer.source.done_set import (
    MARK_BYTES,
    Corrupt,
    mark_of,
    merged,
    pack,
    unpack,
    without_mark,
)
from streamer.source.done_set_choice import choose_dense, size_of

CLUSTER = "cluster"
PARTITION = Partition("billing.invoices", 3)
CONTEXT = CommitContext(CLUSTER, PARTITION, 1_700_000_000_000, "0123456789abcdef")

positions = st.integers(0, 2**62).map(Position)
hashes = st.frozensets(st.integers(0, 2**64 - 1), min_size=1, max_size=4)


@st.composite
def settled(draw: st.DrawFn, position: Position, most: int = 300) -> Restored:
    """Runs and parts beyond the position, no part within a run."""
    steps = draw(st.sampled_from([3, 300, 100_000]))
    pairs = draw(st.lists(st.tuples(st.integers(1, steps), st.integers(1, steps)), max_size=most))
    runs: list[tuple[Offset, Offset]] = []
    unsettled: list[Offset] = [Offset(position)]
    cursor: int = position
    for gap, length in pairs:
        first = cursor + gap
        unsettled.append(Offset(first - 1))
        runs.append((Offset(first), Offset(first + length - 1)))
        cursor = first + length
    chosen = draw(st.lists(st.sampled_from(unsettled), max_size=20, unique=True))
    return Restored(tuple(runs), {offset: draw(hashes) for offset in sorted(chosen)})


@st.composite
def commits(draw: st.DrawFn) -> tuple[Position, Restored, Restored]:
    """A position, all that is settled beyond it, and what of that must be carried."""
    position = draw(positions)
    everything = draw(settled(position))
    runs = [run for run in everything.runs if draw(st.integers(0, 9)) == 0]
    parts = {o: some for o, some in everything.parts.items() if draw(st.integers(0, 3)) == 0}
    return position, everything, Restored(tuple(runs), parts)


def made(position: Position, everything: Restored, must: Restored, limit: int) -> Encoded | NoRoom:
    return encode(CONTEXT, position, must, everything.runs, sorted(everything.parts.items()), limit)


def only_runs(encoded: Encoded) -> Restored:
    """What it carries, where no small runs were offered as a bitmap."""
    assert isinstance(encoded.carried, Restored)
    return encoded.carried


def within(small: Restored, large: Restored) -> bool:
    runs = all(
        any(first >= begin and last <= end for begin, end in large.runs)
        for first, last in small.runs
    )
    return runs and all(
        some <= large.parts.get(offset, frozenset()) for offset, some in small.parts.items()
    )


@given(commits(), st.sampled_from([BROKER_LIMIT, 1024, 400, 200, 10]))
def test_what_is_carried_fits_comes_back_was_given_and_holds_what_it_must(
    commit: tuple[Position, Restored, Restored], limit: int
) -> None:
    position, everything, must = commit
    result = made(position, everything, must, limit)
    if isinstance(result, NoRoom):
        assert result.needed > limit
        assert isinstance(made(position, everything, must, result.needed), Encoded)
        return
    assert len(result.text) <= limit - 1
    assert result.text.isascii()
    answer = read(result.text, position, CLUSTER, PARTITION)
    assert answer.rejected is None
    assert answer.restored == result.carried
    assert within(only_runs(result), everything)
    assert within(must, only_runs(result))


@given(commits())
def test_what_a_commit_carried_can_be_carried_on_by_the_next_under_the_same_limit(
    commit: tuple[Position, Restored, Restored],
) -> None:
    position, everything, _ = commit
    first = made(position, everything, NOTHING, 600)
    assert isinstance(first, Encoded)
    again = made(position, everything, only_runs(first), 600)
    assert isinstance(again, Encoded)
    assert within(only_runs(first), only_runs(again))


@given(commits())
def test_the_measured_size_is_never_less_than_the_bytes(
    commit: tuple[Position, Restored, Restored],
) -> None:
    position, everything, _ = commit
    packed = pack(position, everything)
    assert len(packed) <= size_of(position, everything)
    assert unpack(position, packed) == everything


@given(commits(), st.integers(0, 2**64 - 1))
def test_a_mark_comes_back_beside_the_done_set_and_takes_no_more_than_its_bytes(
    commit: tuple[Position, Restored, Restored], mark: int
) -> None:
    position, everything, _ = commit
    assume(mark not in everything.parts.get(Offset(position), ()))
    packed = pack(position, everything, mark)
    assert len(packed) <= size_of(position, everything) + MARK_BYTES
    assert mark_of(packed) == mark
    assert without_mark(position, unpack(position, packed), mark) == everything
    assert mark_of(pack(position, everything)) is None


@given(commits(), st.sampled_from([BROKER_LIMIT, 1024, 400, 200, 130, 10]))
def test_naming_the_topic_costs_nothing_that_must_be_carried(
    commit: tuple[Position, Restored, Restored], limit: int
) -> None:
    position, everything, must = commit
    parts = sorted(everything.parts.items())
    named = replace(CONTEXT, topic_digest=2**63)
    result = encode(named, position, must, everything.runs, parts, limit)
    without = made(position, everything, must, limit)
    assert isinstance(result, Encoded) == isinstance(without, Encoded)
    if isinstance(result, NoRoom):
        assert result == without
        return
    assert len(result.text) <= limit - 1
    answer = read(result.text, position, CLUSTER, PARTITION)
    assert answer.topic_digest in (2**63, None)
    assert answer.restored == result.carried
    assert within(must, only_runs(result))


@st.composite
def many_holes(
    draw: st.DrawFn,
) -> tuple[Position, list[Offset], int, dict[Offset, frozenset[int]]]:
    """A position, the unsettled offsets from it on, one past the last settled one, and parts."""
    position = draw(positions)
    share = draw(st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.9]))
    random = draw(st.randoms(use_true_random=False))
    span = draw(st.integers(1, 4_000))
    unsettled = [
        Offset(position + offset) for offset in range(span) if not offset or random.random() < share
    ]
    parts = draw(st.lists(st.sampled_from(unsettled), max_size=5, unique=True))
    return position, unsettled, position + span, {o: draw(hashes) for o in sorted(parts)}


def digits_of(unsettled: Sequence[Offset]) -> Callable[[int], bytearray | None]:
    """From the first of them on, which is the position."""

    def until(cut: int) -> bytearray:
        digits = bytearray(b"1") * (cut - unsettled[0])
        for offset in unsettled:
            if offset < cut:
                digits[cut - 1 - offset] = ord("0")
        return digits

    return until


@given(many_holes(), st.sampled_from([3_000, 300, 60, 10]))
def test_a_bitmap_shows_all_that_is_settled_as_far_as_it_reaches_and_nothing_else(
    holes: tuple[Position, list[Offset], int, dict[Offset, frozenset[int]]], room: int
) -> None:
    position, unsettled, end, parts = holes
    choice = choose_dense(position, end, digits_of(unsettled), sorted(parts.items()), room)
    if choice is None:
        return
    packed = pack(position, choice.done)
    assert len(packed) <= room
    restored = unpack(position, packed)
    reach = end - 1 if choice.reach is None else choice.reach
    open_ones = set(unsettled)
    for offset in map(Offset, range(position, end + 100)):
        is_settled = offset <= reach and offset not in open_ones
        assert restored.covers(offset) == is_settled
        assert choice.done.shows(offset, 1) == (is_settled or 1 in restored.parts.get(offset, ()))
    near = {offset: some for offset, some in parts.items() if offset <= reach}
    assert restored.parts == choice.done.parts == near


@pytest.mark.parametrize("held_each", [2, 4, 8])
def test_a_bitmap_is_chosen_where_holes_are_many(held_each: int) -> None:
    unsettled = [Offset(offset) for offset in range(0, 100_000, held_each)]
    choice = choose_dense(Position(0), 100_000, digits_of(unsettled), (), 2_800)
    assert choice is not None
    assert choice.reach is not None
    assert choice.reach > 22_000


def test_run_lengths_are_left_to_reach_further_than_a_bitmap_would() -> None:
    dense = [Offset(offset) for offset in range(0, 10_000, 2)]
    beyond = [*dense, Offset(500_000)]
    assert choose_dense(Position(0), 1_000_000, digits_of(beyond), (), 2_800) is None
    assert choose_dense(Position(0), 1_000_000, digits_of(beyond[-1:]), (), 2_800) is None


@given(st.text(max_size=300) | st.from_regex(r"streamer-1\.[A-Za-z0-9+/]{0,200}", fullmatch=True))
def test_any_text_is_read_and_what_was_not_written_here_is_empty(text: str) -> None:
    answer = read(text, Position(0), CLUSTER, PARTITION)
    assert answer.rejected is not None
    assert answer.restored == NOTHING


@given(st.binary(max_size=300), positions)
def test_any_bytes_are_a_done_set_or_corrupt(packed: bytes, position: Position) -> None:
    try:
        found = unpack(position, packed)
    except Corrupt:
        return
    assert len(found.runs) <= 8 * len(packed)
    assert len(found.parts) <= len(packed)
    assert found.runs == merged(found.runs)
    assert all(position <= first <= last < 2**63 for first, last in found.runs)


@given(commits(), st.data())
def test_a_text_with_one_character_changed_is_not_believed(
    commit: tuple[Position, Restored, Restored], data: st.DataObject
) -> None:
    position, everything, _ = commit
    result = made(position, everything, NOTHING, BROKER_LIMIT)
    assert isinstance(result, Encoded)
    at = data.draw(st.integers(0, len(result.text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != result.text[at]))
    changed = result.text[:at] + other + result.text[at + 1 :]
    answer = read(changed, position, CLUSTER, PARTITION)
    assert answer.rejected is not None
    assert answer.restored == NOTHING
