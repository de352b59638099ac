"""Where to go on when the broker does not have the next offset."""

from streamer.model import Position
from streamer.source.out_of_range import AsCommitted, Forward, FromStart, judge_range


def test_messages_that_were_deleted_before_they_were_read_are_passed_over() -> None:
    assert judge_range(Position(3), Position(5), Position(9)) == Forward(Position(5))


def test_a_position_beyond_the_end_starts_at_the_earliest() -> None:
    assert judge_range(Position(10), Position(5), Position(9)) == FromStart(Position(5))


def test_a_position_that_exists_again_is_read_as_committed() -> None:
    assert judge_range(Position(9), Position(5), Position(9)) == AsCommitted()
    assert judge_range(Position(5), Position(5), Position(9)) == AsCommitted()
