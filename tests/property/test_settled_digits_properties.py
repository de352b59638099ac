"""Do the digits say of every offset whether it is settled, whatever came in which order?"""

from hypothesis import given
from hypothesis import strategies as st

from streamer.model import Offset, Position
from streamer.source.settled_digits import DIGITS_MOST, SettledDigits

steps = st.lists(
    st.tuples(st.sampled_from(["take in", "settle", "look"]), st.integers(0, 9)), max_size=300
)


@given(steps, st.sampled_from([0, 1, 5, 3_000]), st.integers(0, 2**60))
def test_every_offset_has_its_digit(
    steps: list[tuple[str, int]], gap_most: int, first: int
) -> None:
    digits = SettledDigits()
    unsettled: list[int] = []
    following, highest = first, first - 1
    for what, amount in steps:
        if what == "take in":
            offset = following + amount * gap_most // 9
            if not unsettled:
                digits.begin(Offset(offset))
            digits.take_in(Offset(offset))
            unsettled.append(offset)
            following, highest = offset + 1, offset
        elif what == "settle" and unsettled:
            digits.settle(Offset(unsettled.pop(amount * (len(unsettled) - 1) // 9)))
        elif what == "look" and unsettled:
            position = unsettled[0]
            digits.pass_to(Position(position))
            end = position + amount * (highest + 1 - position) // 9
            seen = digits.between(Position(position), end)
            open_ones = set(unsettled)
            assert seen is not None
            assert seen.decode() == "".join(
                "0" if offset in open_ones else "1" for offset in range(end - 1, position - 1, -1)
            )


def test_gaps_of_any_size_take_no_memory() -> None:
    digits = SettledDigits()
    digits.begin(Offset(0))
    for number in range(1_000):
        digits.take_in(Offset(number * (DIGITS_MOST // 3)))
        assert len(digits) <= DIGITS_MOST
    last = 999 * (DIGITS_MOST // 3)
    assert digits.between(Position(0), last) is None, "it was forgotten"
    digits.settle(Offset(0))
    digits.settle(Offset(last))
    assert digits.between(Position(last), last + 1) == bytearray(b"1")


def test_digits_before_the_position_are_not_kept_for_ever() -> None:
    digits = SettledDigits()
    digits.begin(Offset(0))
    for number in range(DIGITS_MOST - 1):
        digits.take_in(Offset(number))
    position = Position(DIGITS_MOST - 10)
    digits.pass_to(position)
    assert digits.between(position, DIGITS_MOST - 1) == bytearray(b"0" * 9)
    assert len(digits) == 9
