"""After a 401, which call tells the lanes that share a token whether it is taken?"""

import pytest

from streamer.delivery.commands import Call
from streamer.delivery.core import EndpointSettings
from streamer.delivery.outcomes import Denied, Outcome, Throttled, Unauthorized
from streamer.delivery.tokens import TRIES_APART_S
from tests.unit.delivery.bench_core import ACCEPTED, LOST, OWNED, UNAVAILABLE, Bench

UNAUTHORIZED = Unauthorized("401")
OTHERS = [f"s{number}" for number in range(20)]


class Shared(Bench):
    """All lanes have one ready token, which is the same each time it is read."""

    def __init__(self) -> None:
        super().__init__(endpoint=EndpointSettings(shared_token=True))
        self.fill(range(1), instance="first")
        self.answer(self.call(), ACCEPTED)

    def answer_tokens(self) -> bool:
        self._take()
        wanted, self._wanted = self._wanted, []
        for order in wanted:
            self.core.books[order.endpoint].granted(order.scope, "ready", None, self.now)
        return bool(wanted)

    def lanes_called(self) -> list[str]:
        return [call.batch.lane.instance for call in self.calls()]

    def wait_for_a_try(self) -> None:
        """Until the end of the pause after a 401, and the secret is read again."""
        self.wait(1.0)
        self.answer_tokens()


def shared_that_tries(first: str = "bad") -> tuple[Shared, Call]:
    """The token was refused; the call of lane `first` tries it, and the others wait."""
    bench = Shared()
    bench.wait(100.0)
    bench.fill(range(1, 2), instance=first)
    call = bench.call()
    bench.now += 0.1
    bench.answer(call, UNAUTHORIZED)
    assert bench.calls() == []
    for offset, lane in enumerate(OTHERS, 2):
        bench.fill(range(offset, offset + 1), instance=lane)
    assert bench.calls() == []
    bench.wait_for_a_try()
    (call,) = bench.calls()
    assert call.batch.lane.instance == first
    return bench, call


@pytest.mark.parametrize("outcome", [UNAVAILABLE, LOST, Throttled(60.0)])
def test_a_try_that_tells_nothing_of_the_token_is_followed_by_another_lanes(
    outcome: Outcome,
) -> None:
    bench, call = shared_that_tries()
    bench.now += 0.01
    bench.answer(call, outcome)
    bench.wait(0.2)
    assert bench.calls() == [], "not at once each of thousands of lanes"
    bench.wait(TRIES_APART_S - 0.2)
    (next_one,) = bench.calls()
    assert next_one.batch.lane.instance in OTHERS
    bench.answer(next_one, ACCEPTED)
    assert len(set(bench.lanes_called()) & set(OTHERS)) == len(OTHERS) - 1


def test_a_try_whose_connection_was_let_go_of_is_followed_by_another() -> None:
    bench, call = shared_that_tries()
    bench.now += 0.01
    bench.core.dropped(call, bench.now)
    bench.wait(TRIES_APART_S)
    assert len(bench.calls()) == 1


def test_an_endpoint_that_answers_403_knew_the_token() -> None:
    bench, call = shared_that_tries()
    bench.now += 0.01
    bench.answer(call, Denied("403"))
    assert set(bench.lanes_called()) >= set(OTHERS)


def test_a_try_that_is_refused_is_not_followed_by_another_before_a_pause() -> None:
    bench, call = shared_that_tries()
    bench.now += 0.01
    bench.answer(call, UNAUTHORIZED)
    bench.wait(TRIES_APART_S)
    assert bench.calls() == []


def test_a_lane_whose_reports_may_not_go_leaves_the_try_to_the_next() -> None:
    bench = Shared()
    bench.wait(100.0)
    bench.fill(range(1, 2), instance="bad")
    bench.answer(bench.call(), UNAUTHORIZED)
    assert bench.calls() == []
    other = bench.assign(1)
    for offset, lane in enumerate(OTHERS):
        bench.fill(range(offset, offset + 1), other, instance=lane)
    assert bench.calls() == []
    bench.core.revoking([OWNED], "ticket", bench.now)
    bench.wait_for_a_try()
    (call,) = bench.calls()
    assert call.batch.lane.instance == OTHERS[0]
    bench.answer(call, ACCEPTED)
    assert bench.lanes_called() == OTHERS[1:]


def test_one_stray_401_of_many_calls_stops_nobody() -> None:
    bench = Shared()
    bench.wait(100.0)
    for offset, lane in enumerate(OTHERS, 1):
        bench.fill(range(offset, offset + 1), instance=lane)
    first, second, *_ = bench.calls()
    bench.now += 0.1
    bench.answer(first, UNAUTHORIZED)
    bench.answer(second, ACCEPTED)
    for offset, lane in enumerate(OTHERS, 1 + len(OTHERS)):
        bench.fill(range(offset, offset + 1), instance=lane)
    assert sorted(bench.lanes_called()) == sorted([*OTHERS, first.batch.lane.instance])
