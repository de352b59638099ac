"""The page on the report endpoint as one table: each call, status, limit and field it documents.

A row is a call and what is answered. What the page leaves open is decided here as well, since an
emulator cannot leave it open; `docs/sandbox.md` says which of it that is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.sandbox.quota import Quota
from streamer.sandbox.rules import BulkBadItem, BulkResults, Rules
from streamer.sandbox.trigger_schemas import TriggerSchemas
from tests.unit.sandbox.calling import (
    BULK_CANCEL,
    BULK_REPORT,
    CANCEL,
    CREDENTIALS,
    ENTITY,
    REPORT,
    TOKEN,
    TRIGGER,
    an_entity,
    keyed,
)

ACTIVATION = "<activation>"
"""Stands for an activation's id, which is drawn."""

JSON = "application/json"


@dataclass(frozen=True)
class Row:
    call: str
    body: Any
    """As JSON, or bytes as they are."""
    status: int = 200
    code: str | None = None
    """Of `details.applicationError`, or of RFC 6749."""
    fields: tuple[str, ...] = ()
    """Each of `fieldViolations`: its path, a space, its rule."""
    answer: Any = None
    """The whole answer, results in the order of the items; None where it is not compared."""
    items: tuple[str, ...] = ()
    """What became of each item of a bulk call: `ok` or its error's code."""
    item_fields: tuple[str, ...] = ()
    """The `fieldViolations` of the items' errors."""
    rules: Rules = field(default_factory=Rules)
    fault: str | None = None
    before: int = 0
    """So many times the same call was made before."""
    content_type: str = JSON
    token: str | None = None
    """None: a good one."""


Table = dict[str, Row]


# --- a report's fields --------------------------------------------------------------------------


def event(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"payload": {"amount": 12}, **changes}
    return {name: value for name, value in body.items() if value is not None}


def report(expected: Row, trigger: Any = TRIGGER, **changes: Any) -> Row:
    body = event(**changes)
    return replace(expected, body=body if trigger is None else {"triggerKey": trigger, **body})


ACCEPTED = Row(REPORT, None, answer={"activationIds": [ACTIVATION]})


def refused(*fields: str) -> Row:
    return Row(REPORT, None, 400, fields=fields)


TRIGGER_KEYS: Table = {
    "a trigger key of one character": report(ACCEPTED, "t"),
    "a trigger key of 100 characters": report(ACCEPTED, "t" * 100),
    "no trigger key": report(refused("triggerKey REQUIRED_FIELD"), None),
    "an empty trigger key": report(refused("triggerKey MIN_LENGTH"), ""),
    "a trigger key of 101": report(refused("triggerKey MAX_LENGTH"), "t" * 101),
    "a trigger key that is a number": report(refused("triggerKey FORMAT"), 5),
    "a field that the page does not name": Row(
        REPORT, {"triggerKey": TRIGGER, **event(), "note": "ignored"}, answer=ACCEPTED.answer
    ),
    "three wrong fields": report(
        refused("triggerKey MIN_LENGTH", "idempotency.key MIN_LENGTH", "externalEntityId FORMAT"),
        "",
        idempotency=keyed(""),
        externalEntityId="x",
    ),
}


def with_ttl(ttl: Any) -> dict[str, Any]:
    return {"idempotency": {"key": "k", "ttlInMilliseconds": ttl}}


def payload(value: Any) -> dict[str, Any]:
    return {"payload": value}


SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "title": "Amount"},
        "days": {"type": "integer", "title": "Days"},
        "due": {"type": "string", "format": "date-time", "title": "Due"},
        "contact": {"type": "string", "format": "uuid", "title": "Contact"},
        "paid": {"type": "boolean", "title": "Paid"},
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"sku": {"type": "string"}}},
        },
    },
    "required": ["amount", "due"],
    "additionalProperties": False,
}
FITTING = {"amount": 1, "due": "2026-11-24T10:00:00Z"}
WITH_SCHEMA = Rules(schemas=TriggerSchemas({TRIGGER: SCHEMA}))
FITS = replace(ACCEPTED, rules=WITH_SCHEMA)


def unfit(*paths: str) -> Row:
    return Row(REPORT, None, 428, "SCHEMA_VALIDATION_FAILED", paths, rules=WITH_SCHEMA)


