"""Does the limit on calls in flight follow what the endpoint bears, and nothing else?"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

import pytest

from streamer.delivery.channels import BREAKER_THRESHOLD
from streamer.delivery.limit import LANES_MOST, LEAST, CallEnd, ConcurrencyLimit

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
            limit.ended("site", end, latency_s, in_flight, now)


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


class Site:
    """Calls at a rate, one after the other's start, whatever the limit is."""

    def __init__(
        self, name: str, every_s: float, latency_s: float, end: CallEnd = CallEnd.FINE
    ) -> None:
        self.name = name
        self.every_s = every_s
        self.latency_s = latency_s
        self.end = end


def play_sites(
    limit: ConcurrencyLimit, seconds: float, sites: Sequence[Site], start_s: float = 0.0
) -> None:
    """Each call ends its latency after its start."""
    ends = [
        (start_s + number * site.every_s + site.latency_s, site.name, site)
        for site in sites
        for number in range(int(seconds / site.every_s))
    ]
    for at, name, site in sorted(ends, key=lambda end: end[:2]):
        limit.ended(name, site.end, site.latency_s, 8, at)


LIGHT = [Site(f"light-{number}", 10.0, 0.05) for number in range(20)]


@pytest.mark.parametrize("slow", [1, 3, 10])
def test_sites_that_answer_slowly_leave_the_limit_to_the_others(slow: int) -> None:
    """Found by a stranger: they made most of the calls, and the limit fell to 16."""
    limit = ConcurrencyLimit(MOST)
    play_sites(limit, 60.0, [Site(f"slow-{n}", 0.2, 0.05) for n in range(slow)] + LIGHT)
    play_sites(limit, 600.0, [Site(f"slow-{n}", 0.2, 9.0) for n in range(slow)] + LIGHT, 60.0)
    assert limit.limit == MOST


def test_a_site_that_hangs_takes_little_of_the_limit() -> None:
    limit = ConcurrencyLimit(MOST)
    hanging = [Site(f"dead-{n}", 0.1, 10.0, CallEnd.OVERLOADED) for n in range(2)]
    play_sites(limit, 600.0, hanging + LIGHT)
    assert limit.limit == MOST


@pytest.mark.parametrize("every_s", [0.2, 15.0])
def test_hundreds_of_sites_that_hang_say_nothing_of_the_endpoint(every_s: float) -> None:
    """Found by a stranger: the limit fell to 4, and all the others stood."""
    limit = ConcurrencyLimit(MOST)
    healthy = [Site(f"ok-{n}", 1.0, 0.05) for n in range(20)]
    hanging = [Site(f"bad-{n}", every_s, 10.0, CallEnd.OVERLOADED) for n in range(300)]
    play_sites(limit, 120.0, [*healthy, *hanging])
    assert limit.limit == MOST


def test_many_sites_that_come_back_from_their_outage_say_nothing_of_the_endpoint() -> None:
    limit = ConcurrencyLimit(MOST)
    names = [f"site-{n}" for n in range(100)]
    play_sites(limit, 30.0, [Site(name, 1.0, 0.05) for name in names])
    gone = [Site(name, 1.0, 0.05, CallEnd.OVERLOADED) for name in names[:60]]
    stayed = [Site(name, 1.0, 0.05) for name in names[60:]]
    play_sites(limit, 12.0, [*gone, *stayed], 30.0)
    play_sites(limit, 30.0, [Site(name, 1.0, 0.05) for name in names], 42.0)
    assert limit.limit == MOST


@pytest.mark.parametrize("failing", [0.5, 0.6, 0.95, 0.98])
@pytest.mark.parametrize("sites", [50, 500])
def test_an_endpoint_that_fails_for_all_sites_now_and_then_is_spared(
    failing: float, sites: int
) -> None:
    """Found by a stranger: half of single calls were heard as three of ten, and what got through
    after ten failures was heard alone."""
    limit, random = ConcurrencyLimit(MOST), Random(1)
    failures: Counter[int] = Counter()
    now, seen = 0.0, []
    for _ in range(12_000):
        now += 0.01
        site = random.randrange(sites)
        failed = random.random() < failing
        failures[site] = failures[site] + 1 if failed else 0
        if failures[site] <= BREAKER_THRESHOLD:  # probes that fail are not told
            end = CallEnd.OVERLOADED if failed else CallEnd.FINE
            limit.ended(f"site-{site}", end, 0.05, 8, now)
        seen.append(limit.limit)
    assert sorted(seen[6_000:])[len(seen) // 4] < MOST / 4


def test_what_was_lost_by_chance_comes_back_though_little_is_sent() -> None:
    """Found by a stranger: each unlucky window took some of it, until four calls were left."""
    limit, random = ConcurrencyLimit(MOST), Random(1)
    now = 0.0
    for _ in range(4_000):
        now += random.expovariate(4.0)
        is_dead = random.random() < 0.2
        site = f"dead-{random.randrange(4)}" if is_dead else f"light-{random.randrange(20)}"
        end = CallEnd.OVERLOADED if is_dead else CallEnd.FINE
        limit.ended(site, end, 10.0 if is_dead else 0.05, 2, now)
    assert limit.limit > MOST / 2


def test_an_endpoint_that_is_slow_for_most_sites_is_spared() -> None:
    limit = ConcurrencyLimit(MOST)
    sites = [Site(f"site-{n}", 1.0, 0.05) for n in range(100)]
    play_sites(limit, 60.0, sites)
    slower = [Site(site.name, site.every_s, 2.0) for site in sites[:60]] + sites[60:]
    play_sites(limit, 60.0, slower, 60.0)
    assert limit.limit < MOST / 4


def test_what_is_remembered_of_sites_is_bounded() -> None:
    limit = ConcurrencyLimit(MOST)
    for number in range(50_000):
        limit.ended(f"site-{number}", CallEnd.FINE, 0.05, 8, number / 1_000)
    assert len(limit) <= 2 * LANES_MOST
