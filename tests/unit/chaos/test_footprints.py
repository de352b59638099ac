"""Is a part whose fault did not come to pass told from one that is clean?"""

from collections.abc import Iterator

import pytest

from tests.chaos.campaigns import endpoint, network
from tests.chaos.campaigns.endpoint import Seen, Signs
from tests.chaos.footprints import accepted_between, not_hit
from tests.chaos.outcome import Size
from tests.chaos.proxy import Network, TcpProxy

FULL = Size(quick=False, soak_minutes=0)
QUIET = Seen(
    delivered=3000, retried=0.0, openings=0.0, timeouts=0.0, mean_call_s=0.02, sent_again=0
)


@pytest.fixture
def proxies() -> Iterator[list[TcpProxy]]:
    """Through which nothing went."""
    made = Network()
    yield [TcpProxy(made, 1) for _ in range(network.NODES)]
    made.close()


def test_each_sign_that_is_missing_is_a_fault() -> None:
    assert not_hit({"a": True, "b": False}) == ["the fault did not hit: not seen: b"]


def test_what_was_accepted_at_the_height_of_a_fault_is_counted() -> None:
    entries = [{"accepted_at_ms": at_ms} for at_ms in (10.0, 20.0, 30.0)]

    assert accepted_between(entries, 10.0, 30.0) == 1


@pytest.mark.parametrize(
    "signs",
    [
        endpoint._is_down,
        endpoint._is_slow,
        endpoint._is_held,
        endpoint._fails_in_part,
        endpoint._hangs,
        endpoint._hangs_and_takes,
    ],
)
def test_an_endpoint_that_was_well_is_told(signs: Signs) -> None:
    assert not_hit(signs(QUIET))


@pytest.mark.parametrize("signs", [network._is_slowed, network._are_cut, network._are_reset])
def test_a_network_that_was_well_is_told(
    proxies: list[TcpProxy], signs: network.SignsOfProxies
) -> None:
    assert not_hit(signs(proxies, FULL))


def test_a_network_that_is_well_again_forgets_what_it_held(proxies: list[TcpProxy]) -> None:
    proxies[0].longest_held_s = 20.0
    assert not not_hit(network._is_slowed(proxies, FULL))

    proxies[0].forget()

    assert not_hit(network._is_slowed(proxies, FULL))
