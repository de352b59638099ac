"""What becomes of a partition when the broker does not have the offset to read next?

    position < first            messages were deleted before they were read (retention): go on
                                with the first there is; what is held of it stays as it is
    position > end              the topic was made anew, or its end was lost: start at the earliest
    between the two             its end was lost and written again: start where the group
                                committed

What was read of other messages must not be mixed with what is read now, so that the last two are
a new generation.
"""

from msgspec import Struct

from streamer.model import Position


class Forward(Struct, frozen=True):
    """Go on from here, in the same generation."""

    position: Position


class FromStart(Struct, frozen=True):
    """Begin here, in a new generation."""

    position: Position


class AsCommitted(Struct, frozen=True):
    """Begin where the group committed, in a new generation."""


def judge_range(
    position: Position, first: Position, end: Position
) -> Forward | FromStart | AsCommitted:
    """Where to go on, given the positions at which the partition begins and ends now."""
    if position < first:
        return Forward(first)
    return FromStart(first) if position > end else AsCommitted()
