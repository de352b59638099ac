"""What should a person know of the letters that were looked through, and why were none found?

A filter with a slip in it finds nothing, and that looks like success: whoever lists, replays or
drops is told what there is instead.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from streamer.dead_letters.found import Found
from streamer.dead_letters.marks import Mark
from streamer.dead_letters.newest import Standing, State
from streamer.dead_letters.record import NotReadable, Unreadable
from streamer.dead_letters.wanted import Wanted, said_of
from streamer.replay.events import EventFilter
from streamer.replay.shown import moment

_NAMES_KEPT = 1_000
_NAMES_TOLD = 10
_HEADERS = ("route", "trigger", "instance")


class Noted:
    """Takes in what comes by in one pass; `lines` tells it, for standard error."""

    def __init__(self, wanted: Wanted, expression: EventFilter | None) -> None:
        self._wanted = wanted
        self._expression = expression
        self._asked = {name: names for name, names in wanted.by_header if name in _HEADERS}
        self._seen: dict[str, set[str]] = {name: set() for name, of in self._asked.items() if of}
        self._missed = {name: set(self._asked[name]) for name in self._seen}
        self._later_versions = 0
        self._corrupt = 0
        self._records = 0
        self._first_ms: int | None = None
        self._last_ms: int | None = None
        self._found = 0
        self._dealt_with = 0
        self._states: frozenset[State] = frozenset()
        self._absent: tuple[str, ...] | None = None
        self._others: Mapping[str, int] = Counter()
        self._is_whole = False

    @property
    def found_none(self) -> bool:
        """Whether a filter was given, and no letter of whatever state is what it asks for."""
        is_for_all = self._wanted == Wanted() and self._expression is None
        return not (is_for_all or self._found or self._dealt_with)

    # --- what comes by --------------------------------------------------------------------------

    def begin(
        self, states: frozenset[State], others: Mapping[str, int], absent: tuple[str, ...] | None
    ) -> None:
        """`others`: counts the letters of other groups. `absent`: there are no topics but these,
        that could be."""
        self._states = states
        self._others = others
        self._absent = absent

    def saw(self, found: Found) -> None:
        """A record of the topics, whether it is asked for or not."""
        if isinstance(found.what, Mark):
            return
        self._records += 1
        written_ms = found.written_ms
        self._first_ms = written_ms if self._first_ms is None else min(self._first_ms, written_ms)
        self._last_ms = written_ms if self._last_ms is None else max(self._last_ms, written_ms)
        if not self._seen:
            return
        said = said_of(found)
        for header, seen in self._seen.items():
            name = said.get(header, "")
            self._missed[header].discard(name)
            if name and len(seen) < _NAMES_KEPT:
                seen.add(name)

    def chose(self, standing: Standing) -> bool:
        """A letter that is asked for; gives whether its state is, too."""
        if standing.state not in self._states:
            self._dealt_with += 1
            return False
        self._found += 1
        what = standing.found.what
        if isinstance(what, Unreadable):
            self._later_versions += what.why is NotReadable.VERSION
            self._corrupt += what.why is NotReadable.CORRUPT
        return True

    def ended(self) -> None:
        """All was read: nobody had enough before."""
        self._is_whole = True

    # --- what is told ---------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        if self._absent is not None:
            yield f"there is no dead letter topic yet: {', '.join(self._absent) or 'none is named'}"
        if self._later_versions:
            yield (
                f"{self._later_versions} records were written by a later release of streamer: they"
                " may say what became of letters that are shown as open; use that release"
            )
        if self._corrupt:
            yield f"{self._corrupt} records have headers that are corrupt: see list --format json"
        if self._others:
            yield (
                f"{sum(self._others.values())} letters of other groups"
                f" ({_some(self._others)}) are passed over: use a configuration with their"
                " kafka.group_id"
            )
        if self._expression is not None:
            yield from _of_expression(self._expression, is_all=not self._found)
        if self._is_whole:
            yield from self._names()
            if not self._found:
                yield self._nothing()

    def _names(self) -> Iterator[str]:
        for header, missed in self._missed.items():
            if missed:
                there = _some(self._seen[header]) or "none"
                yield f"no letter has the {header} {_some(missed)}; there are {there}"

    def _nothing(self) -> str:
        if self._dealt_with and self._states == {State.OPEN}:
            return (
                f"no dead letters that are asked for are open: {self._dealt_with} were replayed or"
                " dropped"
            )
        if self._dealt_with:
            return f"no dead letters that are asked for; {self._dealt_with} have another state"
        if self._records:
            return (
                f"no dead letters that are asked for among {self._records}, which were written from"
                f" {moment(self._first_ms)} to {moment(self._last_ms)}"
            )
        return "no dead letters that are asked for: there are none"


def _of_expression(it: EventFilter, *, is_all: bool) -> Iterator[str]:
    if it.undecodable:
        yield (
            f"the expression was asked of events only: {it.undecodable} letters that do not decode"
            " are left out"
        )
    if it.failed:
        yield (
            f"the expression failed on {it.failed} events, which are left out; first: {it.failure}"
        )
    if is_all and it.missing and it.missing + it.failed == it.asked:
        events = f"{it.missing} of {it.asked} events"
        yield f"{events} have not what the expression names; first: {it.missed}"


def _some(names: Mapping[str, int] | set[str]) -> str:
    told = sorted(names)[:_NAMES_TOLD]
    more = f" and {len(names) - len(told)} more" if len(names) > len(told) else ""
    return ", ".join(told) + more
