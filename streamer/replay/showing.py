"""`dead-letters show`: the whole story of one letter.

Where from, which route, what was tried when, what the endpoint said, the event's fields, what
became of it, and what the route would make of it now.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from streamer.dead_letters.found import Found
from streamer.dead_letters.marks import Mark
from streamer.dead_letters.newest import Standing, newest_first
from streamer.dead_letters.reader import Span
from streamer.dead_letters.record import Letter
from streamer.dead_letters.wanted import WrongFilter, ids_of, is_named
from streamer.model import Action, BadMessage, Event, Message, Report, Tombstone
from streamer.replay.cancels import Later
from streamer.replay.desk import Desk, origin_of
from streamer.replay.events import RegistrySilent
from streamer.replay.hiding import Hiding, without
from streamer.replay.prepared import Item, Left, Ready
from streamer.replay.preparing import Manner, Preparer, would_undo
from streamer.replay.shown import as_object, moment

MANY_BEHIND = 5_000
"""Messages that are read within a second or so."""


class Story(Struct, frozen=True):
    """All that is known of one letter."""

    standing: Standing
    mark: Mark | None
    record: Message


async def show_letter(desk: Desk, id: str, note: Callable[[str], None]) -> dict[str, Any]:
    """The story as nested values. WrongFilter where there is no such letter, or several. `note`:
    what is said beside the output."""
    story = await _find(desk, id)
    letter = story.standing.found.what
    told = as_object(story.standing, desk.shown)
    if story.mark is not None:
        mark = {"why": story.mark.why, "when": moment(story.mark.marked_ms)}
        route = letter.letter.route if isinstance(letter, Letter) else ""
        key = desk.shown.key(route, story.mark.idempotency_key)
        told["became"] = mark | ({"new_key": key} if key else {})
    if not isinstance(letter, Letter):
        return told
    hiding = Hiding(desk.loaded.settings.dead_letters.sensitive)
    origin = origin_of(letter, story.record)
    try:
        event = await desk.events.read(origin)
    except RegistrySilent as silent:
        return told | {"event": f"cannot be read: the schema registry does not answer ({silent})"}
    fields = event.fields if isinstance(event, Event) else {}
    decoded_key = event.avro_key if isinstance(event, Event | Tombstone) else None
    values = hiding.values(fields) | hiding.values(decoded_key, ("key",))
    values |= hiding.values(_text(origin.key), ("key",))
    # By the route as it is today, which may not be what made them.
    for name in ("entity", "idempotency_key", "instance", "became"):
        if name in told:
            told[name] = without(told[name], values)
    told["key"] = without(hiding.of_event(_text(origin.key), ("key",)), values)
    told["event"] = _event(event, hiding)
    if said := _looking(desk, letter):
        note(said)
    told["now"] = await _now(desk, Item(story.record, origin, story.standing.found), hiding, values)
    return told


async def _find(desk: Desk, id: str) -> Story:
    (wanted,) = ids_of([id])
    marks: dict[str, Mark] = {}

    async def choose(found: Found, message: Message) -> bool:
        if not (is_named(found.id, wanted) and index.is_of_group(found)):
            return False
        if isinstance(found.what, Mark):
            marks[found.id] = found.what
        return True

    topics, index = await desk.topics(), desk.new_index()
    found: list[Standing] = []
    async for standing in newest_first(desk.reader, topics.spans, choose, index):
        if any(standing.found.id == it.found.id for it in found):
            continue  # an older one of it, in another partition
        found.append(standing)
        if standing.found.id == wanted or len(found) == 2:
            break
    if not found:
        raise WrongFilter(f"there is no dead letter {id}; `streamer dead-letters list` shows some")
    if len(found) == 2 and found[1].found.id != wanted:
        ids = ", ".join(it.found.id for it in found)
        raise WrongFilter(f"several begin with {id}, such as {ids}: give more of it")
    chosen = found[-1] if found[-1].found.id == wanted else found[0]
    place = chosen.found
    batches = desk.reader.read(place.partition, Span(place.offset, place.offset + 1))
    batch = await asyncio.to_thread(next, batches, None)
    if not batch:
        raise WrongFilter(f"dead letter {id} was deleted by the topic's retention just now")
    is_marked = chosen.state.value != "open"
    return Story(chosen, marks.get(place.id) if is_marked else None, batch[0])


def _event(event: Event | Tombstone | BadMessage, hiding: Hiding) -> dict[str, Any]:
    match event:
        case Event():
            return {"type": event.schema, "fields": hiding.of_event(dict(event.fields))}
        case Tombstone():
            return {"type": "a tombstone: its value is null"}
        case BadMessage():
            return {"type": "does not decode", "why": event.refusal.detail}


def _looking(desk: Desk, it: Letter) -> str:
    """What is waited for, where much of the source is read; empty where it is not."""
    letter, origin = it.letter, it.letter.message
    if letter.trigger not in {trigger for _, trigger in desk.loaded.table.cancelled}:
        return ""
    if origin.partition.number >= desk.reader.topics().get(origin.partition.topic, 0):
        return ""
    behind = desk.reader.span(origin.partition).end - origin.offset - 1
    if behind < MANY_BEHIND:
        return ""
    return (
        f"looking through {behind} messages behind {origin} for what came later of its trigger and"
        " entity"
    )


async def _now(
    desk: Desk, item: Item, hiding: Hiding, values: set[str]
) -> list[dict[str, Any]] | str:
    """What today's routes make of it."""
    reader = desk.new_reader()
    try:
        table, wall_ms = desk.loaded.table, desk.clock.wall_ms
        later = Later(reader, desk.events, table, desk.reader.cluster_id, desk.clock.now)
        preparer = Preparer(Manner(cancels=True), table, desk.events, later, wall_ms, desk.shown)
        made = await preparer.prepare(item)
    finally:
        reader.close()
    if isinstance(made, Left):
        return f"{made.why.value}: {made.detail}"
    return list(_made(desk, made, hiding, values))


