"""What do bulk calls and turns make of 1,000 sites of which few have most of the traffic?

The n-th site has 1/n^1.2 of the first one's traffic (Zipf). It is more than the quota for the first
sites and far less for the rest. Minute by minute, with bulk calls and without: a minute shows
whether the quota is used, and the later ones what becomes of everybody when a site has more than
its quota for so long that the windows of the partitions are full of what waits for it.
"""

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from bench.lanes.figure import Figure, floor
from bench.lanes.running import BATCH_MOST, PARTITIONS, QUOTA, LaneRun, lane_run, spent
from bench.lanes.waits import Looks, Waits, merged, waits_of
from bench.stage import Stage

NAME = "lanes-zipf"
INSTANCES = 1_000
EXPONENT = 1.2
RATE = 2_600
SAYS = (
    f"{INSTANCES:,} instances with Zipf-distributed traffic (exponent {EXPONENT}), {RATE:,} events"
    " a second in all, quota 200/min each, endpoint with a latency of 50 ms. The limit is what"
    " quota and traffic allow: for each instance the lesser of its traffic and 200 calls of a full"
    " batch"
)
JUDGED = (4, 5)
"""Minutes. In the first one a lane spends half of its calls while batches are small, and what it
could not send then keeps a busy lane until the third. After the sixth the windows (120,000
messages) are full: the first site has some 16,000 events a minute too many."""
MINUTES, QUICK_MINUTES = 10, 3
SINGLE_MINUTES = 5
SURELY = 1.1
"""A lane with so many times its quota has always enough waiting; one with less than 0.9 times is
under its quota."""
LEAST = 0.95

TRAFFIC: Mapping[str, float] = {f"site-{rank}": rank**-EXPONENT for rank in range(1, INSTANCES + 1)}
_ALL = sum(TRAFFIC.values())
OFFERED: Mapping[str, float] = {site: RATE * 60 * it / _ALL for site, it in TRAFFIC.items()}
"""Events a minute."""


class Minute(Struct, frozen=True):
    """What the endpoint saw in it."""

    looks: Looks
    seconds: float
    paused: int
    """Partitions, at its end."""
    cost: str

    @property
    def events(self) -> float:
        """A minute."""
        return sum(seen.events for seen in self.looks.values()) * 60 / self.seconds

    def calls(self, site: str) -> float:
        """A minute."""
        seen = self.looks.get(site)
        return seen.calls * 60 / self.seconds if seen else 0.0

    @property
    def batch(self) -> float:
        """Events in a call, in the mean."""
        calls = sum(seen.calls for seen in self.looks.values())
        return sum(seen.events for seen in self.looks.values()) / max(1, calls)

    @property
    def throttled(self) -> int:
        return sum(seen.throttled for seen in self.looks.values())

    @property
    def most_in_a_minute(self) -> int:
        return max((seen.most_in_a_minute for seen in self.looks.values()), default=0)


class Way(Struct, frozen=True):
    """With bulk calls or without."""

    name: str
    batch_most: int
    minutes: Sequence[Minute]

    @property
    def most(self) -> int:
        """Events a minute that an instance can have."""
        return QUOTA * self.batch_most

    @property
    def limit(self) -> float:
        return sum(min(offered, self.most) for offered in OFFERED.values())

    @property
    def saturated(self) -> Sequence[str]:
        return [site for site, offered in OFFERED.items() if offered >= SURELY * self.most]

    @property
    def under(self) -> Sequence[str]:
        return [site for site, offered in OFFERED.items() if offered * SURELY <= self.most]

    @property
    def judged(self) -> Mapping[int, Minute]:
        """The last minute of a run that was too short."""
        numbered = dict(enumerate(self.minutes, 1))
        wanted = [number for number in JUDGED if number in numbered]
        return {number: numbered[number] for number in wanted or [len(numbered)]}


