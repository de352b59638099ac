"""How does the subscription follow what the cluster has?"""

from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import KafkaError

from streamer.errors import Finding, Severity
from streamer.source.client import Client
from streamer.source.topics import Resolved, Subscription
from streamer.source.troubles import Troubles

log = structlog.get_logger()

SILENT_AFTER = 3
"""Questions without an answer, one after the other: one may be lost where a broker goes."""
ASK_AGAIN_S = 1.0
"""Between two questions to a cluster that does not answer."""


class Following:
    """Asks the cluster for its topics, again and again, and subscribes to what is meant."""

    def __init__(
        self,
        client: Client,
        subscription: Subscription,
        subscribe: Callable[[Sequence[str]], None],
        troubles: Troubles,
        refresh_s: float,
    ) -> None:
        self._client = client
        self._subscription = subscription
        self._subscribe = subscribe
        self._troubles = troubles
        self._refresh_s = refresh_s
        self._ask_at = 0.0
        self.topics: tuple[str, ...] = ()
        """What is subscribed to now."""
        self.cluster_id = ""
        """Empty until the cluster has answered once."""
        self.names_controller = True
        """As in the last answer."""
        self._unanswered = 0

    @property
    def is_silent(self) -> bool:
        """The cluster does not answer now, though it may have before."""
        return self._unanswered >= SILENT_AFTER

    def turn(self, now: float) -> None:
        if now < self._ask_at:
            return
        answer = self._client.cluster()
        if isinstance(answer, KafkaError):
            self._ask_at = now + ASK_AGAIN_S
            self._unanswered += 1
            self._troubles.no_answer(answer)
            return
        self._ask_at = now + self._refresh_s
        self._unanswered = 0
        if not self.cluster_id:
            log.info("kafka_reached", cluster=answer.id, topics=len(answer.topics))
        self._troubles.answered()
        self.cluster_id = answer.id
        self.names_controller = answer.names_controller
        resolved = self._subscription.answered(answer.topics)
        self._report(resolved)
        if resolved.topics and resolved.topics != self.topics:
            self._change_to(resolved.topics)

    def _change_to(self, topics: tuple[str, ...]) -> None:
        self._subscribe(topics)
        log.info(
            "subscribed",
            topics=len(topics),
            added=sorted(set(topics).difference(self.topics))[:20],
            removed=sorted(set(self.topics).difference(topics))[:20],
        )
        self.topics = topics

    def _report(self, resolved: Resolved) -> None:
        for topic in resolved.missing:
            finding = Finding(
                f"topic {topic}",
                "it does not exist, or this user may not see it",
                "create it, give the user the right Describe, or correct `topic` in `routes`",
            )
            self._troubles.raised(f"missing {topic}", finding)
        for pattern in resolved.unmatched:
            finding = Finding(
                f"pattern {pattern}",
                "it matches no topic; reading begins when there is one",
                "create a topic, or correct `topic` in `routes` (a pattern must match the whole"
                " name)",
                Severity.WARNING,
            )
            self._troubles.raised(f"unmatched {pattern}", finding)