# The fields of one event: an item of a bulk call has the same.
EVENTS: Table = {
    # externalEntityId: a GUID
    "an entity": report(ACCEPTED, externalEntityId=ENTITY),
    "an entity in capitals": report(ACCEPTED, externalEntityId=ENTITY.upper()),
    "an entity that is no GUID": report(
        refused("externalEntityId FORMAT"), externalEntityId="inv-7"
    ),
    "an empty entity": report(refused("externalEntityId FORMAT"), externalEntityId=""),
    # idempotency: a key of 1 to 80 characters, a time to live of at least 1 in a string
    "a key of one character": report(ACCEPTED, idempotency=keyed("k")),
    "a key of 80 characters": report(ACCEPTED, idempotency=keyed("k" * 80)),
    "a time to live of one": report(ACCEPTED, idempotency=keyed("k", "1")),
    "a time to live of a year": report(ACCEPTED, idempotency=keyed("k", "31536000000")),
    "idempotency that is text": report(refused("idempotency FORMAT"), idempotency="k"),
    "no key": report(refused("idempotency.key REQUIRED_FIELD"), idempotency={}),
    "an empty key": report(refused("idempotency.key MIN_LENGTH"), idempotency=keyed("")),
    "a key of 81": report(refused("idempotency.key MAX_LENGTH"), idempotency=keyed("k" * 81)),
    **{
        f"a time to live of {ttl!r}": report(
            refused("idempotency.ttlInMilliseconds FORMAT"), **with_ttl(ttl)
        )
        for ttl in (60_000, "0", "-1", "1.5", "1e3", "", "9223372036854775808", "٣")
    },
    # payload: an object of scalars and arrays of objects of scalars, names of [A-Za-z0-9_]
    "an empty payload": report(ACCEPTED, **payload({})),
    "scalars of every type": report(ACCEPTED, **payload({"s": "a", "n": 1.5, "i": 3, "b": False})),
    "an empty text": report(ACCEPTED, **payload({"s": ""})),
    "an empty array": report(ACCEPTED, **payload({"lines": []})),
    "an array of objects": report(ACCEPTED, **payload({"lines": [{"s": "a", "n": 2}, {}]})),
    "names of digits and underscores": report(ACCEPTED, **payload({"a_1": 1, "1st": 2, "A__": 3})),
    "no payload": report(Row(REPORT, None, 400, "REQUIRED_PROPERTY"), payload=None),
    "a payload of text": report(refused("payload OTHER"), **payload("text")),
    "a payload that is an array": report(refused("payload OTHER"), **payload([{}])),
    **{
        f"a payload with {what}": report(refused(f"{path} OTHER"), **payload(value))
        for what, value, path in (
            ("a null", {"a": None}, "payload.a"),
            ("an object at the top", {"a": {"b": 1}}, "payload.a"),
            ("an array of scalars", {"a": [1]}, "payload.a[0]"),
            ("an array of arrays", {"a": [[{}]]}, "payload.a[0]"),
            ("a null in an array", {"a": [{}, None]}, "payload.a[1]"),
            ("a null in an item", {"a": [{"b": None}]}, "payload.a[0].b"),
            ("an array in an item", {"a": [{"b": []}]}, "payload.a[0].b"),
            ("an object in an item", {"a": [{"b": {}}]}, "payload.a[0].b"),
            ("a name with an underscore first", {"_a": 1}, "payload._a"),
            ("a name with a dash", {"a-b": 1}, "payload.a-b"),
            ("a name that is empty", {"": 1}, "payload."),
            ("a name in another script", {"naïve": 1}, "payload.naïve"),
            ("a wrong name in an item", {"a": [{"$b": 1}]}, "payload.a[0].$b"),
        )
    },
    # a trigger's schema: draft-07, additionalProperties always true
    **{
        f"what fits its schema: {what}": report(FITS, **payload({**FITTING, **more}))
        for what, more in (
            ("what is required", {}),
            ("another property", {"another": "though the schema says no additionalProperties"}),
            ("other types", {"days": 3.0, "paid": True, "lines": [{"sku": "a", "qty": 1}]}),
            ("formats", {"due": "2026-11-24T10:00:00.123+02:00", "contact": ENTITY}),
        )
    },
    **{
        f"what does not fit its schema: {what}": report(unfit(*paths), **payload(value))
        for what, value, *paths in (
            (
                "two required are missing",
                {},
                "payload.amount REQUIRED_FIELD",
                "payload.due REQUIRED_FIELD",
            ),
            ("text for a number", {**FITTING, "amount": "1"}, "payload.amount FORMAT"),
            ("true for an integer", {**FITTING, "days": True}, "payload.days FORMAT"),
            ("a fraction for an integer", {**FITTING, "days": 1.5}, "payload.days FORMAT"),
            ("a date without a time", {**FITTING, "due": "2026-11-24"}, "payload.due FORMAT"),
            (
                "a time without a zone",
                {**FITTING, "due": "2026-11-24T10:00:00"},
                "payload.due FORMAT",
            ),
            ("a contact that is no UUID", {**FITTING, "contact": "c-1"}, "payload.contact FORMAT"),
            (
                "an item's property",
                {**FITTING, "lines": [{"sku": "a"}, {"sku": 1}]},
                "payload.lines[1].sku FORMAT",
            ),
        )
    },
}