def _made(desk: Desk, ready: Ready, hiding: Hiding, values: set[str]) -> Iterator[dict[str, Any]]:
    shown = desk.shown
    fields = ready.event.fields if isinstance(ready.event, Event) else {}
    specs = {spec.name: spec for spec in desk.loaded.route_specs}
    if ready.bad is not None:
        yield {"refused": ready.bad.detail}
    for report in ready.reports:
        if not isinstance(report, Report):
            yield {"route": report.route, "refused": report.refusal.detail}
            continue
        told: dict[str, Any] = {
            "route": report.route,
            report.action.value: report.trigger,
            "instance": report.lane.instance,
        }
        if report.entity:
            told["entity"] = without(shown.entity(report.route, report.entity), values)
        if report.action is Action.CANCEL:
            told["warning"] = without(would_undo(report, shown), values)
        else:
            key = shown.key(report.route, report.idempotency_key)
            told["idempotency_key"] = without(key, values)
            told["payload"] = hiding.of_payload(report.payload, specs.get(report.route), fields)
        if ready.is_expired:
            told["warning"] = "the endpoint may have forgotten its key since it was first sent"
        yield told


def _text(key: bytes | None) -> str | None:
    if key is None:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return f"({len(key)} bytes)"


def lines(told: Any, indent: str = "") -> Iterator[str]:
    """The story for a person: a name and its value a line, what is nested further in."""
    pairs = told.items() if isinstance(told, dict) else ((f"{n}", it) for n, it in enumerate(told))
    for name, value in pairs:
        if isinstance(value, dict | list) and value:
            yield f"{indent}{name}:"
            yield from lines(value, indent + "  ")
        else:
            shown = value if value not in ({}, []) else "none"
            yield f"{indent}{name}: {shown}"
