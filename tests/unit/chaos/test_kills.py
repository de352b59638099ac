"""Is what was sent again after a kill judged by what was committed, and by nothing else?"""

from streamer.model import Offset, Position
from streamer.source.done_set import DoneSet
from tests.chaos.campaigns.kill import Event, Kill, sent_again_though_committed

FIRST, SECOND, THIRD = ("a", 0), ("a", 1), ("b", 0)
PLACES = {FIRST: (0, 10), SECOND: (0, 15), THIRD: (1, 3)}
DONE = DoneSet(runs=((Offset(14), Offset(16)),))


def kill(came: dict[Event, int], position: int = 11, done: DoneSet = DONE) -> Kill:
    return Kill(0.0, came, {0: (Position(position), done)})


def test_what_is_not_committed_may_be_sent_again() -> None:
    killed = [kill({FIRST: 1, SECOND: 1, THIRD: 1}, position=10, done=DoneSet())]

    again = sent_again_though_committed(killed, {FIRST: 2, SECOND: 2, THIRD: 2}, PLACES)

    assert again.count == 0


def test_what_is_committed_as_settled_is_not_sent_again() -> None:
    killed = [kill({FIRST: 1, SECOND: 1, THIRD: 1})]

    again = sent_again_though_committed(killed, {FIRST: 2, SECOND: 2, THIRD: 2}, PLACES)

    assert again.first == ["a:0", "a:1"]


def test_what_came_twice_before_the_kill_is_not_the_restarts_doing() -> None:
    killed = [kill({FIRST: 2, SECOND: 1, THIRD: 1}), kill({FIRST: 2, SECOND: 1, THIRD: 2})]

    again = sent_again_though_committed(killed, {FIRST: 2, SECOND: 1, THIRD: 2}, PLACES)

    assert again.count == 0


def test_each_kill_is_judged_by_what_was_committed_then() -> None:
    killed = [kill({FIRST: 1}, position=10, done=DoneSet()), kill({FIRST: 2})]

    assert sent_again_though_committed(killed, {FIRST: 2}, PLACES).count == 0
    assert sent_again_though_committed(killed, {FIRST: 3}, PLACES).count == 1
