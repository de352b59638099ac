"""Do sites that hang, however many there are, leave the calls to the others?"""

import heapq
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from random import Random
from statistics import quantiles

import pytest

from streamer.delivery.channels import Trust
from streamer.delivery.commands import Call
from streamer.delivery.core import CoreSettings, EndpointSettings
from streamer.delivery.turns import DOUBTED_SHARE
from tests.unit.delivery.bench_core import ACCEPTED, LOST, UNAVAILABLE, Bench, report

TIMEOUT_S = 10.0
LATENCY_S = 0.05
HANGS_FROM_S = 30.0
MOST = 64


class Play:
    """Events and answers in their time, through a core with its quota and its turns."""

    def __init__(
        self,
        hangs: Callable[[Call], bool],
        most: int = MOST,
        hold_after_s: float | None = None,
    ) -> None:
        settings = CoreSettings(batch_most=100, max_in_flight=most, hold_after_s=hold_after_s)
        self.bench = Bench(settings, endpoint=EndpointSettings(quota_per_minute=200))
        self.began = self.bench.now
        self.waits: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """By instance: when each of its events came, and how long it waited for its first call."""
        self.most_doubted = 0
        self._hangs = hangs
        self._facts: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._offsets = count()
        self._came: dict[int, float] = {}

    def events(self, instance: str, per_s: float, seconds: float, random: Random) -> None:
        """At random moments, each of a key of its own."""
        at = random.expovariate(per_s)
        while at < seconds:
            self._at(at, lambda: self._event(instance))
            at += random.expovariate(per_s)

    def run(self, seconds: float) -> None:
        bench = self.bench
        while bench.now - self.began < seconds:
            due = [fact[0] for fact in self._facts[:1]]
            due += [bench.core.next_due] if bench.core.next_due is not None else []
            bench.now = max(bench.now, min([*due, bench.now + 1.0]))
            while self._facts and self._facts[0][0] <= bench.now:
                heapq.heappop(self._facts)[2]()
            bench.core.tick(bench.now)
            for call in bench.calls():
                self._started(call)
            bench.write_letters()
            bench.commit()

    def waited(self, since_s: float, until_s: float, kind: str) -> list[float]:
        """The waits of the events that came in this time."""
        return [
            wait
            for instance, waits in self.waits.items()
            if instance.startswith(kind)
            for came, wait in waits
            if since_s <= came - self.began < until_s
        ]

    def _at(self, after_s: float, fact: Callable[[], None]) -> None:
        heapq.heappush(self._facts, (self.began + after_s, next(self._numbers), fact))

    def _event(self, instance: str) -> None:
        message = self.bench.message(next(self._offsets), None)
        self._came[message.offset] = self.bench.now
        self.bench.take_in(message, report(message, instance=instance))

    def _started(self, call: Call) -> None:
        now = self.bench.now
        self.most_doubted = max(self.most_doubted, self.bench.core.lanes.turns.doubted_in_flight)
        for job in call.batch.reports:
            if (came := self._came.pop(job.message.offset, None)) is not None:
                self.waits[call.batch.lane.instance].append((came, now - came))
        hangs = now - self.began >= HANGS_FROM_S and self._hangs(call)
        after_s = now - self.began + (TIMEOUT_S if hangs else LATENCY_S)
        self._at(after_s, lambda: self.bench.answer(call, LOST if hangs else ACCEPTED))


def is_bad(call: Call) -> bool:
    return call.batch.lane.instance.startswith("bad")


def test_more_sites_than_the_calls_in_flight_ever_were_hang_and_are_outlived_all_the_same() -> None:
    """Found by a stranger: each has one honest call, which took all that were in flight, and as
    nothing got through the limit fell to 4: of 1,200 events a minute none was sent in 20 minutes.
    """
    random = Random(1)
    play = Play(is_bad)
    for number in range(5):
        play.events(f"ok-{number}", 1.0, 720.0, random)
    for number in range(15 * MOST):
        play.events(f"bad-{number}", 0.05, 720.0, random)
    play.run(720.0)
    waits = play.waited(660.0, 710.0, "ok")
    assert len(waits) >= 200
    assert quantiles(waits, n=100)[98] <= 1.0


@pytest.mark.parametrize(("hanging", "healthy"), [(200, 20), (80, 80)])
def test_sites_that_hang_are_outlived_by_the_others_however_many_they_are(
    hanging: int, healthy: int
) -> None:
    """Found by a stranger: of 1,200 events a minute of the others 28 were sent, for hours."""
    random = Random(1)
    play = Play(is_bad)
    for number in range(healthy):
        play.events(f"ok-{number}", 5.0 / healthy, 180.0, random)
    for number in range(hanging):
        play.events(f"bad-{number}", 0.05, 180.0, random)
    play.run(180.0)
    waits = play.waited(120.0, 170.0, "ok")
    assert len(waits) >= 200
    assert quantiles(waits, n=100)[98] <= 1.0
    assert play.bench.core.limit.limit == MOST
    assert 1 < play.most_doubted <= MOST // DOUBTED_SHARE


