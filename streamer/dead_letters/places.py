"""Of millions of letters, what is known of each by its id, in 16 to 32 bytes apiece?

A dict of the ids would take ten times as much: a topic of a million letters is to be read on a
laptop. What two ids of a million have in common by chance is nothing: 64 bits of a hash are kept.
"""

from array import array
from hashlib import blake2b

_FIRST_SLOTS = 1 << 12


class Places:
    """A number by id; open addressing in two flat arrays."""

    __slots__ = ("_count", "_keys", "_mask", "_numbers")

    def __init__(self) -> None:
        self._mask = _FIRST_SLOTS - 1
        self._keys = array("Q", bytes(8 * _FIRST_SLOTS))
        self._numbers = array("q", bytes(8 * _FIRST_SLOTS))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """Bytes held."""
        return 16 * len(self._keys)

    def get(self, name: str) -> int | None:
        """What was put for the id; None: nothing."""
        slot = self._slot(_key(name))
        return self._numbers[slot] if self._keys[slot] else None

    def put(self, name: str, number: int) -> None:
        """Keep the number for the id, in place of what was there."""
        key = _key(name)
        slot = self._slot(key)
        if not self._keys[slot]:
            if 3 * (self._count + 1) > 2 * (self._mask + 1):
                self._grow()
                slot = self._slot(key)
            self._keys[slot] = key
            self._count += 1
        self._numbers[slot] = number

    def _slot(self, key: int) -> int:
        """Where the key stands, or the free place where it would."""
        keys, mask = self._keys, self._mask
        slot = key & mask
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, numbers = self._keys, self._numbers
        slots = 2 * (self._mask + 1)
        self._mask = slots - 1
        self._keys = array("Q", bytes(8 * slots))
        self._numbers = array("q", bytes(8 * slots))
        for key, number in zip(keys, numbers, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot] = key
                self._numbers[slot] = number


def _key(name: str) -> int:
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 0 stands for a free place.
    return int.from_bytes(digest, "big") or 1
