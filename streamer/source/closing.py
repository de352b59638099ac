"""How does the consumer end in order?"""

from collections.abc import Callable
from contextlib import suppress

import structlog
from confluent_kafka import Consumer, KafkaException

from streamer.source.client import cause
from streamer.source.commits import Commits
from streamer.source.orders import Stop, Stopped
from streamer.source.rebalances import Rebalances
from streamer.source.troubles import Troubles

log = structlog.get_logger()

POLL_S = 0.01


class Closing:
    """The last commit within its bound, then leaving the group. Used by the poll thread alone."""

    def __init__(
        self,
        consumer: Consumer,
        commits: Commits,
        rebalances: Rebalances,
        troubles: Troubles,
        now: Callable[[], float],
        commit_timeout_s: float,
    ) -> None:
        self._consumer = consumer
        self._commits = commits
        self._rebalances = rebalances
        self._troubles = troubles
        self._now = now
        self._commit_timeout_s = commit_timeout_s

    def finish(self, stop: Stop) -> Stopped:
        """What else the client gives from now on is dropped, and no revocation waits."""
        self._rebalances.closing = True
        deadline = self._now() + self._commit_timeout_s
        self._wait_for_commits(deadline)
        self._commits.last = None
        if stop.plans:
            self._commits.make(stop.plans, self._rebalances.is_owned)
            self._wait_for_commits(deadline)
        return Stopped(self._commits.last, self._leave())

    def _wait_for_commits(self, deadline: float) -> None:
        while self._commits.busy and self._troubles.fatal is None and self._now() < deadline:
            with suppress(KafkaException):
                self._consumer.poll(POLL_S)

    def _leave(self) -> bool:
        if self._commits.busy:
            # The client's close would wait for the answer, without a bound.
            log.warning(
                "left_without_closing",
                do="the group gives the partitions to others when this member's session ends",
            )
            return False
        try:
            self._consumer.close()
        except KafkaException as error:
            log.warning("close_failed", why=cause(error).name())
            return False
        return True
