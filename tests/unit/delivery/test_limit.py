"""Does the limit on calls in flight follow what the endpoint bears, and nothing else?"""

from collections.abc import Callable
from random import Random

from streamer.delivery.limit import LEAST, CallEnd, ConcurrencyLimit

MOST = 256
Answer = Callable[[int], tuple[CallEnd, float]]
"""How a call ends, and how long it takes, with so many in flight."""


def play(limit: ConcurrencyLimit, seconds: float, answer: Answer, start_s: float = 0.0) -> None:
    """As many calls as the limit allows, one batch after the other."""
    now = start_s
    while now < start_s + seconds:
        in_flight = limit.limit
        ends = [answer(in_flight) for _ in range(in_flight)]
        now += max(latency_s for _, latency_s in ends)
        for end, latency_s in ends:
            limit.ended(end, latency_s, in_flight, now)


def fine(_: int) -> tuple[CallEnd, float]:
    return CallEnd.FINE, 0.05


def test_a_healthy_endpoint_gets_all_that_is_allowed() -> None:
    limit = ConcurrencyLimit(MOST)
    play(limit, 60.0, fine)
    assert limit.limit == MOST


def test_one_slow_call_in_a_hundred_says_nothing_of_the_endpoint() -> None:
    limit, random = ConcurrencyLimit(MOST), Random(1)
    play(limit, 60.0, lambda _: (CallEnd.FINE, 2.0 if random.random() < 0.01 else 0.05))
    assert limit.limit == MOST


def test_a_share_that_fails_whatever_the_load_does_not_slow_the_rest_down() -> None:
    for share in (0.08, 0.12, 0.2):
        limit, random = ConcurrencyLimit(MOST), Random(1)

        def answer(_: int, share: float = share, random: Random = random) -> tuple[CallEnd, float]:
            failing = random.random() < share
            return (CallEnd.OVERLOADED if failing else CallEnd.FINE), 0.05

        play(limit, 60.0, answer)
        assert limit.limit > 0.7 * MOST, share


def test_an_endpoint_that_refuses_what_is_too_much_is_given_about_what_it_bears() -> None:
    limit, random = ConcurrencyLimit(MOST), Random(1)

    def bears_fifty(in_flight: int) -> tuple[CallEnd, float]:
        failing = random.random() < max(0.0, 1 - 50 / in_flight)
        return (CallEnd.OVERLOADED if failing else CallEnd.FINE), 0.05

    play(limit, 60.0, bears_fifty)
    assert 25 <= limit.limit <= 128


def test_an_endpoint_that_becomes_slow_under_load_is_spared() -> None:
    limit = ConcurrencyLimit(MOST)
    play(limit, 10.0, fine)
    play(limit, 10.0, lambda in_flight: (CallEnd.FINE, 0.05 * max(1.0, in_flight / 32)), 10.0)
    assert limit.limit < 0.7 * MOST


def test_an_outage_leaves_a_few_calls_and_its_end_gives_all_back_within_half_a_minute() -> None:
    limit = ConcurrencyLimit(MOST)
    play(limit, 20.0, lambda _: (CallEnd.OVERLOADED, 0.05))
    assert limit.limit == LEAST
    play(limit, 30.0, fine, 20.0)
    assert limit.limit == MOST


def test_the_limit_is_never_above_what_is_allowed_nor_below_one() -> None:
    limit = ConcurrencyLimit(1)
    play(limit, 10.0, lambda _: (CallEnd.OVERLOADED, 0.05))
    play(limit, 10.0, fine, 10.0)
    assert limit.limit == 1
