"""What went wrong, in a few lines, however many letters there are?

Letters with one reason, route and answer of the endpoint, and the same words but for numbers, are
one line. So are all that come after the thousandth line, by reason and route.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from streamer.dead_letters.foreign import Foreign
from streamer.dead_letters.found import Found
from streamer.dead_letters.record import Letter, Unreadable

GROUPS_MOST = 1_000
# Not those of a name: address_line1 and address_line2 are two mistakes.
_NUMBERS = re.compile(r"(?<!\w)(?<![A-Za-z_]-)[0-9]+(?!\w)")


class Group(Struct, frozen=True):
    """What is told of as one."""

    reason: str
    """A reason of ours; `foreign`, `version` or `corrupt`."""
    route: str
    status: int | None
    code: str | None
    detail: str


class Counted(Struct):
    """How many of it there are, and from when to when."""

    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    example: str = ""
    """An id."""
    without_field: int = 0
    """Of them, so many of which the endpoint told no field."""


class Summary:
    """Counts letters one by one."""

    def __init__(self) -> None:
        self._groups: dict[Group, Counted] = {}
        self._shown: dict[Group, Group] = {}
        self.total = 0

    def add(self, found: Found) -> None:
        self.total += 1
        group = group_of(found)
        key = msgspec.structs.replace(group, detail=_NUMBERS.sub("0", group.detail))
        if key not in self._groups and len(self._groups) >= GROUPS_MOST:
            key = group = Group(group.reason, group.route, None, None, "")
        counted = self._groups.get(key)
        written_ms = found.written_ms
        if counted is None:
            self._shown[key] = group
            counted = self._groups[key] = Counted(0, written_ms, written_ms, found.id)
        counted.count += 1
        counted.first_ms = min(counted.first_ms, written_ms)
        counted.last_ms = max(counted.last_ms, written_ms)

    @property
    def groups(self) -> Sequence[tuple[Group, Counted]]:
        """The largest first."""
        counts = {self._shown[key]: counted for key, counted in self._groups.items()}
        return sorted(_merged(counts).items(), key=lambda pair: (-pair[1].count, pair[0].route))


def _merged(counts: dict[Group, Counted]) -> dict[Group, Counted]:
    """A bulk call's answer tells an item's code and no fields (nor the status that a single call
    has): such are counted with the only group of their code that tells some."""
    telling: dict[tuple[str, str, str], list[Group]] = {}
    for group in counts:
        if group.code is not None and _tells_fields(group):
            telling.setdefault((group.reason, group.route, group.code), []).append(group)
    merged: dict[Group, Counted] = {}
    for group, counted in counts.items():
        into = group
        if group.code is not None and not _tells_fields(group):
            known = telling.get((group.reason, group.route, group.code), [])
            if len(known) == 1:
                into = known[0]
                counted = msgspec.structs.replace(counted, without_field=counted.count)
        merged[into] = _sum(merged[into], counted) if into in merged else counted
    return merged


def _tells_fields(group: Group) -> bool:
    """As `ErrorBody.suffix` writes them: behind the code, in brackets."""
    return f"{group.code} (" in group.detail


def _sum(one: Counted, other: Counted) -> Counted:
    return Counted(
        one.count + other.count,
        min(one.first_ms, other.first_ms),
        max(one.last_ms, other.last_ms),
        one.example,
        one.without_field + other.without_field,
    )


def group_of(found: Found) -> Group:
    what = found.what
    match what:
        case Letter(letter=letter):
            refusal = letter.refusal
            detail = refusal.detail.removeprefix(f"route {letter.route}: ")
            return Group(refusal.reason, letter.route, refusal.status, refusal.code, detail)
        case Foreign():
            words = f"{what.tool}: {what.error or what.detail}"
            return Group("foreign", "", None, None, words)
        case Unreadable():
            return Group(what.why, what.told.get("route", ""), None, None, what.detail)
        case _:
            raise AssertionError("a mark is no letter")
