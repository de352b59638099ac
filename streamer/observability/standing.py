"""For how long has something of a partition been unread, and nothing of it been read?

An unread message's timestamp is not known here, but it is at least as old as that.
"""

from streamer.model import Owned, Position


class Standing:
    """Looked at with every snapshot, which a scrape takes four times a minute or so."""

    def __init__(self) -> None:
        self._since: dict[Owned, tuple[Position, float]] = {}

    def age_s(self, owned: Owned, next_to_read: Position, unread: int, now: float) -> float:
        """Seconds, as far as they were seen; 0 where nothing is unread."""
        if unread == 0:
            self._since.pop(owned, None)
            return 0.0
        stood_at, since = self._since.get(owned, (None, now))
        if stood_at != next_to_read:
            self._since[owned] = (next_to_read, now)
            return 0.0
        return max(0.0, now - since)

    def keep(self, owned: set[Owned]) -> None:
        """Forget all partitions but these."""
        for gone in self._since.keys() - owned:
            del self._since[gone]
