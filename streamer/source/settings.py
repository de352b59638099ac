"""What does the source need to be told?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streamer.source.properties import topics_refresh_s
from streamer.source.topics import subscription_fingerprint


def _none_excluded(topic: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One consumer of one group. `properties` may hold secrets: it is in no text of this."""

    bootstrap_servers: str
    group_id: str
    topics: tuple[str, ...]
    """Names, and patterns that begin with `^`."""
    start: str = "latest"
    """`latest`, `earliest`, `-2h`, or an ISO 8601 moment with its zone."""
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    """librdkafka's, as the operator gave them."""
    excluded: Callable[[str], bool] = _none_excluded
    """Topics that no pattern takes in: those that the dead letter template can name."""
    window_messages: int = 10_000
    window_bytes: int = 64 * 1024 * 1024
    revoke_timeout_s: float = 5.0
    close_commit_timeout_s: float = 5.0
    answer_timeout_s: float = 2.0
    """Most time that the poll thread waits for one answer of the broker."""

    @property
    def topics_refresh_s(self) -> float:
        """How often the cluster is asked for its topics."""
        return topics_refresh_s(self.properties)

    @property
    def subscription(self) -> str:
        """The fingerprint that each commit carries."""
        return subscription_fingerprint(self.topics, self.start)
