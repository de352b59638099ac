"""Fuzzed: are any bytes a call of the sandbox that is answered as the endpoint's page has it?"""

from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import msgspec
from msgspec import Raw, Struct

from streamer.sandbox.admin import Admin
from streamer.sandbox.admission import Admission
from streamer.sandbox.answering import Answering
from streamer.sandbox.answers import Reply
from streamer.sandbox.faults import CallKind, Faults
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.http_edge import HttpEdge
from streamer.sandbox.http_parser import Request
from streamer.sandbox.incoming import CALLS
from streamer.sandbox.journal import Journal
from streamer.sandbox.ledger import Entry
from streamer.sandbox.platform import Platform
from streamer.sandbox.rules import BulkBadItem, Rules
from streamer.sandbox.trigger_schemas import TriggerSchemas
from tests.fuzz.drawing import Drawn

_PROPERTIES = {
    "amount": {"type": "number", "multipleOf": Decimal("0.01"), "maximum": 10**40},
    "days": {"type": "integer", "enum": [1, 2, 3]},
    "due": {"type": "string", "format": "date-time"},
    "contact": {"type": "string", "format": "uuid", "pattern": "^[0-9a-f-]+$"},
    "lines": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/definitions/line"}},
}
_SCHEMA = {
    "type": "object",
    "properties": _PROPERTIES,
    "definitions": {"line": {"type": "object", "properties": _PROPERTIES, "required": ["days"]}},
}
_TOKEN = "a-ready-token"
_RULES = [
    Rules(
        ready_tokens={_TOKEN: "site-1"},
        schemas=TriggerSchemas({"s": _SCHEMA}),
        only_known_triggers=only_known,
        failed_use_up_keys=only_known,
        bulk_bad_item=bad_item,
    )
    for only_known in (False, True)
    for bad_item in BulkBadItem
]
_CONTENT_TYPES = ["application/json", "application/x-www-form-urlencoded"]
_REFUSALS = frozenset({400, 401, 403, 428})
_NOW_MS = 1_800_000_000_000

_fields = msgspec.json.Decoder(dict[str, Raw])
_results = msgspec.json.Decoder(list[dict[str, Raw]])


class _Metadata(Struct):
    originalIndex: int
    success: bool
    error: dict[str, Any] | None = None


class _Heard(Connection):
    """A connection without a socket."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None, lambda: "", set())
        self.replies: list[tuple[Reply, str]] = []

    @property
    def is_open(self) -> bool:
        return True

    def reply(self, reply: Reply, request_id: str) -> None:
        self.replies.append((reply, request_id))


def sandbox(data: bytes) -> None:
    """The bytes as a body, twice: what has an idempotency key is a repeat then."""
    drawn = Drawn(data)
    path = drawn.one_of(list(CALLS))
    platform, journal = Platform(drawn.one_of(_RULES), _new_ids()), Journal()
    content_type = drawn.one_of(_CONTENT_TYPES)
    edge = _edge(platform, journal)
    headers = {"authorization": _TOKEN, "content-type": content_type}
    request = Request("POST", path, headers, drawn.rest(), True)
    for _ in range(2):
        heard = _Heard()
        edge.serve(request, heard)
        ((reply, request_id),) = heard.replies
        check(CALLS[path], reply, [it for it in _ledger(platform) if it.request_id == request_id])
        page = journal.page(None, 100)
        msgspec.json.encode(page)
        told = [row.ending for row in page.rows if row.request_id == request_id]
        assert told
        assert set(told) == {str(reply.status)}
    assert sum(platform.ledger.calls[CALLS[path]].values()) == 2


def _edge(platform: Platform, journal: Journal) -> HttpEdge:
    def clock_ms() -> int:
        return _NOW_MS

    faults = Faults((), Random(1), _NOW_MS)
    return HttpEdge(
        platform,
        Answering(platform, faults, Random(1)),
        journal,
        faults,
        Admin(platform, journal, faults, lambda _: None, clock_ms),
        clock_ms=clock_ms,
        later=lambda *_: None,
        admission=Admission("127.0.0.1", (), anywhere=False),
        id_prefix="1",
    )


def _new_ids() -> Any:
    numbers = count(1)
    return lambda: f"id-{next(numbers)}"


def _ledger(platform: Platform) -> list[Entry]:
    return list(platform.ledger.page(limit=1_000).entries)


def check(kind: CallKind, reply: Reply, entries: list[Entry]) -> None:
    """Has the answer the endpoint's shape, and is what the ledger took in what it says?"""
    fields = _fields.decode(reply.body)
    if reply.status != 200:
        assert reply.status in _REFUSALS, f"{reply.status}: {reply.body!r}"
        assert not entries, "what was refused is in the ledger"
        _is_error(kind, msgspec.json.decode(reply.body))
        return
    match kind:
        case CallKind.TOKEN:
            assert set(fields) == {"access_token", "token_type", "expires_in"}
            assert not entries
        case CallKind.BULK_REPORT | CallKind.BULK_CANCEL:
            assert {entry.bulk_index for entry in entries} == _taken_in(kind, fields)
        case CallKind.CANCEL:
            assert fields == {}
            assert [entry.action for entry in entries] == ["cancel"]
        case CallKind.REPORT:
            activations = msgspec.json.decode(fields.get("activationIds", b"[]"))
            assert activations == [id for entry in entries for id in entry.activation_ids]


