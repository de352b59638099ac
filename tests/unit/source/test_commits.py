"""How commits end, and which one an answer belongs to."""

from collections.abc import Sequence

from streamer.model import Generation, Owned, Partition, Position
from streamer.source.commits import NOT_OWNED, UNKNOWN, Answered, Commits
from streamer.source.handover import CommitPlan

A, B = Partition("a", 0), Partition("b", 0)


def plan(partition: Partition, position: int, generation: int = 1) -> CommitPlan:
    owned = Owned(partition, Generation(generation))
    return CommitPlan(owned, Position(position), "text", position)


def ok(partition: Partition, position: int, code: str | None = None) -> Answered:
    return Answered(partition, position, code)


class Sent:
    def __init__(self) -> None:
        self.plans: list[Sequence[CommitPlan]] = []
        self.refuses: str | None = None

    def __call__(self, plans: Sequence[CommitPlan]) -> str | None:
        self.plans.append(plans)
        return self.refuses


def always(plan: CommitPlan) -> bool:
    return True


def test_a_commit_ends_by_its_answer() -> None:
    commits = Commits(Sent())
    plans = (plan(A, 5), plan(B, 6))

    assert commits.make(plans, always) is None
    assert commits.busy
    result = commits.answered([ok(B, 6, "REBALANCE_IN_PROGRESS"), ok(A, 5)])

    assert result is not None
    assert result.plans == plans
    assert [(f.partition, f.code) for f in result.failures] == [(B, "REBALANCE_IN_PROGRESS")]
    assert not commits.busy


def test_a_text_that_is_too_large_is_told_apart() -> None:
    commits = Commits(Sent())
    commits.make([plan(A, 5)], always)

    result = commits.answered([ok(A, 5, "OFFSET_METADATA_TOO_LARGE")])

    assert result is not None
    assert result.failures[0].metadata_too_large


def test_what_is_owned_no_more_is_not_sent_and_fails() -> None:
    sent = Sent()
    commits = Commits(sent)

    assert commits.make([plan(A, 5), plan(B, 6)], lambda p: p.owned.partition == A) is None
    result = commits.answered([ok(A, 5)])

    assert sent.plans == [(plan(A, 5),)]
    assert result is not None
    assert [(f.partition, f.code) for f in result.failures] == [(B, NOT_OWNED)]
    nothing = commits.make([plan(B, 6)], lambda p: False)
    assert nothing is not None
    assert [f.code for f in nothing.failures] == [NOT_OWNED]
    assert not commits.busy


def test_a_commit_that_cannot_be_sent_fails_at_once() -> None:
    sent = Sent()
    sent.refuses = "_STATE"

    result = Commits(sent).make([plan(A, 5)], always)

    assert result is not None
    assert [f.code for f in result.failures] == ["_STATE"]


def test_a_commit_is_ended_by_what_the_broker_shows_and_its_late_answer_is_ignored() -> None:
    commits = Commits(Sent())
    commits.make([plan(A, 5), plan(B, 6)], always)

    result = commits.resolve(lambda plans: {A})

    assert result is not None
    assert [(f.partition, f.code) for f in result.failures] == [(B, UNKNOWN)]
    assert not commits.busy
    assert commits.resolve(lambda plans: set()) is None
    assert commits.answered([ok(A, 5), ok(B, 6)]) is None


def test_the_answer_of_an_earlier_equal_commit_does_not_end_a_later_one() -> None:
    commits = Commits(Sent())
    assert commits.make_untold([plan(A, 5, generation=0)])
    commits.make([plan(A, 5)], always)

    assert commits.answered([ok(A, 5)]) is None
    assert commits.busy
    assert commits.answered([ok(A, 5)]) is not None


def test_an_answer_that_belongs_to_nothing_is_ignored() -> None:
    assert Commits(Sent()).answered([ok(A, 5)]) is None
