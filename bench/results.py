"""How do the figures read, on a terminal and on the results page?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct

from bench.contenders import PLAIN_LOOP, STREAMER
from bench.lanes.figure import Figure
from bench.measuring import Alone, Measured
from bench.scenarios import Scenario

Rounds = Mapping[str, Sequence[Measured]]
"""All rounds of one scenario by contender."""


class Outcome(Struct, frozen=True):
    """One scenario, measured."""

    scenario: Scenario
    alone: Alone
    rounds: Rounds

    def middle(self, contender: str, figure: Callable[[Measured], float]) -> float:
        """The median over the contender's rounds."""
        return median(map(figure, self.rounds[contender]))

    def rate(self, contender: str) -> float:
        return self.middle(contender, lambda it: it.events_per_s)

    def share(self, contender: str) -> float | None:
        """Of what the calls in flight allow, where there are slow calls of what these leave to the
        others; None where that is no limit."""
        if self.scenario.limit_per_s is None:
            return None
        return self.middle(contender, lambda it: self._share(it))

    def _share(self, of: Measured) -> float:
        left = self.scenario.in_flight - of.slow_in_flight
        return (of.events_per_s - of.slow_per_s) * self.scenario.latency_s / left

    def times(self, contender: str) -> float:
        """How many times the contender's events a second streamer makes."""
        return self.rate(STREAMER) / self.rate(contender)

    @property
    def failures(self) -> Iterator[str]:
        """Why the benchmark fails."""
        it = self.scenario
        if STREAMER not in self.rounds:
            return
        share = self.share(STREAMER)
        if share is not None and it.least_share is not None and share < it.least_share:
            yield f"{it.name}: {share:.1%} of the limit, at least {it.least_share:.0%} wanted"
        if it.least_times is not None and PLAIN_LOOP in self.rounds:
            times = self.times(PLAIN_LOOP)
            if times < it.least_times:
                yield f"{it.name}: {times:.2f} times the plain loop, {it.least_times} wanted"
        memory = max(measured.memory_mb for measured in self.rounds[STREAMER])
        if it.most_mb is not None and memory > it.most_mb:
            yield f"{it.name}: {memory:.0f} MB, and at most {it.most_mb:.0f} are wanted"


_COLUMNS = ("", "events/s", "of the limit", "CPU us/event", "memory MB", "rounds, events/s")


def table(outcome: Outcome) -> list[Sequence[str]]:
    """Head and rows. Medians over the rounds; the memory is the most of all rounds."""
    rows: list[Sequence[str]] = [_COLUMNS]
    for contender, rounds in outcome.rounds.items():
        share = outcome.share(contender)
        rows.append(
            (
                contender,
                f"{outcome.rate(contender):,.0f}",
                "-" if share is None else f"{share:.1%}",
                f"{outcome.middle(contender, lambda it: it.cpu_us):.0f}",
                f"{max(it.memory_mb for it in rounds):.0f}",
                ", ".join(f"{it.events_per_s:,.0f}" for it in rounds),
            )
        )
    return rows


def remarks(outcome: Outcome) -> list[str]:
    """What else is to be known of the figures."""
    limit, alone = outcome.scenario.limit_per_s, outcome.alone
    said = [
        f"The endpoint alone: {alone.calls_per_s:,.0f} calls/s, {alone.cpu_us:.0f} us of processor"
        " time a call."
    ]
    for contender in outcome.rounds:
        if contender != STREAMER:
            faster = outcome.times(contender)
            said.append(f"{STREAMER} makes {faster:.2f} times the {contender}'s events/s.")
    if limit:
        latencies = ", ".join(
            f"{outcome.middle(contender, lambda it: it.latency_ms):.2f} ms ({contender})"
            for contender in outcome.rounds
        )
        said.append(
            f"The limit is {limit:,.0f} events/s; the endpoint's mean latency: {latencies}."
        )
    if outcome.scenario.slow_s:
        for contender in outcome.rounds:
            slow = outcome.middle(contender, lambda it: it.slow_in_flight)
            rate = outcome.middle(contender, lambda it: it.events_per_s - it.slow_per_s)
            left = (outcome.scenario.in_flight - slow) / outcome.scenario.latency_s
            said.append(
                f"{contender}: {slow:.0f} slow calls in flight leave {left:,.0f} events/s to the"
                f" other keys, which had {rate:,.0f}."
            )
    limits = [it.calls_limit for it in outcome.rounds.get(STREAMER, ()) if it.calls_limit]
    if limits:
        said.append(
            f"The adaptive limit of calls in flight in the end: at least {min(limits):.0f}."
        )
    others = ", ".join(
        f"{outcome.middle(contender, lambda it: it.others):.2f} ({contender})"
        for contender in outcome.rounds
    )
    said.append(f"Processors taken by the broker and whatever else ran: {others}.")
    return said


def plain(outcome: Outcome) -> str:
    """For a terminal."""
    return _plain(table(outcome), remarks(outcome))


def plain_figure(figure: Figure) -> str:
    """For a terminal."""
    return _plain(figure.table, figure.remarks)


def _plain(rows: Sequence[Sequence[str]], remarks: Sequence[str]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first_left = (True, *[False] * (len(widths) - 1))
    lines = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, first_left, strict=True)
        )
        for row in rows
    ]
    return "\n".join([*lines, *remarks])


def section(outcome: Outcome, taken: str) -> "Section":
    """`taken`: when and how, in a sentence."""
    scenario = outcome.scenario
    return _section(scenario.name, scenario.says, taken, table(outcome), remarks(outcome))


def section_of(figure: Figure, taken: str) -> "Section":
    """As `section`."""
    return _section(figure.name, figure.says, taken, figure.table, figure.remarks)


class Section(Struct, frozen=True):
    """One part of `bench/results.md`."""

    name: str
    text: str


def page(
    before: str, sections: Sequence[Section], order: Sequence[str], machine: Mapping[str, str]
) -> str:
    """`bench/results.md`, with these sections in place of those of their names.

    `before`: the page as it was; `order`: the names that there may be.
    """
    known = {it.name: it.text for it in (*_sections_of(before), *sections)}
    lines = [
        _TITLE,
        "",
        "`make bench` measures all of it, `make bench ARGS=NAME` one section; what was measured in"
        " full replaces its section here.",
        "",
        "![Events a second of streamer and its peers, scenario by scenario](results.svg)",
        "",
        *[f"- {name}: {value}" for name, value in machine.items()],
        "",
    ]
    return "\n".join(lines) + "\n" + "\n".join(known[name] for name in order if name in known)


_TITLE = "# What was measured"
_HEAD = "## "


def _sections_of(text: str) -> Sequence[Section]:
    _, *texts = f"\n{text}".split(f"\n{_HEAD}")
    return [Section(it.splitlines()[0], f"{_HEAD}{it.rstrip()}\n") for it in texts]


def _section(
    name: str, says: str, taken: str, rows: Sequence[Sequence[str]], remarks: Sequence[str]
) -> Section:
    head, *others = rows
    lines = [
        f"{_HEAD}{name}",
        "",
        f"{says}. {taken}",
        "",
        _row(head),
        "|---|" + "--:|" * (len(head) - 1),
        *map(_row, others),
        "",
        *[f"- {remark}" for remark in remarks],
    ]
    return Section(name, "\n".join(lines) + "\n")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
