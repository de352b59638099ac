"""Is what was settled last committed, although the group is between two generations?"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import structlog

from streamer.model import Generation, Owned, Partition, Position
from streamer.source.closing import AGAIN_S, ANSWERED_S, Closing
from streamer.source.commits import Answered, Commits
from streamer.source.handover import CommitPlan
from streamer.source.orders import Stop, Stopped

BOUND_S = 5.0


class Leaving:
    """A client whose commits are answered by the next poll, each partition with its next code."""

    def __init__(self, codes: dict[int, list[str | None]]) -> None:
        self.now = 0.0
        self.codes = codes
        self.made: list[set[int]] = []
        self.is_closed = False
        self.commits = Commits(self._submit)
        self._unanswered: list[Answered] = []

    def _submit(self, plans: Sequence[CommitPlan]) -> str | None:
        self.made.append({plan.owned.partition.number for plan in plans})
        self._unanswered = [
            Answered(plan.owned.partition, plan.position, self._next(plan)) for plan in plans
        ]
        return None

    def _next(self, plan: CommitPlan) -> str | None:
        codes = self.codes[plan.owned.partition.number]
        return codes.pop(0) if len(codes) > 1 else codes[0]

    def poll(self, timeout_s: float) -> None:
        self.now += timeout_s
        if self._unanswered:
            answers, self._unanswered = self._unanswered, []
            self.commits.answered(answers)

    def close(self) -> None:
        self.is_closed = True

    def finish(self) -> Stopped:
        closing = Closing(
            cast(Any, self),
            self.commits,
            cast(Any, SimpleNamespace(is_owned=lambda plan: True, closing=False)),
            cast(Any, SimpleNamespace(fatal=None)),
            lambda: self.now,
            BOUND_S,
        )
        plans = [_plan(number) for number in self.codes]
        return closing.finish(Stop(plans, cast(Any, None)))


def _plan(number: int) -> CommitPlan:
    return CommitPlan(Owned(Partition("t", number), Generation(1)), Position(9), "", 1)


def test_a_last_commit_that_a_rebalance_overtook_is_made_again_for_what_it_failed_for() -> None:
    """Found by the rollout campaign: what was settled since the commit before was sent again."""
    leaving = Leaving({0: [None], 1: ["REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION", None]})
    with structlog.testing.capture_logs() as said:
        stopped = leaving.finish()
    assert leaving.made == [{0, 1}, {1}, {1}]
    assert stopped.result is not None
    assert not stopped.result.failures
    assert stopped.closed
    assert leaving.is_closed
    assert leaving.now >= 2 * AGAIN_S, "the client has time to join"
    assert said == []


def test_one_that_fails_until_its_bound_is_told() -> None:
    leaving = Leaving({0: ["REBALANCE_IN_PROGRESS"]})
    with structlog.testing.capture_logs() as said:
        assert leaving.finish().closed
    assert BOUND_S - 2 * ANSWERED_S <= leaving.now <= BOUND_S
    assert [(it["event"], it["why"]) for it in said] == [
        ("last_commit_failed", ["REBALANCE_IN_PROGRESS"])
    ]


def test_one_that_can_never_be_made_is_not_made_again() -> None:
    leaving = Leaving({0: ["UNKNOWN_MEMBER_ID"], 1: [None]})
    with structlog.testing.capture_logs() as said:
        leaving.finish()
    assert leaving.made == [{0, 1}]
    assert [it["why"] for it in said] == [["UNKNOWN_MEMBER_ID"]]
