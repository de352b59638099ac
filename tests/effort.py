"""How much does a test of random cases try? All of it, or the share that the environment asks for.

`EXAMPLES_PERCENT` is for what hypothesis draws as `SEEDS` is for the simulation: `make check` takes
a small share, `make test` all, and a long run may take many times as much.
"""

import os

PERCENT = int(os.environ.get("EXAMPLES_PERCENT", "100"))

EXAMPLES_LEAST = 15
"""So that the smallest share still sees each branch of a small union a few times."""


def examples(full: int) -> int:
    """How many examples of `full`."""
    return max(min(full, EXAMPLES_LEAST), full * PERCENT // 100)
