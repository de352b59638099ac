"""What do the sandbox's own calls (`/sandbox/...`) answer?

GET  /sandbox/reports?after=N&limit=M   what was accepted, in order
GET  /sandbox/journal?after=N&limit=M   what came lately, accepted or not; the newest without after
GET  /sandbox/summary                   counts
GET  /sandbox/faults                    the faults that are set
POST /sandbox/faults                    sets them anew: {"faults": ["500=5%", ...]}, or
                                        {"add": [...]}, {"remove": [...]}
GET  /sandbox/settings                  quota and other switches
POST /sandbox/settings                  changes those that are named: {"quota": "50/min"}
GET  /sandbox/instances                 those that are known, and their calls
POST /sandbox/instances                 {"uninstall": ["site-1"]}, {"install": ["site-1"]}
GET  /sandbox/apps                      those whose secret is known
POST /sandbox/apps                      gives an app another secret: {"app": ID, "secret": ...}
POST /sandbox/reset                     forgets reports, keys and counts
GET  /sandbox/live                      what the page shows; its form is the page's own
"""

from collections.abc import Callable

import msgspec

from streamer.sandbox.admin_faults import FaultSwitches, KeepFaults
from streamer.sandbox.admin_live import Live
from streamer.sandbox.admin_requests import AdminError, AdminRequest, Query, json_of
from streamer.sandbox.admin_summary import summary
from streamer.sandbox.admin_world import World
from streamer.sandbox.answers import Reply
from streamer.sandbox.faults import CallKind, Faults
from streamer.sandbox.journal import Journal
from streamer.sandbox.journal_filters import FILTERS, Filters
from streamer.sandbox.journal_rows import OUTCOMES
from streamer.sandbox.page_files import GUARDED
from streamer.sandbox.platform import Platform

PREFIX = "/sandbox"
PAGE_LIMIT_DEFAULT = 1_000
JOURNAL_LIMIT_DEFAULT = 100

_PAGING = ("after", "limit")
_LEDGER_FILTERS = ("trigger", "instance", "entity")
_CHOICES = {"outcome": OUTCOMES, "call": tuple(CallKind)}


class Admin:
    """Answers the sandbox's own calls."""

    def __init__(
        self,
        platform: Platform,
        journal: Journal,
        faults: Faults,
        keep_faults: KeepFaults,
        clock_ms: Callable[[], int],
    ) -> None:
        self._platform = platform
        self._journal = journal
        self._faults = FaultSwitches(faults, keep_faults, clock_ms)
        world = World(platform, clock_ms)
        self._live = Live(platform, journal, self._faults, world, clock_ms)
        self._calls: dict[str, dict[str, Callable[[AdminRequest], object]]] = {
            "reports": {"GET": self._reports},
            "journal": {"GET": self._journal_page},
            "summary": {"GET": lambda _: summary(platform)},
            "faults": {
                "GET": lambda _: {"faults": self._faults.list()},
                "POST": self._faults.change,
            },
            "settings": {"GET": lambda _: world.settings(), "POST": world.change_settings},
            "instances": {"GET": world.instances, "POST": world.change_instances},
            "apps": {"GET": lambda _: world.apps(), "POST": world.change_app},
            "reset": {"POST": self._reset},
            "live": {"GET": self._live_page},
        }

    def answer(self, request: AdminRequest) -> Reply:
        try:
            status, answer = 200, self._dispatch(request)
        except AdminError as error:
            status, answer = error.status, {"message": str(error)}
        return Reply(status, msgspec.json.encode(answer), headers=GUARDED)

    def _dispatch(self, request: AdminRequest) -> object:
        calls = self._calls.get(request.path.rstrip("/").removeprefix(PREFIX + "/"), {})
        call = calls.get(request.method)
        if call is None:
            known = (f"{' and '.join(by)} {PREFIX}/{path}" for path, by in self._calls.items())
            raise AdminError(
                f"no {request.method} {request.path} here; there are {', '.join(known)}", 404
            )
        return call(request)

    def _reports(self, request: AdminRequest) -> object:
        query = request.query
        query.check_names(*_PAGING, *_LEDGER_FILTERS)
        chosen = _filters(query)
        return self._platform.ledger.page(
            query.whole_number("after", 0),
            query.limit(PAGE_LIMIT_DEFAULT),
            trigger=chosen.trigger,
            instance=chosen.instance,
            entity=chosen.entity,
        )

    def _journal_page(self, request: AdminRequest) -> object:
        query = request.query
        query.check_names(*_PAGING, *FILTERS)
        after = query.whole_number("after", 0) if "after" in query else None
        return self._journal.page(after, query.limit(JOURNAL_LIMIT_DEFAULT), _filters(query))

    def _live_page(self, request: AdminRequest) -> object:
        query = request.query
        query.check_names("seen", "limit", *FILTERS)
        return self._live.answer(request, _filters(query), query.get("seen", ""))

    def _reset(self, request: AdminRequest) -> dict[str, bool]:
        wanted = json_of(request) if request.body else {}
        if (
            not isinstance(wanted, dict)
            or not set(wanted) <= {"tokens", "faults"}
            or not all(isinstance(value, bool) for value in wanted.values())
        ):
            raise AdminError('send {"tokens": true, "faults": true}, either or none of them')
        tokens, faults = wanted.get("tokens", False), wanted.get("faults", False)
        self._platform.reset(tokens=tokens)
        self._journal.forget()
        if faults:
            self._faults.end_all()
        return {"reports": True, "tokens": tokens, "faults": faults}


def _filters(query: Query) -> Filters:
    """Raises AdminError."""
    chosen = {name: query[name] for name in FILTERS if name in query}
    for name, choices in _CHOICES.items():
        if name in chosen and chosen[name] not in choices:
            found = chosen[name][:40]
            raise AdminError(f"{name} is one of {', '.join(choices)}; found {found!r}")
    if "entity" in chosen:
        chosen["entity"] = chosen["entity"].lower()
    return Filters(**chosen)
