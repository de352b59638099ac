"""What does the source tell whoever counts?"""

from typing import Protocol


class SourceWatch(Protocol):
    """Called in the poll thread; must return at once and not raise."""

    def rebalanced(self, kind: str, partitions: int) -> None:
        """`assigned`, `revoked` or `lost`."""

    def metadata_rejected(self, why: str) -> None:
        """A commit's metadata was not believed: a word of `commit_metadata.Rejected`."""

    def out_of_range(self, topic: str, deleted: int) -> None:
        """The broker no longer has (or does not have yet) the offset to read next. `deleted`:
        so many offsets lie between it and the first that there is."""

    def made_anew(self, topic: str, partitions: int) -> None:
        """So many partitions are read from their first message: their topic is another one."""


class Unwatched:
    """Counts nothing."""

    def rebalanced(self, kind: str, partitions: int) -> None:
        pass

    def metadata_rejected(self, why: str) -> None:
        pass

    def out_of_range(self, topic: str, deleted: int) -> None:
        pass

    def made_anew(self, topic: str, partitions: int) -> None:
        pass
