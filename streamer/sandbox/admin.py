"""What do the sandbox's own calls (`/sandbox/...`) answer?

GET  /sandbox/reports?after=N&limit=M   what was accepted, in order
GET  /sandbox/summary                   counts
GET  /sandbox/faults                    the faults that are set
POST /sandbox/faults                    sets them anew: {"faults": ["500=5%", ...]}
POST /sandbox/reset                     forgets reports, keys and counts
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streamer.sandbox.answers import Reply
from streamer.sandbox.fault_text import FaultTextError, fault_text, parse_fault, parse_fault_object
from streamer.sandbox.faults import FaultRule, Faults
from streamer.sandbox.platform import Platform

PREFIX = "/sandbox"
PAGE_LIMIT_DEFAULT = 1_000
PAGE_LIMIT_MAX = 50_000  # about 25 MB of answer with payloads of 300 bytes

Query = Mapping[str, str]


class AdminError(Exception):
    """The call is wrong: a sentence that says what was found and what to send."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class AdminRequest:
    method: str
    path: str
    query: Query
    content_type: str
    body: bytes


class Admin:
    """Answers the sandbox's own calls."""

    def __init__(
        self,
        platform: Platform,
        faults: Faults,
        set_faults: Callable[[Sequence[FaultRule]], None],
        clock_ms: Callable[[], int],
    ) -> None:
        self._platform = platform
        self._faults = faults
        self._set_faults = set_faults
        self._clock_ms = clock_ms

    def answer(self, request: AdminRequest) -> Reply:
        try:
            return Reply(200, msgspec.json.encode(self._dispatch(request)))
        except AdminError as error:
            return Reply(error.status, msgspec.json.encode({"message": str(error)}))

    def _dispatch(self, request: AdminRequest) -> object:
        match request.method, request.path.rstrip("/"):
            case "GET", "/sandbox/reports":
                return self._reports(request.query)
            case "GET", "/sandbox/summary":
                return self._summary()
            case "GET", "/sandbox/faults":
                return self._fault_list()
            case "POST", "/sandbox/faults":
                self._set_faults(_fault_rules(_json(request)))
                return self._fault_list()
            case "POST", "/sandbox/reset":
                return self._reset(_json(request) if request.body else {})
            case _:
                raise AdminError(
                    f"no {request.method} {request.path} here; there are GET /sandbox/reports, "
                    "GET /sandbox/summary, GET and POST /sandbox/faults, POST /sandbox/reset",
                    404,
                )

    def _reports(self, query: Query) -> object:
        known = ("after", "limit", "trigger", "instance", "entity")
        for name in query:
            if name not in known:
                raise AdminError(f"{name!r} is unknown here; use {', '.join(known)}")
        limit = _whole_number(query, "limit", PAGE_LIMIT_DEFAULT)
        if not 1 <= limit <= PAGE_LIMIT_MAX:
            raise AdminError(f"limit is from 1 to {PAGE_LIMIT_MAX}; found {limit}")
        entity = query.get("entity")
        return self._platform.ledger.page(
            _whole_number(query, "after", 0),
            limit,
            trigger=query.get("trigger"),
            instance=query.get("instance"),
            entity=None if entity is None else entity.lower(),
        )

    def _summary(self) -> dict[str, Any]:
        ledger = self._platform.ledger
        by_trigger = ledger.by_trigger
        reports = sum(counts.reports for counts in by_trigger.values())
        return {
            "reports": reports,
            "activations": reports,
            "ignored_repeats": sum(counts.ignored for counts in by_trigger.values()),
            "ignored_differing": ledger.ignored_differing,
            "refused": sum(counts.refused for counts in by_trigger.values()),
            "cancels": sum(counts.cancels for counts in by_trigger.values()),
            "cancels_of_nothing": ledger.cancels_of_nothing,
            "cancelled_activations": sum(counts.cancelled for counts in by_trigger.values()),
            "by_trigger": by_trigger,
            "calls": ledger.calls,
            "tokens": {
                "made": self._platform.tokens.made,
                "refused": self._platform.tokens.refused,
            },
            "last_number": ledger.last_number,
        }

    def _fault_list(self) -> dict[str, Any]:
        since_s = (self._clock_ms() - self._faults.set_at_ms) / 1000
        return {
            "faults": [
                {"fault": fault_text(rule), "active": rule.is_active(since_s)}
                for rule in self._faults.rules
            ]
        }

    def _reset(self, wanted: object) -> dict[str, bool]:
        if not isinstance(wanted, dict) or not set(wanted) <= {"tokens", "faults"}:
            raise AdminError('send {"tokens": true, "faults": true}, either or none of them')
        tokens, faults = wanted.get("tokens") is True, wanted.get("faults") is True
        self._platform.reset(tokens=tokens)
        if faults:
            self._set_faults(())
        return {"reports": True, "tokens": tokens, "faults": faults}


def _whole_number(query: Query, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise AdminError(f"{name} is a whole number; found {text[:40]!r}")
    return int(text)


def _json(request: AdminRequest) -> object:
    # Only as JSON, so that no page in a browser can send it across sites without being asked.
    if request.content_type != "application/json":
        raise AdminError("send JSON with Content-Type: application/json", 415)
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise AdminError("the body is not JSON") from None


def _fault_rules(wanted: object) -> list[FaultRule]:
    faults = wanted.get("faults") if isinstance(wanted, dict) else None
    if not isinstance(faults, list):
        raise AdminError('send {"faults": ["500=5%", "latency=50ms"]}; an empty list ends all')
    rules: list[FaultRule] = []
    for index, fault in enumerate(faults):
        try:
            if isinstance(fault, str):
                rules.append(parse_fault(fault))
            elif isinstance(fault, dict):
                rules.append(parse_fault_object(fault))
            else:
                raise FaultTextError("a fault is a text or an object")
        except FaultTextError as error:
            raise AdminError(f"faults[{index}]: {error}") from None
    return rules


def is_loopback(address: str) -> bool:
    """Whether a peer's address is this machine's own."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
