"""`make bench`: run the scenarios, print the figures, write the page, fail below the floors.

Every contender reads the same topic of the same broker. The rounds of one scenario alternate
between the contenders, so that a machine that becomes busier or hotter meets them alike.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from msgspec import Struct

from bench import machine, results
from bench.contenders import CONTENDERS, Setting
from bench.endpoint import Endpoint
from bench.measuring import Alone, Measured, load_average, measure, measure_alone
from bench.results import Outcome
from bench.scenarios import SCENARIOS, Scenario
from bench.topic import Topic, write_topic
from tests.servers.kafka import KafkaCluster
from tests.servers.process import ServerProcess, free_port, port_is_open
from tests.servers.registry import ApicurioRegistry

RESULTS = Path(__file__).with_name("results.md")
EVENTS = 400_000
"""So many that no contender comes to the topic's end while it is measured."""
KEYS = 10_000
PARTITIONS = 12
ALONE_S = 2.0


class Options(Struct, frozen=True):
    scenarios: Sequence[Scenario]
    contenders: Sequence[str]
    rounds: int
    seconds: float


class Bench:
    """The servers that all runs share, and a folder for what the runs leave."""

    def __init__(self, folder: Path, kafka: KafkaCluster, registry_url: str, topic: Topic) -> None:
        self._folder = folder
        self._kafka = kafka
        self._registry_url = registry_url
        self._topic = topic
        self._numbers = count(1)

    def outcome(self, scenario: Scenario, options: Options) -> Outcome:
        alone = self._alone(scenario)
        rounds: Mapping[str, list[Measured]] = {name: [] for name in options.contenders}
        for _ in range(options.rounds):
            for name, measured in rounds.items():
                measured.append(self._run(scenario, name, options.seconds))
        return Outcome(scenario, alone, rounds)

    def _alone(self, scenario: Scenario) -> Alone:
        with self._endpoint(scenario) as endpoint:
            options = {"port": endpoint.port, "connections": scenario.in_flight, "seconds": 600}
            with self._module("bench.driving", options) as driver:
                return measure_alone(driver, endpoint, ALONE_S)

    def _run(self, scenario: Scenario, contender: str, seconds: float) -> Measured:
        with self._endpoint(scenario) as endpoint:
            setting = Setting(
                scenario,
                self._kafka.bootstrap,
                self._registry_url,
                self._topic.name,
                endpoint.url,
                self._folder / f"run-{next(self._numbers)}",
            )
            process = CONTENDERS[contender](setting)
            try:
                return measure(process, endpoint, seconds)
            finally:
                process.kill()

    @contextmanager
    def _endpoint(self, scenario: Scenario) -> Iterator[Endpoint]:
        port = free_port()
        options = {"port": port, "latency-ms": scenario.latency_s * 1000}
        with self._module("bench.endpoint", options) as process:
            process.wait_until(lambda: port_is_open(port), "the endpoint's port")
            yield Endpoint(process, port)

    @contextmanager
    def _module(self, name: str, options: Mapping[str, object]) -> Iterator[ServerProcess]:
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        log = self._folder / f"{name}-{next(self._numbers)}.txt"
        process = ServerProcess([sys.executable, "-m", name, *words], log)
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-bench-")))
        kafka = KafkaCluster(folder / "kafka")
        stack.callback(kafka.stop)
        kafka.start()
        registry = ApicurioRegistry(folder / "registry")
        stack.callback(registry.stop)
        registry.start()
        topic = write_topic(kafka, registry.url, events=EVENTS, keys=KEYS, partitions=PARTITIONS)
        yield Bench(folder, kafka, registry.url, topic)


def main(words: Sequence[str]) -> int:
    options = _options(words)
    described = machine.describe()
    for name, value in described.items():
        print(f"{name}: {value}")
    load = load_average()
    outcomes = []
    with _bench() as bench:
        for scenario in options.scenarios:
            outcomes.append(bench.outcome(scenario, options))
            print(f"\n{scenario.name}: {scenario.says}\n{results.plain(outcomes[-1])}", flush=True)
    if options.scenarios == SCENARIOS and set(options.contenders) == set(CONTENDERS):
        text = results.page(outcomes, described, "make bench", _conditions(options, load))
        RESULTS.write_text(text, encoding="utf-8")
    failures = [failure for outcome in outcomes if (failure := outcome.failure) is not None]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _conditions(options: Options, load: float) -> str:
    return (
        f"Taken on {datetime.now(UTC):%Y-%m-%d}, {options.rounds} rounds of {options.seconds:g} s"
        f" each, medians; the machine's load before it began was {load:.1f}. {KEYS:,} keys,"
        f" {PARTITIONS} partitions, records of nine fields in the registry's wire format."
    )


def _options(words: Sequence[str]) -> Options:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help=f"all of {', '.join(known)} if none is named")
    parser.add_argument("--only", choices=list(CONTENDERS), help="measure this contender alone")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0)
    asked = parser.parse_args(words)
    if unknown := set(asked.scenarios) - set(known):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return Options(
        tuple(known[name] for name in asked.scenarios or known),
        [asked.only] if asked.only else list(CONTENDERS),
        asked.rounds,
        asked.seconds,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
