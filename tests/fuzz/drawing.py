"""How does a target take what it needs out of a fuzzer's bytes?"""

from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Drawn:
    """Takes from the front; zeros once nothing is left, so that every input ends.

    A fuzzer changes bytes at random and keeps what reaches new code: where each choice takes one
    byte, a small change of the bytes is a small change of what is made of them.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        byte = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return byte

    def number(self, width: int) -> int:
        """Unsigned, of so many bytes."""
        return int.from_bytes(bytes(self.byte() for _ in range(width)), "big")

    def one_of(self, choices: Sequence[_T]) -> _T:
        return choices[self.byte() % len(choices)]

    def some(self) -> bytes:
        """At most 255 bytes, as many as the next one says."""
        length = self.byte()
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def rest(self) -> bytes:
        rest = self._data[self._at :]
        self._at = len(self._data)
        return rest

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._data)