def _is_error(kind: CallKind, said: Any) -> None:
    if kind is CallKind.TOKEN:
        assert set(said) == {"error", "error_description"}
        return
    assert set(said) == {"message", "details"}
    assert said["message"]
    # What hides the path of a bad item has nothing left to say; nobody planned any other.
    assert said["details"] or said["message"] == "an item of the call is wrong"
    assert set(said["details"]) <= {"applicationError", "validationError"}


def _taken_in(kind: CallKind, fields: dict[str, Raw]) -> set[int]:
    """Indexes of the items that a bulk answer tells as new successes."""
    taken_in: set[int] = set()
    indexes: list[int] = []
    failures = 0
    for result in _results.decode(fields["results"]):
        metadata = msgspec.json.decode(result["itemMetadata"], type=_Metadata)
        indexes.append(metadata.originalIndex)
        assert metadata.success is (metadata.error is None)
        failures += not metadata.success
        if kind is CallKind.BULK_REPORT:
            if msgspec.json.decode(result["activationIds"]):
                taken_in.add(metadata.originalIndex)
        elif metadata.success:
            taken_in.add(metadata.originalIndex)
        if metadata.error is not None:
            assert set(metadata.error) == {"code", "description", "data"}
            assert metadata.error["code"] not in ("INTERNAL", "500")
            assert metadata.originalIndex not in taken_in
    assert sorted(indexes) == list(range(len(indexes)))
    assert msgspec.json.decode(fields["bulkActionMetadata"]) == {
        "totalSuccesses": len(indexes) - failures,
        "totalFailures": failures,
        "undetailedFailures": 0,
    }
    return taken_in


WORDS = [
    *(f'"{word}":' for word in ("triggerKey", "payload", "eventsInfo", "externalEntityIds")),
    *(f'"{word}":' for word in ("externalEntityId", "idempotency", "key", "ttlInMilliseconds")),
    *(f'"{word}":' for word in ("grant_type", "client_id", "client_secret", "instance_id")),
    *(f'"{name}":' for name in _PROPERTIES),
    '"client_credentials"',
    '"2c6a3f0e-5d4b-4c1a-9b7e-0a1b2c3d4e5f"',
    '"2026-11-24T10:00:00Z"',
    "1e99999999999999999999",
    "1e400",
    "\\ud800",
]

SEEDS = {
    "sandbox": [
        b'\0\0\0{"triggerKey":"s","payload":{"amount":1.25,"days":2,"due":"2026-11-24T10:00:00Z",'
        b'"lines":[{"days":1}]},"idempotency":{"key":"k","ttlInMilliseconds":"86400000"},'
        b'"externalEntityId":"2c6a3f0e-5d4b-4c1a-9b7e-0a1b2c3d4e5f"}',
        b'\0\0\0{"triggerKey":"t","payload":{"a":1e99999999999999999999}}',
        b'\0\0\0{"triggerKey":"s","payload":{"amount":1e-99999999999999999999}}',
        b'\0\0\0{"triggerKey":"t","payload":{"a":' + b"9" * 4_050 + b"}}",
        b'\1\0\0{"triggerKey":"s","eventsInfo":[{"payload":{}},{"payload":{"days":7}},'
        b'{"payload":{"a":1e99999999999999999999}},{"payload":null}]}',
        b'\1\1\0{"triggerKey":"s","eventsInfo":[{"payload":{}},{"payload":{"days":7}}]}',
        b'\2\0\0{"triggerKey":"t","externalEntityId":"2c6a3f0e-5d4b-4c1a-9b7e-0a1b2c3d4e5f"}',
        b'\3\0\0{"triggerKey":"t","externalEntityIds":["2c6a3f0e-5d4b-4c1a-9b7e-0a1b2c3d4e5f","x"]}',
        b'\4\0\0{"grant_type":"client_credentials","client_id":"a","client_secret":"s",'
        b'"instance_id":"site-1"}',
        b"\4\0\1grant_type=client_credentials&client_id=a&client_secret=s&instance_id=site-1",
    ],
}
