"""What does the page show, in one answer a second?

It must cost little however much arrives: the newest rows only, payloads cut, the busiest triggers
and instances, and no rows at all where none can have changed.
"""

from collections.abc import Callable, Sequence
from heapq import nlargest
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import asdict, replace

from streamer.sandbox.admin_faults import FaultSwitches
from streamer.sandbox.admin_requests import AdminRequest
from streamer.sandbox.admin_summary import totals
from streamer.sandbox.admin_world import World
from streamer.sandbox.journal import Journal
from streamer.sandbox.journal_filters import Filters
from streamer.sandbox.journal_rows import Row
from streamer.sandbox.platform import Platform

ROWS_DEFAULT = 100
ROWS_MAX = 500
PAYLOAD_SHOWN = 2_000
"""Bytes; the journal has the whole."""
INSTANCES_SHOWN = 50
TRIGGERS_SHOWN = 20


class Shown(Struct):
    """A payload as text, so that no number of it is rounded by who reads the answer."""

    text: str
    bytes: int
    """Of the whole."""
    cut: bool
    """The text is its beginning only."""


class Live:
    def __init__(
        self,
        platform: Platform,
        journal: Journal,
        faults: FaultSwitches,
        world: World,
        clock_ms: Callable[[], int],
    ) -> None:
        self._platform = platform
        self._journal = journal
        self._faults = faults
        self._world = world
        self._clock_ms = clock_ms
        self._run = clock_ms()

    def answer(self, request: AdminRequest, filters: Filters, seen: str) -> dict[str, Any]:
        """`seen`: what the last answer had under that name, for the same filters and limit."""
        now_ms = self._clock_ms()
        limit = request.query.limit(ROWS_DEFAULT, most=ROWS_MAX)
        version = f"{self._run}.{self._journal.version}"
        page = None if seen == version else self._journal.page(None, limit, filters)
        instances = self._world.instance_rows(INSTANCES_SHOWN, filters.instance)
        return {
            "seen": version,
            "run": self._run,
            "at_ms": now_ms,
            "rows": None if page is None else [_shown(row) for row in page.rows],
            "totals": totals(self._platform),
            "calls": self._platform.ledger.calls,
            "triggers": self._triggers(),
            "instances": instances,
            "faults": self._faults.list(),
            "settings": self._world.settings(),
            "apps": self._world.apps(),
            "took_ms": self._clock_ms() - now_ms,
        }

    def _triggers(self) -> Sequence[dict[str, Any]]:
        """Those about which the most came."""
        busiest = nlargest(
            TRIGGERS_SHOWN,
            self._platform.ledger.by_trigger.items(),
            key=lambda named: named[1].reports + named[1].ignored + named[1].refused,
        )
        return [{"trigger": trigger, **asdict(counts)} for trigger, counts in busiest]


def _shown(row: Row) -> Row:
    if not isinstance(row.payload, Raw):
        return row
    whole = bytes(row.payload)
    text = whole[:PAYLOAD_SHOWN].decode("utf-8", "replace")
    return replace(row, payload=Shown(text, len(whole), len(whole) > PAYLOAD_SHOWN))