# --- the same fields in a bulk call -------------------------------------------------------------


def in_bulk(name: str, row: Row) -> Iterator[tuple[str, Row]]:
    """The event between two good ones, under each way in which the endpoint may take it."""
    good = event(payload=FITTING)
    bad = {key: value for key, value in row.body.items() if key != "triggerKey"}
    body = {"triggerKey": TRIGGER, "eventsInfo": [good, bad, good]}
    if row.status == 200:
        yield f"in bulk, {name}", Row(BULK_REPORT, body, items=("ok",) * 3, rules=row.rules)
        return
    code = row.code or "INVALID_ARGUMENT"
    yield (
        f"in bulk, {name}",
        Row(
            BULK_REPORT,
            body,
            items=("ok", code, "ok"),
            item_fields=row.fields,
            rules=row.rules,
        ),
    )
    whole = Row(BULK_REPORT, body, row.status, row.code)
    paths = row.fields or ("payload REQUIRED_FIELD",)
    yield (
        f"refusing the call, {name}",
        replace(
            whole,
            fields=tuple(f"eventsInfo[1].{path}" for path in paths),
            rules=replace(row.rules, bulk_bad_item=BulkBadItem.CALL),
        ),
    )
    yield (
        f"refusing the call without a path, {name}",
        replace(whole, rules=replace(row.rules, bulk_bad_item=BulkBadItem.CALL_WITHOUT_PATH)),
    )


IN_BULK: Table = dict(bulk for name, row in EVENTS.items() for bulk in in_bulk(name, row))

# --- the bulk calls themselves ------------------------------------------------------------------


def bulk_answer(results: list[Any], successes: int, failures: int) -> dict[str, Any]:
    totals = {
        "totalSuccesses": successes,
        "totalFailures": failures,
        "undetailedFailures": 0,
    }
    return {"triggerKey": TRIGGER, "results": results, "bulkActionMetadata": totals}


def bulk(call: str, items: Any, trigger: Any = TRIGGER) -> dict[str, Any]:
    name = "eventsInfo" if call == BULK_REPORT else "externalEntityIds"
    body = {"triggerKey": trigger, name: items}
    return {key: value for key, value in body.items() if value is not None}


def limits(call: str, name: str, one: Any) -> Table:
    def wrong(*fields: str) -> Row:
        return Row(call, None, 400, fields=fields)

    return {
        f"{name} of one": Row(call, bulk(call, [one]), items=("ok",)),
        f"{name} of 100": Row(call, bulk(call, [one] * 100), items=("ok",) * 100),
        f"{name} of 101": replace(wrong(f"{name} MAX_SIZE"), body=bulk(call, [one] * 101)),
        f"{name} of none": replace(wrong(f"{name} MIN_SIZE"), body=bulk(call, [])),
        f"no {name}": replace(wrong(f"{name} REQUIRED_FIELD"), body=bulk(call, None)),
        f"{name} that is no array": replace(wrong(f"{name} FORMAT"), body=bulk(call, {})),
        f"{name} of numbers": replace(
            wrong(f"{name}[1] FORMAT", f"{name}[2] FORMAT"), body=bulk(call, [one, 1, None])
        ),
        f"{name} without a trigger key": replace(
            wrong("triggerKey REQUIRED_FIELD"), body=bulk(call, [one], None)
        ),
        f"{name} and a trigger key of 101": replace(
            wrong("triggerKey MAX_LENGTH"), body=bulk(call, [one], "t" * 101)
        ),
    }


