"""Does the comparison of the ledgers see what it is there to see?"""

from collections.abc import Mapping
from typing import Any

from tests.chaos.ledgers import Accepted


def entry(
    key: str, number: int, *, started: int = 0, answered: int | None = 0, **more: Any
) -> Mapping[str, Any]:
    payload = {"key": key, "number": number}
    places = {"started": started, "answered": answered}
    return {"payload": payload, "came": 1, "accepted_at_ms": 0.0, **places, **more}


def taken(*entries: Mapping[str, Any]) -> Accepted:
    accepted = Accepted()
    accepted.take(entries)
    return accepted


def test_events_in_order_are_clean() -> None:
    accepted = taken(
        entry("a", 0, started=1, answered=2),
        entry("b", 0, started=1, answered=2),
        entry("a", 1, started=3, answered=4),
    )

    assert accepted.count == 3
    assert accepted.lost({"a": 2, "b": 1}) == []
    assert (accepted.doubled.count, accepted.out_of_order.count, accepted.sent_again) == (0, 0, 0)


def test_what_was_never_accepted_is_lost_in_the_middle_at_the_end_and_as_a_whole() -> None:
    accepted = taken(entry("a", 0), entry("a", 2))

    assert accepted.lost({"a": 4, "b": 1}) == ["a:1", "a:3", "b:0"]


def test_what_was_accepted_twice_is_doubled() -> None:
    accepted = taken(entry("a", 0), entry("a", 1), entry("a", 0))

    assert accepted.doubled.first == ["a:0"]
    assert accepted.lost({"a": 2}) == []


def test_what_comes_after_a_later_one_is_out_of_order_and_not_lost() -> None:
    accepted = taken(entry("a", 0), entry("a", 2), entry("a", 1))

    assert accepted.out_of_order.count == 1
    assert (accepted.lost({"a": 3}), accepted.doubled.count) == ([], 0)


def test_a_call_that_began_before_the_one_before_was_answered_is_out_of_order() -> None:
    accepted = taken(
        entry("a", 0, started=1, answered=5),
        entry("a", 1, started=4, answered=6),
    )

    assert accepted.out_of_order.count == 1


def test_of_what_came_again_only_the_first_coming_is_known() -> None:
    accepted = taken(
        entry("a", 0, started=1, answered=None, came=3, accepted_at_ms=7.0),
        entry("a", 1, started=2),
    )

    assert accepted.out_of_order.count == 0
    assert (accepted.sent_again, list(accepted.again_ms)) == (2, [7.0])


def test_what_nobody_produced_is_named() -> None:
    accepted = taken(entry("a", 0), entry("a", 1), entry("z", 0))

    assert accepted.never_written({"a": 1}) == ["a:1", "z:0"]


def test_the_longest_pause_is_that_of_the_traffic() -> None:
    accepted = Accepted(span_ms=(100.0, 200.0))
    moments = (0.0, 90.0, 110.0, 140.0, 150.0, 199.0, 900.0)
    accepted.take(entry("a", n, accepted_at_ms=at) for n, at in enumerate(moments))

    assert accepted.longest_pause_ms == 701.0
