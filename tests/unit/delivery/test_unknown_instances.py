"""What becomes of the reports of a site that uninstalled the app, in the whole core?"""

import pytest

from streamer.delivery.channels import BREAKER_THRESHOLD
from streamer.delivery.core import EndpointSettings
from streamer.delivery.tokens import UnknownInstance
from streamer.model import Reason
from tests.unit.delivery.bench_core import ACCEPTED, Bench, report


class Sites:
    """A bench where the token call for `gone` is refused; every other call is accepted."""

    def __init__(self, policy: UnknownInstance) -> None:
        self.bench = Bench(grants=False, endpoint=EndpointSettings(unknown_instance=policy))
        self.gone = {"gone"}
        self.delivered: list[int] = []
        self.token_calls: dict[str, int] = {}
        self.offset = 0

    def event(self, instance: str) -> int:
        offset, self.offset = self.offset, self.offset + 1
        message = self.bench.message(offset, key=b"%d" % offset)
        self.bench.take_in(message, report(message, instance=instance))
        self.pump()
        return offset

    def pump(self) -> None:
        bench = self.bench
        while calls := bench.calls():
            self.answer_tokens()
            for call in calls:
                self.delivered += [it.message.offset for it in call.batch.reports]
                bench.answer(call, ACCEPTED)
            bench.write_letters()
        if bench.last.tokens:
            self.answer_tokens()
            self.pump()
        bench.write_letters()

    def answer_tokens(self) -> None:
        bench = self.bench
        book = bench.core.books["default"]
        orders, bench.last.tokens = bench.last.tokens, []
        for order in orders:
            self.token_calls[order.scope] = self.token_calls.get(order.scope, 0) + 1
            if order.scope in self.gone:
                book.refused(order.scope, "invalid_client", bench.now)
            else:
                book.granted(order.scope, f"token-{bench.now}", 14_400.0, bench.now)

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.bench.wait(1.0)
            self.pump()


@pytest.fixture
def sites(request: pytest.FixtureRequest) -> Sites:
    sites = Sites(request.param)
    sites.event("fine")
    for _ in range(5):
        sites.event("gone")
    return sites


def reasons(sites: Sites) -> list[Reason]:
    return [reason for reason, _ in sites.bench.letters]


@pytest.mark.parametrize("sites", [UnknownInstance.DEAD_LETTER], indirect=True)
def test_its_reports_are_dead_lettered_after_five_minutes_and_then_at_once(sites: Sites) -> None:
    sites.wait(299)
    assert reasons(sites) == [], "not before five minutes"
    sites.wait(120)
    assert reasons(sites) == [Reason.UNKNOWN_INSTANCE] * 5
    assert sites.bench.position == sites.offset, "nothing holds the partition any more"
    sites.event("gone")
    assert reasons(sites) == [Reason.UNKNOWN_INSTANCE] * 6
    assert sites.delivered == [0]
    assert sites.token_calls["gone"] <= 5


@pytest.mark.parametrize("sites", [UnknownInstance.SKIP], indirect=True)
def test_its_reports_are_skipped_and_counted_where_that_is_the_policy(sites: Sites) -> None:
    sites.wait(420)
    assert reasons(sites) == []
    assert sites.bench.watch.count("skipped") == 5
    assert sites.bench.position == sites.offset


@pytest.mark.parametrize("sites", [UnknownInstance.HOLD], indirect=True)
def test_its_reports_wait_where_that_is_the_policy_and_others_go_on(sites: Sites) -> None:
    sites.wait(3600)
    assert reasons(sites) == []
    assert sites.bench.position == 1
    offset = sites.event("fine")
    assert sites.delivered == [0, offset]
    sites.gone.clear()
    sites.wait(216)
    assert sorted(sites.delivered) == list(range(sites.offset))


@pytest.mark.parametrize("sites", [UnknownInstance.DEAD_LETTER], indirect=True)
def test_a_site_that_installs_the_app_again_is_delivered_to_again(sites: Sites) -> None:
    sites.wait(420)
    sites.gone.clear()
    dead = len(sites.bench.letters)
    for _ in range(16):
        sites.event("gone")
        sites.wait(60)
    assert sites.delivered[-1] == sites.offset - 1
    assert 0 < len(sites.bench.letters) - dead <= 16


@pytest.mark.parametrize("sites", [UnknownInstance.DEAD_LETTER], indirect=True)
def test_a_rotated_secret_dead_letters_nothing_however_long_it_lasts(sites: Sites) -> None:
    sites.gone |= {"fine", "other"}
    sites.event("other")
    sites.wait(3600)
    assert reasons(sites) == []
    assert sum(sites.token_calls.values()) <= 3600 / 30 + 10
    sites.gone.clear()
    sites.wait(60)
    assert sorted(sites.delivered) == list(range(sites.offset))


@pytest.mark.parametrize("sites", [UnknownInstance.DEAD_LETTER], indirect=True)
def test_what_is_settled_leaves_no_breaker_that_nothing_could_probe(sites: Sites) -> None:
    """Found by a stranger: one that was half open stayed so, and its lane was never forgotten."""
    (lane,) = [lane for lane in sites.bench.core.lanes if lane.key.instance == "gone"]
    (channel,) = lane.channels.values()
    channel.outage.failed(sites.bench.now, "503", None)
    for _ in range(BREAKER_THRESHOLD):
        channel.outage.failed(sites.bench.now, "503", None)
    channel.outage.probe()
    sites.wait(420)
    assert reasons(sites) == [Reason.UNKNOWN_INSTANCE] * 5
    assert channel.holds is None
    assert lane.is_idle