def test_a_site_of_which_one_call_hung_does_not_wait_behind_those_that_all_hang() -> None:
    """Found by a stranger: beside a thousand of them, for two minutes and a half."""
    random = Random(1)
    hung = 0

    def hangs(call: Call) -> bool:
        nonlocal hung
        is_unlucky = call.batch.lane.instance == "unlucky" and call.trust is Trust.SURE
        hung += is_unlucky
        return is_unlucky or is_bad(call)

    play = Play(hangs)
    play.events("unlucky", 0.2, 400.0, random)
    for number in range(20):
        play.events(f"ok-{number}", 0.25, 400.0, random)
    for number in range(200):
        play.events(f"bad-{number}", 0.05, 400.0, random)
    play.run(400.0)
    waits = play.waited(200.0, 390.0, "unlucky")
    assert hung >= 10
    assert len(waits) >= 20
    assert max(waits) <= 5.0
    held = play.bench.core.held.lanes()
    assert len([lane for lane in held if lane.kind == "doubted"]) >= 100


def test_what_is_emptied_into_dead_letters_is_not_trusted_for_that() -> None:
    """Found by a stranger: each of a thousand that hang stood in the first row again, with its one
    honest call, and one that was unlucky once waited for five minutes."""
    random = Random(1)

    def hangs(call: Call) -> bool:
        is_unlucky = call.batch.lane.instance == "unlucky" and call.trust is Trust.SURE
        return is_unlucky or is_bad(call)

    play = Play(hangs, hold_after_s=60.0)
    play.events("unlucky", 0.2, 400.0, random)
    for number in range(20):
        play.events(f"ok-{number}", 0.25, 400.0, random)
    for number in range(300):
        play.events(f"bad-{number}", 0.05, 400.0, random)
    play.run(400.0)
    assert len(play.bench.letters) >= 500
    waits = play.waited(200.0, 390.0, "unlucky")
    assert len(waits) >= 20
    assert max(waits) <= 15.0


def test_what_waits_after_one_call_that_hung_is_named() -> None:
    bench = Bench(CoreSettings(batch_most=1, max_in_flight=1))
    bench.fill(range(2), instance="hung")
    call = bench.call()
    bench.wait(TIMEOUT_S)
    bench.answer(call, LOST)
    (held,) = bench.core.held.lanes()
    assert (held.lane.instance, held.kind, held.reports) == ("hung", "doubted", 2)
    assert len(list(bench.core.held.jobs_of(held))) == 2


def test_a_trigger_that_fails_for_all_sites_leaves_all_calls_to_the_other_triggers() -> None:
    bench = Bench(CoreSettings(batch_most=1, max_in_flight=40))
    for number in range(20):
        bench.fill(range(2 * number, 2 * number + 1), instance=f"s-{number}", trigger="broken")
    calls = bench.calls()
    bench.wait(TIMEOUT_S)
    for call in calls:
        bench.answer(call, LOST)
    bench.wait(3.0)
    for number in range(20):
        first = 1_000 + 10 * number
        bench.fill(range(first, first + 3), instance=f"s-{number}", trigger="fine")
    triggers = [call.batch.trigger for call in bench.calls()]
    limit = bench.core.limit.limit
    assert triggers.count("fine") >= limit - limit // DOUBTED_SHARE


def test_what_failed_is_tried_again_although_the_others_always_have_something_to_send() -> None:
    bench = Bench(CoreSettings(batch_most=1, max_in_flight=4))
    bench.fill(range(1), instance="failed")
    call = bench.call()
    bench.wait(TIMEOUT_S)
    bench.answer(call, LOST)
    bench.fill(range(1, 2_000), instance="busy")
    calls = bench.calls()
    for _ in range(400):
        bench.wait(0.05)
        call = calls.pop(0)
        bench.answer(call, ACCEPTED)
        calls += bench.calls()
        if any(call.batch.lane.instance == "failed" for call in calls):
            return
    raise AssertionError("it was not tried again within 400 calls")


def test_a_site_that_answers_again_stands_with_the_others_at_once() -> None:
    bench = Bench(CoreSettings(batch_most=1, max_in_flight=4))
    bench.fill(range(9), instance="back")
    first, second, third, _ = bench.calls()
    bench.wait(TIMEOUT_S)
    bench.answer(first, LOST)
    assert [call.trust for call in bench.calls()] == [Trust.SHAKEN]
    bench.answer(second, LOST)
    assert bench.calls() == [], "one of four at most"
    bench.answer(third, ACCEPTED)
    assert [call.trust for call in bench.calls()] == [Trust.SURE, Trust.SURE]


@pytest.mark.parametrize("took_s", [LATENCY_S, TIMEOUT_S])
def test_a_trigger_that_failed_once_is_tried_again_beside_a_busy_one_of_its_site(
    took_s: float,
) -> None:
    """Found by a stranger: the busy one took each call that the quota gave, for ever."""
    bench = Bench(CoreSettings(batch_most=1), endpoint=EndpointSettings(quota_per_minute=200))
    bench.fill(range(1), trigger="failed")
    call = bench.call()
    bench.wait(took_s)
    bench.answer(call, LOST)
    bench.fill(range(1, 2_000), trigger="busy")
    for _ in range(600):
        for call in bench.calls():
            bench.answer(call, ACCEPTED)
            if call.batch.trigger == "failed":
                return
        bench.wait(0.1)
    raise AssertionError("it was not tried again within a minute")


def test_what_fails_at_once_stays_in_its_turn() -> None:
    bench = Bench(CoreSettings(batch_most=1, max_in_flight=4))
    bench.fill(range(9))
    for call in bench.calls()[:2]:
        bench.answer(call, UNAVAILABLE)
    assert [call.trust for call in bench.calls()] == [Trust.SURE, Trust.SURE]
