"""How much may one evaluation of an expression do?

The bounds come from what an evaluation may cost the event loop: some tens of milliseconds and
some megabytes at the very worst, for the most hostile event that still decodes.
"""

from typing import Any

from streamer.routing.language.failures import Failure, Kind, too_much

STEPS = 100_000
"""Steps of one evaluation: an item that a loop or a function looks at is one, and so are every
hundred characters of text that are read or made."""

CHARACTERS_A_STEP = 100

MAX_BITS = 4096
"""Bits of an integer; its decimal text stays under Python's own limit of 4,300 digits."""

MAX_DIGITS = 1000
"""Digits of a decimal, written out."""

MAX_EXPONENT = 64
"""The largest power that a number is raised to."""

MAX_WIDTH = 200
"""Width and precision in an f-string, and digits that `round` takes."""


class Budget:
    """The steps that are left of the evaluation under way. One evaluation runs at a time."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = STEPS

    def spend(self, steps: int) -> None:
        """Take so many steps; Failure once none are left."""
        self.left -= steps
        if self.left < 0:
            raise Failure(
                Kind.LIMIT,
                f"the expression takes more than {STEPS:,} steps on this event",
                "look at fewer items, or shorten the event's lists and texts",
            )

    def spend_text(self, characters: int) -> None:
        """Take the steps for reading or making so many characters or bytes."""
        if characters >= CHARACTERS_A_STEP:
            self.spend(characters // CHARACTERS_A_STEP)

    def spend_value(self, value: Any) -> None:
        """Take the steps for all that a value holds, as often as it is held."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            self.spend(1)
            match item:
                case str() | bytes():
                    self.spend_text(len(item))
                case list() | tuple():
                    self.spend(len(item))
                    waiting.extend(item)
                case dict():
                    self.spend(len(item))
                    waiting.extend(item)
                    waiting.extend(item.values())
                case _:
                    pass


def bounded_int(value: int) -> int:
    """The integer, or Failure where it is too long."""
    if value.bit_length() > MAX_BITS:
        raise too_much("an integer", f"{MAX_BITS:,} bits")
    return value
