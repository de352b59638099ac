"""What must hold of a commit's metadata, whatever was settled and whatever text comes back?"""

from hypothesis import given
from hypothesis import strategies as st

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
from streamer.source.done_set import Corrupt, merged, pack, unpack
from streamer.source.done_set_choice import size_of

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
    assert within(result.carried, everything)
    assert within(must, result.carried)


@given(commits())
def test_what_a_commit_carried_can_be_carried_on_by_the_next_under_the_same_limit(
    commit: tuple[Position, Restored, Restored],
) -> None:
    position, everything, _ = commit
    first = made(position, everything, NOTHING, 600)
    assert isinstance(first, Encoded)
    again = made(position, everything, first.carried, 600)
    assert isinstance(again, Encoded)
    assert within(first.carried, again.carried)


@given(commits())
def test_the_measured_size_is_never_less_than_the_bytes(
    commit: tuple[Position, Restored, Restored],
) -> None:
    position, everything, _ = commit
    packed = pack(position, everything)
    assert len(packed) <= size_of(position, everything)
    assert unpack(position, packed) == everything


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
