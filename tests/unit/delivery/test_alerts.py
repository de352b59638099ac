"""Is what an outage makes many of told as one?"""

from streamer.delivery.commands import Alert
from tests.unit.delivery.bench_core import ACCEPTED, UNAVAILABLE, Bench, json_answer, report


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


def test_a_redirect_is_told_with_the_endpoint_that_answers_so() -> None:
    bench = Bench()
    bench.fill(range(1), instance="site-7")
    bench.exchange(bench.call(), json_answer(302, {}))

    [alert] = bench.core.take_commands().alerts
    assert alert.event == "endpoint_finding"
    assert "a redirect" in str(alert.fields["finding"])
    named = (alert.fields["endpoint"], alert.fields["instance"], alert.fields["trigger"])
    assert named == ("default", "site-7", "t")


def test_an_expression_that_gives_anything_but_instances_is_told_by_its_route() -> None:
    """Found by a stranger: 40,000 held lanes, and one arbitrary lane was named."""
    bench = Bench(grants=False)
    book = bench.core.books["default"]
    alerts: list[Alert] = []

    def look() -> bool:
        """Answer what is asked; False if nothing is."""
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
        alerts.extend(bench.last.alerts)
        for order in bench.last.tokens:
            if order.scope.startswith("site"):
                book.granted(order.scope, "token", 14400.0, bench.now)
            else:
                book.refused(order.scope, "400 invalid", bench.now)
        return bool(bench.last.tokens)

    for number in range(0, 10_000, 2):
        bench.fill(range(number, number + 1), route="orders", instance=f"order-{number}")
        bench.fill(range(number + 1, number + 2), route="fine", instance=f"site-{number % 3}")
        while look():
            pass

    told = [alert.fields for alert in alerts if alert.event == "many_instances_refused"]
    assert 1 <= len(told) <= 4, "once, and for each twice as many"
    assert told[0]["instances"] == 1_000
    assert told[0]["routes"] == ["orders"]