def measure(stage: Stage, quick: bool) -> Figure:
    minutes = QUICK_MINUTES if quick else MINUTES
    single_minutes = min(minutes, SINGLE_MINUTES)
    bulk = Way("bulk", BATCH_MOST, _minutes(stage, BATCH_MOST, minutes))
    single = Way("bulk off", 1, _minutes(stage, 1, single_minutes))
    failures = [
        failure
        for number, minute in bulk.judged.items()
        for site in bulk.saturated
        for failure in floor(
            NAME,
            f"{site}'s part of {QUOTA} calls in minute {number}",
            minute.calls(site) / QUOTA,
            LEAST,
        )
    ]
    return Figure(NAME, SAYS, _table((bulk, single)), _remarks(bulk, single), failures)


def _minutes(stage: Stage, batch_most: int, minutes: int) -> Sequence[Minute]:
    with (
        lane_run(stage, batch_most=batch_most) as run,
        run.producing(TRAFFIC, RATE * 60 * minutes, rate=RATE) as producing,
    ):
        run.wait_for_events(1, timeout_s=60)
        looked = [_look(run, 60.0) for _ in range(minutes)]
        producing.wait()
    return looked


def _look(run: LaneRun, seconds: float) -> Minute:
    first = run.cost()
    time.sleep(seconds)
    looks = run.endpoint.seen()
    last = run.cost()
    paused = run.streamer.total("streamer_partition_paused")
    return Minute(looks, last.at_s - first.at_s, int(paused), spent(first, last))


def _table(ways: Sequence[Way]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        (
            "minute",
            "events/min",
            "of the limit",
            "events/call",
            "calls/min, " + " ".join(ways[0].saturated),
            "p50 s under quota",
            "p99 s under quota",
            "partitions paused",
        )
    ]
    for way in ways:
        for number, minute in enumerate(way.minutes, 1):
            waits = waits_of(minute.looks, way.under)
            rows.append(
                (
                    f"{way.name}, {number}",
                    f"{minute.events:,.0f}",
                    f"{minute.events / way.limit:.1%}",
                    f"{minute.batch:.1f}",
                    ", ".join(f"{minute.calls(site):.0f}" for site in ways[0].saturated),
                    f"{waits.percentile(0.5):.2f}",
                    f"{waits.percentile(0.99):.2f}",
                    f"{minute.paused} of {PARTITIONS}",
                )
            )
    return rows


def _remarks(bulk: Way, single: Way) -> Sequence[str]:
    minutes = ", ".join(map(str, bulk.judged))
    on, off = _rate(bulk.judged), _rate(single.judged)
    first = next(iter(bulk.judged))
    waits = _waits(bulk)
    all_minutes = [*bulk.minutes, *single.minutes]
    return [
        f"Minute {minutes}: {on:,.0f} events a minute with bulk calls, {off:,.0f} without,"
        f" {on / off:.1f} times as many. The limit is {bulk.limit:,.0f} with and"
        f" {single.limit:,.0f} without.",
        f"{len(bulk.saturated)} instances have more than {SURELY:g} times the quota of full bulk"
        f" calls, {len(single.saturated):,} more than that of single calls.",
        f"Lanes under their quota in minute {minutes}, from the record's timestamp to the call's"
        f" arrival: {waits.events:,} events waited {waits.percentile(0.5):.3f} s at the median,"
        f" {waits.percentile(0.99):.3f} s at the 99th percentile, {waits.most_s:.2f} s at most.",
        f"At most {max(minute.most_in_a_minute for minute in all_minutes)} calls in any sliding"
        f" minute of an instance; {sum(minute.throttled for minute in all_minutes)} answers 429.",
        f"In minute {first} with bulk calls {bulk.judged[first].cost}.",
    ]


def _rate(minutes: Mapping[int, Minute]) -> float:
    return sum(minute.events for minute in minutes.values()) / len(minutes)


def _waits(way: Way) -> Waits:
    return merged(waits_of(minute.looks, way.under) for minute in way.judged.values())
