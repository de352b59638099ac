"""What do today's routes make of a letter, and may it be sent?

Only the route that refused is asked; a message that did not decode goes through all of them. A
report is sent under the key that it was sent with, unless a new one is asked for.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from streamer.dead_letters.foreign import Foreign
from streamer.dead_letters.record import Letter, Unreadable, letter_id
from streamer.delivery.sender import KEY_LIFE_S
from streamer.model import Action, BadMessage, DeadLetter, RefusedReport, Report, Routed
from streamer.replay.cancels import Later
from streamer.replay.events import EventReader
from streamer.replay.prepared import Item, Left, LeftOut, Ready, would_end
from streamer.replay.shown import ShownValues
from streamer.routing.table import RoutingTable


class Manner(Struct, frozen=True):
    """How a person wants it replayed."""

    cancels: bool = False
    """Cancels too."""
    superseded: bool = False
    """Reports too that a later cancel was meant for, cancels too that a later report followed, and
    those of which that cannot be told."""
    new_key: bool = False
    salt: str = ""
    """What a new key is made with beside the old one."""
    routes: frozenset[str] = frozenset()
    """Of messages of a source topic, only what these make; empty: all."""


class Preparer:
    """Asks routes, events and the source; sends nothing."""

    def __init__(
        self,
        manner: Manner,
        table: RoutingTable,
        events: EventReader,
        later: Later,
        wall_ms: Callable[[], int],
        shown: ShownValues,
    ) -> None:
        self._shown = shown
        self._manner = manner
        self._table = table
        self._events = events
        self._later = later
        self._wall_ms = wall_ms
        self._names = frozenset(route.name for route in table.routes)

    async def prepare(self, item: Item) -> Ready | Left:
        what = item.found.what if item.found is not None else None
        if isinstance(what, Foreign | Unreadable):
            detail = "it is no dead letter that this release of streamer can read"
            return Left(item.id, LeftOut.NOT_OURS, f"{detail}: {what.detail}")
        event = await self._events.read(item.origin)
        if isinstance(event, BadMessage):
            return self._bad(item, event)
        routed = self._table.route(event, self._wall_ms())
        chosen = self._chosen(item, routed)
        if isinstance(chosen, Left):
            return chosen
        if not self._manner.cancels and (cancel := _first_cancel(chosen)) is not None:
            return Left(item.id, LeftOut.CANCEL, would_undo(cancel, self._shown))
        if not self._manner.superseded and (left := await self._superseded(item, chosen)):
            return left
        reports = tuple(self._keyed(item, report) for report in chosen)
        return Ready(item, event, reports, is_expired=self._is_expired(item, reports))

    def _bad(self, item: Item, event: BadMessage) -> Ready | Left:
        letter = item.letter
        if letter is None or letter.letter.route:
            detail = f"it does not decode now: {event.refusal.detail}"
            return Left(item.id, LeftOut.NOTHING_NOW, detail)
        return Ready(item, None, (), event.refusal, event.schema)

    def _chosen(self, item: Item, routed: Routed) -> Sequence[Report | RefusedReport] | Left:
        letter = item.letter
        if letter is None:
            routes = self._manner.routes
            chosen = [it for it in routed.reports if not routes or it.route in routes]
        else:
            chosen = _of_letter(letter, routed)
            if not chosen and letter.letter.route and letter.letter.route not in self._names:
                detail = f"there is no route {letter.letter.route} any more; drop it, or bring back"
                return Left(item.id, LeftOut.ROUTE_GONE, f"{detail} the route")
        if chosen:
            return chosen
        if letter is None:
            if routed.reports:
                return Left(item.id, LeftOut.NO_REPORT, "of routes that are not asked for")
            return Left(item.id, LeftOut.NO_REPORT, _why_nothing(routed, self._manner.routes))
        by = letter.letter.route
        why = _why_nothing(routed, frozenset({by} if by else ()))
        who = f"route {by} makes" if by else "the routes make"
        return Left(item.id, LeftOut.NOTHING_NOW, f"{who} nothing of it now ({why}); drop it")

    async def _superseded(
        self, item: Item, chosen: Iterable[Report | RefusedReport]
    ) -> Left | None:
        cluster_id = item.letter.cluster_id if item.letter is not None else ""
        for report in chosen:
            if isinstance(report, Report):
                verdict = await self._later.look(report, item.origin, cluster_id)
                if verdict is not None:
                    return Left(item.id, *verdict)
        return None

    async def read_on(self) -> None:
        """Learn what was written to the source since."""
        await self._later.read_on()

    def superseded_since(self, item: Item, report: Report) -> Left | None:
        """Whether what was written since it was prepared leaves it out, as far as it is known."""
        if self._manner.superseded:
            return None
        verdict = self._later.found(report, item.origin)
        return None if verdict is None else Left(item.id, *verdict)

    def _keyed(self, item: Item, report: Report | RefusedReport) -> Report | RefusedReport:
        if not isinstance(report, Report) or report.action is Action.CANCEL:
            return report
        sent_with = item.letter.letter.idempotency_key if item.letter is not None else ""
        key = sent_with or report.idempotency_key
        if self._manner.new_key:
            key = new_key(key, self._manner.salt or item.id)
        return msgspec.structs.replace(report, idempotency_key=key)

    def _is_expired(self, item: Item, reports: Iterable[Report | RefusedReport]) -> bool:
        first_ms = item.letter.letter.first_attempt_ms if item.letter is not None else None
        if self._manner.new_key:
            return False
        if first_ms is None and item.letter is None:
            # It went out soon after it was written, if it did.
            first_ms = item.origin.timestamp_ms if item.origin.timestamp_ms >= 0 else None
        if first_ms is None:
            return False
        lives = [
            it.idempotency_ttl_ms or int(KEY_LIFE_S * 1000)
            for it in reports
            if isinstance(it, Report) and it.action is Action.REPORT
        ]
        return any(self._wall_ms() >= first_ms + life_ms for life_ms in lives)


def _why_nothing(routed: Routed, routes: frozenset[str]) -> str:
    """Why these routes (none named: all) make nothing of an event."""
    skipped = [it for it in routed.skipped if not routes or it.route in routes or not it.route]
    return ", ".join(dict.fromkeys(it.why for it in skipped)) or "its `when` is false"


def _of_letter(letter: Letter, routed: Routed) -> list[Report | RefusedReport]:
    """What the letter's route makes of the message; all, where no route refused it."""
    it = letter.letter
    if it.route:
        return [report for report in routed.reports if report.route == it.route]
    if not letter.shrunk or letter.id == letter_id(it):
        return list(routed.reports)
    # Its headers were too large to be kept. The id was made of them, and tells.
    return [report for report in routed.reports if letter.id == letter_id(_letter_of(it, report))]


def _letter_of(letter: DeadLetter, report: Report | RefusedReport) -> DeadLetter:
    lane = report.lane
    instance = lane.instance if lane is not None else ""
    return msgspec.structs.replace(letter, route=report.route, instance=instance)


def _first_cancel(
    reports: Iterable[Report | RefusedReport],
) -> Report | RefusedReport | None:
    return next((it for it in reports if it.action is Action.CANCEL), None)


def would_undo(cancel: Report | RefusedReport, shown: ShownValues) -> str:
    """What a cancel that is sent now would do, and what to do."""
    instance = cancel.lane.instance if cancel.lane is not None else ""
    ends = would_end(cancel.trigger, shown.entity(cancel.route, cancel.entity or ""), instance)
    return f"it is a cancel: sent now {ends}; replay it with --cancels, or drop it"


def new_key(key: str, salt: str) -> str:
    """Another key, the same at every try: who stops and goes on doubles nothing."""
    return hashlib.sha256(f"new-key:{len(key)}:{key}:{salt}".encode("utf-8", "replace")).hexdigest()
