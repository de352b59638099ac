"""`make bench`: run the scenarios, print the figures, write the page, fail below the floors.

Every contender reads the same topic of the same broker. The rounds of one scenario alternate
between the contenders, so that a machine that becomes busier or hotter meets them alike.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from bench import dead_letters, machine, results
from bench.contenders import CONTENDERS, Setting
from bench.lanes import held, memory, trickle, zipf
from bench.lanes.figure import Measures
from bench.measuring import Alone, Measured, load_average, measure, measure_alone
from bench.picture import picture
from bench.results import Outcome
from bench.scenarios import SCENARIOS, Keys, Scenario
from bench.speed import kill, latency
from bench.stage import Stage, stage, words_of
from bench.topic import Topic, write_topic

RESULTS = Path(__file__).with_name("results.md")
PICTURE = RESULTS.with_suffix(".svg")
EVENTS = 1_000_000
"""A backlog that no contender comes to the end of while it is measured."""
KEYS = 10_000
PARTITIONS = 12
ALONE_S = 2.0
QUICK_S = 3.0

FIGURES: Mapping[str, Measures] = {
    it.NAME: it.measure for it in (kill, latency, zipf, held, trickle, memory, dead_letters)
}
"""What measures more than a steady rate."""
_NAMES = (*[scenario.name for scenario in SCENARIOS], *FIGURES)


class Options(Struct, frozen=True):
    scenarios: Sequence[Scenario]
    figures: Sequence[str]
    contenders: Sequence[str]
    rounds: int
    seconds: float
    quick: bool
    is_full: bool
    """Nothing is shortened: the results page is made of it."""


class Topics:
    """Of each kind one, written when it is wanted first."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._written: dict[Keys, Topic] = {}

    def of(self, keys: Keys) -> Topic:
        if keys not in self._written:
            self._written[keys] = write_topic(
                self._stage.kafka,
                self._stage.registry_url,
                events=EVENTS,
                keys=KEYS,
                partitions=PARTITIONS,
                exponent=1.0 if keys is Keys.ZIPF else 0.0,
                bad_every=100 if keys is Keys.ONE_BAD else 0,
            )
        return self._written[keys]


def _outcome(stage: Stage, topic: Topic, scenario: Scenario, options: Options) -> Outcome:
    alone = _alone(stage, scenario)
    rounds: Mapping[str, list[Measured]] = {name: [] for name in options.contenders}
    for _ in range(options.rounds):
        for name, measured in rounds.items():
            measured.append(_run(stage, topic, scenario, name, options.seconds))
    return Outcome(scenario, alone, rounds)


def _alone(stage: Stage, scenario: Scenario) -> Alone:
    with stage.endpoint(scenario.latency_s) as endpoint:
        options = {"port": endpoint.port, "connections": scenario.in_flight, "seconds": 600}
        with stage.module("bench.driving", words_of(options)) as driver:
            return measure_alone(driver, endpoint, ALONE_S)


def _run(
    stage: Stage, topic: Topic, scenario: Scenario, contender: str, seconds: float
) -> Measured:
    with stage.endpoint(scenario.latency_s, slow_s=scenario.slow_s) as endpoint:
        setting = Setting(
            scenario,
            stage.kafka.bootstrap,
            stage.registry_url,
            topic.name,
            endpoint.url,
            stage.folder("run"),
        )
        running = CONTENDERS[contender](setting)
        try:
            seconds = scenario.first_s or seconds
            from_first = scenario.first_s is not None
            return measure(running, endpoint, seconds, from_first=from_first)
        finally:
            running.process.kill()


def main(words: Sequence[str]) -> int:
    options = _options(words)
    described = machine.describe()
    for name, value in described.items():
        print(f"{name}: {value}")
    with stage() as servers:
        outcomes = _outcomes(servers, options, described)
        figures = []
        for name in options.figures:
            taken = _taken(name)
            figures.append(FIGURES[name](servers, options.quick))
            print(f"\n{name}: {figures[-1].says}\n{results.plain_figure(figures[-1])}", flush=True)
            _record([results.section_of(figures[-1], taken)], options, described)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    failures += [failure for figure in figures for failure in figure.failures]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _record(
    sections: Sequence[results.Section], options: Options, described: Mapping[str, str]
) -> None:
    if options.is_full:
        before = RESULTS.read_text(encoding="utf-8")
        page = results.page(before, sections, _NAMES, described)
        RESULTS.write_text(page, encoding="utf-8")
        PICTURE.write_text(picture(page), encoding="utf-8")


def _outcomes(servers: Stage, options: Options, described: Mapping[str, str]) -> Sequence[Outcome]:
    if not options.scenarios:
        return []
    topics = Topics(servers)
    outcomes = []
    for scenario in options.scenarios:
        taken = (
            f"{EVENTS:,} events, {scenario.keys.value}; {PARTITIONS} partitions, records of nine"
            f" fields in the registry's wire format; medians of {options.rounds} rounds of"
            f" {scenario.first_s or options.seconds:g} s each. {_taken(scenario.name)}"
        )
        topic = topics.of(scenario.keys)
        outcomes.append(_outcome(servers, topic, scenario, options))
        print(f"\n{scenario.name}: {scenario.says}\n{results.plain(outcomes[-1])}", flush=True)
        _record([results.section(outcomes[-1], taken)], options, described)
    return outcomes


def _taken(name: str) -> str:
    return (
        f"Taken on {datetime.now(UTC):%Y-%m-%d} by `make bench ARGS={name}`; the machine's load"
        f" before it began was {load_average():.1f}."
    )


def _options(words: Sequence[str]) -> Options:
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    known = _NAMES
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"all of {', '.join(known)} if none is named")
    parser.add_argument("--only", choices=list(CONTENDERS), help="measure this contender alone")
    parser.add_argument("--rounds", type=int, help="of each scenario; 2 without it")
    parser.add_argument("--seconds", type=float, help="of each round; 6 without it")
    parser.add_argument("--quick", action="store_true", help="a look, in a third of the time")
    asked = parser.parse_args(words)
    if unknown := set(asked.names) - set(known):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    names = asked.names or known
    return Options(
        tuple(scenarios[name] for name in names if name in scenarios),
        tuple(name for name in names if name in FIGURES),
        [asked.only] if asked.only else list(CONTENDERS),
        asked.rounds or (1 if asked.quick else 2),
        asked.seconds or (QUICK_S if asked.quick else 6.0),
        asked.quick,
        is_full=not (asked.only or asked.quick or asked.rounds or asked.seconds),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