SPARSE = Rules(bulk_results=BulkResults.SPARSE)
GOOD, BAD = {"payload": {"n": 1}}, {"payload": {"n": None}}
BAD_ERROR = {
    "code": "INVALID_ARGUMENT",
    "description": "INVALID_ARGUMENT: payload.n is null: leave the property out",
    "data": {
        "fieldViolations": [
            {
                "field": "payload.n",
                "description": "is null: leave the property out",
                "violatedRule": "OTHER",
                "ruleName": "PAYLOAD_FORMAT",
                "data": {},
            }
        ]
    },
}
ONE, TWO = an_entity(1), an_entity(2)

BULK: Table = {
    **limits(BULK_REPORT, "eventsInfo", GOOD),
    **limits(BULK_CANCEL, "externalEntityIds", ENTITY),
    "a bulk report's answer": Row(
        BULK_REPORT,
        bulk(BULK_REPORT, [GOOD, BAD]),
        answer=bulk_answer(
            [
                {
                    "itemMetadata": {"originalIndex": 0, "success": True},
                    "eventInfo": GOOD,
                    "activationIds": [ACTIVATION],
                },
                {
                    "itemMetadata": {"originalIndex": 1, "success": False, "error": BAD_ERROR},
                    "eventInfo": BAD,
                    "activationIds": [],
                },
            ],
            1,
            1,
        ),
    ),
    "a bulk report's answer without what is 0, false or empty": Row(
        BULK_REPORT,
        bulk(BULK_REPORT, [BAD]),
        answer={
            "triggerKey": TRIGGER,
            "results": [{"itemMetadata": {"error": BAD_ERROR}, "eventInfo": BAD}],
            "bulkActionMetadata": {"totalFailures": 1},
        },
        rules=SPARSE,
    ),
    "a bulk cancel's answer": Row(
        BULK_CANCEL,
        bulk(BULK_CANCEL, [ONE, TWO]),
        answer=bulk_answer(
            [
                {
                    "itemMetadata": {"id": entity, "originalIndex": index, "success": True},
                    "externalEntityId": entity,
                }
                for index, entity in enumerate((ONE, TWO))
            ],
            2,
            0,
        ),
    ),
    "a bulk cancel with a bad entity": Row(
        BULK_CANCEL,
        bulk(BULK_CANCEL, [ONE, "inv-7"]),
        items=("ok", "INVALID_ARGUMENT"),
        item_fields=("externalEntityId FORMAT",),
    ),
    "a bulk cancel that is refused for a bad entity": Row(
        BULK_CANCEL,
        bulk(BULK_CANCEL, [ONE, "inv-7"]),
        400,
        fields=("externalEntityIds[1] FORMAT",),
        rules=Rules(bulk_bad_item=BulkBadItem.CALL),
    ),
    "one key twice in a bulk report": Row(
        BULK_REPORT,
        bulk(BULK_REPORT, [event(idempotency=keyed("k"))] * 2),
        items=("ok", "ok"),
    ),
    "two bad items of one call": Row(
        BULK_REPORT,
        bulk(BULK_REPORT, [BAD, GOOD, {"payload": {"a-b": 1}}]),
        400,
        fields=("eventsInfo[0].payload.n OTHER", "eventsInfo[2].payload.a-b OTHER"),
        rules=Rules(bulk_bad_item=BulkBadItem.CALL),
    ),
}

# --- cancels ------------------------------------------------------------------------------------

CANCELS: Table = {
    "a cancel": Row(CANCEL, {"triggerKey": "t", "externalEntityId": ENTITY}, answer={}),
    "a cancel of nothing": Row(CANCEL, {"triggerKey": "t", "externalEntityId": TWO}, answer={}),
    "an empty cancel": Row(
        CANCEL, {}, 400, fields=("triggerKey REQUIRED_FIELD", "externalEntityId REQUIRED_FIELD")
    ),
    "a cancel of no GUID": Row(
        CANCEL,
        {"triggerKey": "t", "externalEntityId": "7"},
        400,
        fields=("externalEntityId FORMAT",),
    ),
    "a cancel with a trigger key of 101": Row(
        CANCEL,
        {"triggerKey": "t" * 101, "externalEntityId": ENTITY},
        400,
        fields=("triggerKey MAX_LENGTH",),
    ),
}

# --- statuses -----------------------------------------------------------------------------------

