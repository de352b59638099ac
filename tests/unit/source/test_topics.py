"""Which topics are subscribed to, one answer of the cluster after the other."""

import pytest

from streamer.source.topics import Subscription, matches, subscription_fingerprint


def subscription(*topics: str) -> Subscription:
    return Subscription(topics, lambda topic: topic.endswith(".dlq"))


def test_a_pattern_takes_in_what_matches_as_a_whole_and_no_dead_letters_or_internal_topics() -> (
    None
):
    resolved = subscription(r"^(billing\..*|__.*)").answered(
        {"billing.invoices", "billing.invoices.dlq", "my.billing.x", "__consumer_offsets"}
    )

    assert resolved.topics == ("billing.invoices",)
    assert resolved.unmatched == ()


def test_a_dead_letter_topic_that_is_named_outright_is_subscribed_to() -> None:
    assert subscription("a.dlq").answered({"a.dlq"}).topics == ("a.dlq",)


def test_a_new_topic_is_added_at_once() -> None:
    following = subscription("^a.*")
    following.answered({"a1"})

    assert following.answered({"a1", "a2"}).topics == ("a1", "a2")


def test_a_missing_topic_is_taken_out_after_three_answers_in_a_row_without_it() -> None:
    following = subscription("^a.*")
    following.answered({"a1", "a2"})

    assert following.answered({"a1"}).topics == ("a1", "a2")
    assert following.answered({"a1"}).topics == ("a1", "a2")
    assert following.answered({"a1", "a2"}).topics == ("a1", "a2")
    assert following.answered({"a1"}).topics == ("a1", "a2")
    assert following.answered({"a1"}).topics == ("a1", "a2")
    assert following.answered({"a1"}).topics == ("a1",)


def test_an_empty_answer_changes_nothing_and_counts_as_none() -> None:
    following = subscription("^a.*")
    following.answered({"a1"})
    for _ in range(5):
        assert following.answered(set()).topics == ("a1",)


def test_a_pattern_without_a_match_is_told_and_nothing_is_subscribed_to() -> None:
    resolved = subscription("^a.*").answered({"b"})

    assert (resolved.topics, resolved.unmatched) == ((), ("^a.*",))


def test_a_named_topic_that_is_missing_stays_subscribed_and_is_told() -> None:
    resolved = subscription("a", "b").answered({"b"})

    assert (resolved.topics, resolved.missing) == (("a", "b"), ("a",))


def test_the_fingerprint_depends_on_topics_and_start_and_on_nothing_else() -> None:
    one = subscription_fingerprint(("a", "^b.*"), "latest")

    assert one == subscription_fingerprint(["^b.*", "a", "a"], " latest")
    assert one != subscription_fingerprint(("a",), "latest")
    assert one != subscription_fingerprint(("a", "^b.*"), "-2h")
    assert len(one) == 16


@pytest.mark.parametrize(
    ("name", "topic", "expected"),
    [("a.b", "a.b", True), ("a.b", "axb", False), ("^a.b", "axb", True), ("^a", "ab", False)],
)
def test_names_are_compared_and_patterns_match_whole_names(
    name: str, topic: str, expected: bool
) -> None:
    assert matches(name, topic) is expected
