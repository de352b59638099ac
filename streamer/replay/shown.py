"""How is a letter told: as a JSON object, as a row of a table, as a sentence of a summary?

Nothing here shows a value of the event or a message's key.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from streamer.dead_letters.foreign import Foreign
from streamer.dead_letters.found import Found
from streamer.dead_letters.newest import Standing
from streamer.dead_letters.record import Letter, Unreadable
from streamer.dead_letters.summary import Counted, Group, Summary

ID_SHOWN = 12
"""Characters of an id in a table: as good as unique, and taken as an id by the commands."""


class ShownValues(Protocol):
    """How values that a route made are shown: see `hiding.ShownOfRoutes`."""

    def key(self, route: str, key: str) -> str:
        """Its idempotency key."""

    def entity(self, route: str, entity: str) -> str: ...


def moment(ms: int | None) -> str:
    """ISO 8601 with this machine's zone; empty for none."""
    if ms is None or ms < 0:
        return ""
    when = _date(ms)
    return when.isoformat(timespec="milliseconds") if when is not None else f"{ms} ms"


def short_moment(ms: int) -> str:
    when = _date(ms)
    return f"{when:%m-%d %H:%M:%S}" if when is not None else f"{ms} ms"


def _date(ms: int) -> datetime | None:
    """In this machine's zone; None where no calendar has it: a producer may give a timestamp in
    nanoseconds."""
    try:
        return datetime.fromtimestamp(ms / 1000).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def as_object(standing: Standing, shown: ShownValues) -> dict[str, Any]:
    """What `--format json` prints, without what is unknown."""
    found = standing.found
    made = {
        "id": found.id,
        "state": standing.state.value,
        "topic": found.partition.topic,
        "partition": found.partition.number,
        "offset": found.offset,
        "written": moment(found.written_ms),
        "bytes": found.size,
        **dict(_of_what(found, shown)),
    }
    return {name: value for name, value in made.items() if value not in ("", None, [])}


def _of_what(found: Found, shown: ShownValues) -> Iterator[tuple[str, Any]]:
    what = found.what
    match what:
        case Letter():
            yield from _of_letter(what, shown)
        case Foreign():
            yield "kind", "foreign"
            yield "tool", what.tool
            yield "detail", what.detail
            yield "error", what.error
            yield "stage", what.stage
            yield "by", what.by
            yield "origin", _origin(what.topic, what.partition, what.offset, None, "")
        case Unreadable():
            yield "kind", what.why.value
            yield "detail", what.detail
            yield "group", what.group
            yield from ((name.replace("-", "_"), text) for name, text in what.told.items())
        case _:
            raise AssertionError("a mark is no letter")


def _of_letter(it: Letter, shown: ShownValues) -> Iterator[tuple[str, Any]]:
    letter, refusal = it.letter, it.letter.refusal
    message = letter.message
    yield "kind", "letter"
    yield "group", it.group
    yield "reason", refusal.reason.value
    yield "detail", refusal.detail
    yield "status", refusal.status
    yield "code", refusal.code
    yield "request_id", refusal.request_id
    yield "route", letter.route
    yield "trigger", letter.trigger
    yield "action", letter.action
    yield "instance", letter.instance
    yield "entity", shown.entity(letter.route, letter.entity)
    yield "schema", letter.schema
    yield "idempotency_key", shown.key(letter.route, letter.idempotency_key)
    yield "attempts", letter.attempts
    yield "first_attempt", moment(letter.first_attempt_ms)
    yield "last_attempt", moment(letter.last_attempt_ms)
    yield "shrunk", it.shrunk or None
    yield (
        "origin",
        _origin(
            message.partition.topic,
            message.partition.number,
            message.offset,
            message.timestamp_ms,
            it.cluster_id,
        ),
    )
    yield (
        "history",
        [
            {
                "written": moment(earlier.written_ms),
                "reason": earlier.reason,
                "status": earlier.status,
                "code": earlier.code,
                "detail": earlier.detail,
                "request_id": earlier.request_id,
                "attempts": earlier.attempts,
            }
            for earlier in it.history
        ],
    )


def _origin(
    topic: str, partition: int | None, offset: int | None, timestamp_ms: int | None, cluster: str
) -> dict[str, Any] | None:
    told = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": moment(timestamp_ms),
        "cluster": cluster,
    }
    return {name: value for name, value in told.items() if value not in ("", None)} or None


COLUMNS = ("id", "written", "reason", "route", "instance", "from", "why")


def as_row(standing: Standing) -> tuple[str, ...]:
    """The cells of a table, in the order of `COLUMNS`."""
    found, what = standing.found, standing.found.what
    id_shown = found.id if ":" in found.id else found.id[:ID_SHOWN]
    written = short_moment(found.written_ms)
    cells: tuple[str, ...]
    match what:
        case Letter(letter=letter):
            refusal = letter.refusal
            why = refusal.detail.removeprefix(f"route {letter.route}: ")
            cells = (refusal.reason.value, letter.route, letter.instance, str(letter.message), why)
        case Foreign():
            place = f"{what.topic}[{what.partition}]@{what.offset}" if what.topic else ""
            cells = ("foreign", "", "", place, f"{what.tool}: {what.error or what.detail}")
        case Unreadable():
            told = (what.told.get(name, "") for name in ("route", "instance", "origin-topic"))
            cells = (what.why.value, *told, what.detail)
        case _:
            raise AssertionError("a mark is no letter")
    return (id_shown, written, *cells)


def sentence(group: Group, counted: Counted) -> str:
    """`412 refused by invoice-overdue: 428 SCHEMA_VALIDATION_FAILED, ..., since 10:14`."""
    answer = " ".join(str(part) for part in (group.status, group.code) if part is not None)
    said = ": ".join(part for part in (answer, group.detail) if part)
    by = f" by {group.route}" if group.route else ""
    first, last = short_moment(counted.first_ms), short_moment(counted.last_ms)
    when = f"at {first}" if first == last else f"since {first}, last {last}"
    bare = counted.without_field
    when += f"; of {bare} of them no field was told" if bare else ""
    return f"{counted.count} {group.reason}{by}: {said}; {when}; such as {counted.example}"


def summary_object(summary: Summary) -> dict[str, Any]:
    return {
        "total": summary.total,
        "groups": [
            {
                "count": counted.count,
                "reason": group.reason,
                "route": group.route,
                "status": group.status,
                "code": group.code,
                "detail": group.detail,
                "without_field": counted.without_field,
                "first": moment(counted.first_ms),
                "last": moment(counted.last_ms),
                "example": counted.example,
            }
            for group, counted in summary.groups
        ],
    }