A_CALL: Mapping[str, Any] = {
    REPORT: {"triggerKey": TRIGGER, **event(externalEntityId=ENTITY)},
    BULK_REPORT: bulk(BULK_REPORT, [GOOD]),
    CANCEL: {"triggerKey": TRIGGER, "externalEntityId": ENTITY},
    BULK_CANCEL: bulk(BULK_CANCEL, [ENTITY]),
}
DEEP = b'{"triggerKey":"t","payload":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
NOT_A_CALL: Mapping[str, tuple[str, bytes]] = {
    "no JSON": (JSON, b"triggerKey=t"),
    "cut JSON": (JSON, b'{"triggerKey": "t", "payl'),
    "nothing": (JSON, b""),
    "an array": (JSON, b"[]"),
    "bytes that are no text": (JSON, b'{"triggerKey": "\xff\xfe", "payload": {}}'),
    "JSON nested without end": (JSON, b'{"a":' * 50_000),
    "a payload nested without end": (JSON, DEEP),
    "another content type": ("text/plain", b'{"triggerKey": "t", "payload": {}}'),
}
ON_DEMAND = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    428: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: None,
    501: None,
    503: None,
    504: None,
}


def statuses(call: str) -> Table:
    name, body = call.rpartition("/")[2], A_CALL[call]
    quota = Rules(quota=Quota(calls_a_minute=2))
    return {
        f"{name}: {what}": Row(call, raw, 400, "INVALID_ARGUMENT", content_type=content_type)
        for what, (content_type, raw) in NOT_A_CALL.items()
    } | {
        f"{name} without a token": Row(call, body, 401, "UNAUTHENTICATED", token=""),
        f"{name} with a made-up token": Row(call, body, 401, "UNAUTHENTICATED", token="made-up"),
        f"{name} with a made-up bearer": Row(
            call, body, 401, "UNAUTHENTICATED", token="Bearer made-up"
        ),
        f"{name} of a trigger of another app": Row(
            call, body, 403, "PERMISSION_DENIED", rules=Rules(only_known_triggers=True)
        ),
        f"{name} with a body beyond the limit": Row(call, body, 413, rules=Rules(body_max=40)),
        f"{name} as the last within the quota": Row(call, body, rules=quota, before=1),
        f"{name} over the quota": Row(call, body, 429, "RESOURCE_EXHAUSTED", rules=quota, before=2),
        **{
            f"{name} answered {status}": Row(call, body, status, code, fault=str(status))
            for status, code in ON_DEMAND.items()
        },
    }


STATUSES: Table = {name: row for call in A_CALL for name, row in statuses(call).items()}
KEYS: Table = {
    "a key that came before": report(
        Row(REPORT, None, answer={}, before=1), idempotency=keyed("k")
    ),
    "in bulk, a key that came before": Row(
        BULK_REPORT,
        bulk(BULK_REPORT, [event(idempotency=keyed("k"))]),
        answer=bulk_answer(
            [
                {
                    "itemMetadata": {"originalIndex": 0, "success": True},
                    "eventInfo": event(idempotency=keyed("k")),
                    "activationIds": [],
                }
            ],
            1,
            0,
        ),
        before=1,
    ),
}

# --- tokens -------------------------------------------------------------------------------------

ONE_APP = Rules(apps={"app-1": "secret-1"}, instances=frozenset({"site-1"}))


def token(status: int = 200, code: str | None = None, **changes: str) -> Row:
    return Row(TOKEN, {**CREDENTIALS, **changes}, status, code, rules=ONE_APP)


TOKENS: Table = {
    "a token request": token(),
    "a wrong secret": token(401, "invalid_client", client_secret="wrong"),
    "a secret that is no ASCII": token(401, "invalid_client", client_secret="sécrèt"),
    "an unknown app": token(401, "invalid_client", client_id="other"),
    "another grant": token(400, "unsupported_grant_type", grant_type="password"),
    "no grant": token(400, "invalid_request", grant_type=""),
    "no app": token(400, "invalid_request", client_id=""),
    "no secret": token(400, "invalid_request", client_secret=""),
    "no instance": token(400, "invalid_request", instance_id=""),
    "an unknown instance": token(400, "invalid_grant", instance_id="site-2"),
    "an unknown instance and a wrong secret": token(
        401, "invalid_client", instance_id="site-2", client_secret="wrong"
    ),
    "a token request that is no JSON": Row(TOKEN, b"{nothing", 400, "invalid_request"),
}

CONTRACT: Table = {
    **TRIGGER_KEYS,
    **EVENTS,
    **IN_BULK,
    **BULK,
    **CANCELS,
    **STATUSES,
    **KEYS,
    **TOKENS,
}
