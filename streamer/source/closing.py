"""How does the consumer end in order?"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from confluent_kafka import Consumer, KafkaException

from streamer.model import Partition
from streamer.source.client import cause
from streamer.source.commits import Commits
from streamer.source.handover import CommitPlan, CommitResult
from streamer.source.orders import Stop, Stopped
from streamer.source.rebalances import Rebalances
from streamer.source.troubles import Troubles

log = structlog.get_logger()

POLL_S = 0.01
AGAIN_S = 0.1
"""From one attempt at the last commit to the next."""
ANSWERED_S = 1.0
"""What an attempt has at least."""
AGAIN = frozenset(
    {
        # The group is between two generations: it goes on as soon as its members have joined.
        "REBALANCE_IN_PROGRESS",
        "ILLEGAL_GENERATION",
        "STALE_MEMBER_EPOCH",
        # The coordinator moves, or did not answer.
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "REQUEST_TIMED_OUT",
        "_TIMED_OUT",
        "_TRANSPORT",
        "_WAIT_COORD",
    }
)
"""Why a last commit is made again, within its bound: the client itself does not."""


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
        plans = list(stop.plans)
        while plans and (plans := self._commit(plans, deadline)):
            self._serve(AGAIN_S)
        return Stopped(self._commits.last, self._leave())

    def _commit(self, plans: Sequence[CommitPlan], deadline: float) -> list[CommitPlan]:
        """Gives those to make again."""
        self._commits.last = None
        self._commits.make(plans, self._rebalances.is_owned)
        self._wait_for_commits(deadline)
        failed = _failed(self._commits.last)
        again = [plan for plan in plans if failed.get(plan.owned.partition) in AGAIN]
        if again and self._troubles.fatal is None and self._now() + ANSWERED_S < deadline:
            return again
        if failed:
            log.warning(
                "last_commit_failed",
                partitions=len(failed),
                why=sorted(set(failed.values())),
                do="nothing: what was settled since the commit before it is sent again under its"
                " key, and the endpoint ignores that",
            )
        return []

    def _wait_for_commits(self, deadline: float) -> None:
        while self._commits.busy and self._troubles.fatal is None and self._now() < deadline:
            self._poll()

    def _serve(self, seconds: float) -> None:
        """Let the client go on for so long: it may have to join the group anew."""
        until = self._now() + seconds
        while self._now() < until:
            self._poll()

    def _poll(self) -> None:
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


def _failed(result: CommitResult | None) -> dict[Partition, str]:
    """Empty too where nobody told in time how it ended."""
    if result is None:
        return {}
    return {failure.partition: failure.code for failure in result.failures}
