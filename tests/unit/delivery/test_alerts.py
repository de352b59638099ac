"""Is what an outage makes many of told as one?"""

from streamer.delivery.commands import Alert
from tests.unit.delivery.bench_core import UNAVAILABLE, Bench, report


def test_breakers_that_open_in_one_outage_are_about_the_same() -> None:
    bench = Bench()
    for number in range(30):
        message = bench.message(number, b"k%d" % number)
        bench.take_in(message, report(message, "r", instance=f"site-{number}"))
    alerts: list[Alert] = []
    while len(alerts) < 30:
        for call in bench.calls():
            bench.answer(call, UNAVAILABLE)
        alerts += [it for it in bench.core.take_commands().alerts if it.event == "breaker_opened"]
        alerts += [it for it in bench.last.alerts if it.event == "breaker_opened"]
        bench.wait(1)
        assert bench.now < 5000, "each site's breaker opens"

    assert {alert.fields["instance"] for alert in alerts} >= {"site-0", "site-29"}
    assert {alert.about for alert in alerts} == {"default outage"}
