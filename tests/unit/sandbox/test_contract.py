"""The page on the report endpoint, as a table: each call, status, limit and field it documents."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from streamer.sandbox.platform import Rules
from streamer.sandbox.server import SandboxOptions
from streamer.sandbox.trigger_schemas import TriggerSchemas, load_schemas
from tests.unit.sandbox.calling import (
    CANCEL,
    CREDENTIALS,
    ENTITY,
    INSTANCE,
    REPORT,
    TOKEN,
    keyed,
    report_body,
)
from tests.unit.sandbox.conftest import StartApp

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

ACCEPTED: dict[str, dict[str, Any]] = {
    "an empty payload": {"payload": {}},
    "a trigger key of one character": {"triggerKey": "t"},
    "a trigger key of 100 characters": {"triggerKey": "t" * 100},
    "an entity": {"externalEntityId": ENTITY},
    "an entity in capitals": {"externalEntityId": ENTITY.upper()},
    "a key of one character": {"idempotency": keyed("k")},
    "a key of 80 characters": {"idempotency": keyed("k" * 80)},
    "a time to live of one": {"idempotency": keyed("k", "1")},
    "a time to live of a year": {"idempotency": keyed("k", "31536000000")},
    "scalars of every type": {"payload": {"s": "a", "n": 1.5, "i": 3, "b": False}},
    "an empty text": {"payload": {"s": ""}},
    "an empty array": {"payload": {"lines": []}},
    "an array of objects of scalars": {"payload": {"lines": [{"s": "a", "n": 2}, {}]}},
    "key names with digits and underscores": {"payload": {"a_1": 1, "1st": 2, "A__": 3}},
    "a field that the page does not name": {"note": "ignored"},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_a_report_within_the_limits_is_accepted(
    start_app: StartApp, changes: dict[str, Any]
) -> None:
    app = await start_app()
    answer = await app.report(**changes)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    (activation,) = answer.json()["activationIds"]
    assert GUID.fullmatch(activation)
    assert (await app.entries())[0]["activation_ids"] == [activation]


REFUSED_FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no trigger key": ({"triggerKey": None}, "triggerKey", "REQUIRED_FIELD"),
    "an empty trigger key": ({"triggerKey": ""}, "triggerKey", "MIN_LENGTH"),
    "a trigger key of 101": ({"triggerKey": "t" * 101}, "triggerKey", "MAX_LENGTH"),
    "a trigger key that is a number": ({"triggerKey": 5}, "triggerKey", "FORMAT"),
    "an entity that is no GUID": ({"externalEntityId": "inv-7"}, "externalEntityId", "FORMAT"),
    "an empty entity": ({"externalEntityId": ""}, "externalEntityId", "FORMAT"),
    "idempotency that is text": ({"idempotency": "k"}, "idempotency", "FORMAT"),
    "idempotency without a key": ({"idempotency": {}}, "idempotency.key", "REQUIRED_FIELD"),
    "an empty key": ({"idempotency": keyed("")}, "idempotency.key", "MIN_LENGTH"),
    "a key of 81": ({"idempotency": keyed("k" * 81)}, "idempotency.key", "MAX_LENGTH"),
    **{
        f"a time to live of {ttl!r}": (
            {"idempotency": {"key": "k", "ttlInMilliseconds": ttl}},
            "idempotency.ttlInMilliseconds",
            "FORMAT",
        )
        for ttl in (60_000, "0", "-1", "1.5", "1e3", "", "9223372036854775808", "٣")
    },
    "a payload of text": ({"payload": "text"}, "payload", "OTHER"),
    "a payload that is an array": ({"payload": [{}]}, "payload", "OTHER"),
    "a null": ({"payload": {"a": None}}, "payload.a", "OTHER"),
    "an object at the top": ({"payload": {"a": {"b": 1}}}, "payload.a", "OTHER"),
    "an array of scalars": ({"payload": {"a": [1]}}, "payload.a[0]", "OTHER"),
    "an array of arrays": ({"payload": {"a": [[{}]]}}, "payload.a[0]", "OTHER"),
    "a null in an array": ({"payload": {"a": [{}, None]}}, "payload.a[1]", "OTHER"),
    "a null in an item": ({"payload": {"a": [{"b": None}]}}, "payload.a[0].b", "OTHER"),
    "an array in an item": ({"payload": {"a": [{"b": []}]}}, "payload.a[0].b", "OTHER"),
    "an object in an item": ({"payload": {"a": [{"b": {}}]}}, "payload.a[0].b", "OTHER"),
    "a name with an underscore first": ({"payload": {"_a": 1}}, "payload._a", "OTHER"),
    "a name with a dash": ({"payload": {"a-b": 1}}, "payload.a-b", "OTHER"),
    "a name that is empty": ({"payload": {"": 1}}, "payload.", "OTHER"),
    "a name with another script": ({"payload": {"naïve": 1}}, "payload.naïve", "OTHER"),
    "a wrong name in an item": ({"payload": {"a": [{"$b": 1}]}}, "payload.a[0].$b", "OTHER"),
}


@pytest.mark.parametrize(
    ("changes", "field", "rule"), REFUSED_FIELDS.values(), ids=REFUSED_FIELDS.keys()
)
async def test_a_field_beyond_its_limit_is_a_400_that_names_it(
    start_app: StartApp, changes: dict[str, Any], field: str, rule: str
) -> None:
    app = await start_app()
    answer = await app.report(**changes)
    assert answer.status_code == 400
    assert answer.json()["message"]
    (violation,) = answer.json()["details"]["validationError"]["fieldViolations"]
    assert (violation["field"], violation["violatedRule"]) == (field, rule)
    assert set(violation) == {"field", "description", "violatedRule", "ruleName", "data"}
    assert await app.entries() == []


async def test_all_wrong_fields_are_named_at_once(start_app: StartApp) -> None:
    app = await start_app()
    answer = await app.report(triggerKey="", externalEntityId="x", idempotency=keyed(""))
    violations = answer.json()["details"]["validationError"]["fieldViolations"]
    assert [v["field"] for v in violations] == ["triggerKey", "idempotency.key", "externalEntityId"]


@pytest.mark.parametrize("payload", [b"", b'"payload":null,'], ids=["missing", "null"])
async def test_a_report_without_a_payload_is_a_required_property(
    start_app: StartApp, payload: bytes
) -> None:
    app = await start_app()
    answer = await app.client.post(
        REPORT,
        content=b"{" + payload + b'"triggerKey":"t"}',
        headers={"Authorization": app.token, "Content-Type": "application/json"},
    )
    assert answer.status_code == 400
    assert answer.json()["details"]["applicationError"]["code"] == "REQUIRED_PROPERTY"


NOT_A_CALL: dict[str, tuple[str, bytes]] = {
    "no JSON": ("application/json", b"triggerKey=t"),
    "cut JSON": ("application/json", b'{"triggerKey": "t", "payl'),
    "nothing": ("application/json", b""),
    "an array": ("application/json", b"[]"),
    "bytes that are no text": ("application/json", b'{"triggerKey": "\xff\xfe", "payload": {}}'),
    "JSON nested without end": ("application/json", b'{"a":' * 50_000),
    "a payload nested without end": (
        "application/json",
        b'{"triggerKey":"t","payload":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
    ),
    "another content type": ("text/plain", b'{"triggerKey": "t", "payload": {}}'),
}


@pytest.mark.parametrize("path", [REPORT, CANCEL])
@pytest.mark.parametrize(("content_type", "body"), NOT_A_CALL.values(), ids=NOT_A_CALL.keys())
async def test_a_body_that_is_no_call_is_a_400(
    start_app: StartApp, path: str, content_type: str, body: bytes
) -> None:
    app = await start_app()
    headers = {"Authorization": app.token, "Content-Type": content_type}
    answer = await app.client.post(path, content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_numbers_keep_their_exact_digits_in_the_ledger(start_app: StartApp) -> None:
    app = await start_app()
    payload = (
        b'{"big":123456789012345678901234567890,"price":10.10,"tiny":1e-400,"i":9007199254740993}'
    )
    await app.client.post(
        REPORT,
        content=b'{"triggerKey":"t","payload":' + payload + b"}",
        headers={"Authorization": app.token, "Content-Type": "application/json; charset=utf-8"},
    )
    ledger = await app.client.get("/sandbox/reports")
    assert b'"payload":' + payload in ledger.content


# --- cancels ----------------------------------------------------------------------------------


async def test_a_cancel_answers_an_empty_object_whether_or_not_there_is_something_to_cancel(
    start_app: StartApp,
) -> None:
    app = await start_app()
    await app.report(externalEntityId=ENTITY)
    for _ in range(2):
        answer = await app.cancel(ENTITY.upper())
        assert (answer.status_code, answer.json()) == (200, {})
    report, *_ = await app.entries()
    assert (report["entity"], report["cancelled_by"]) == (ENTITY, 2)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["triggerKey", "externalEntityId"]),
        ({"triggerKey": "t", "externalEntityId": "7"}, ["externalEntityId"]),
        ({"triggerKey": "t" * 101, "externalEntityId": ENTITY}, ["triggerKey"]),
    ],
)
async def test_a_cancel_beyond_the_limits_is_a_400(
    start_app: StartApp, body: dict[str, str], fields: list[str]
) -> None:
    app = await start_app()
    answer = await app.send(CANCEL, body)
    assert answer.status_code == 400
    violations = answer.json()["details"]["validationError"]["fieldViolations"]
    assert [violation["field"] for violation in violations] == fields


# --- tokens -----------------------------------------------------------------------------------

ONE_APP = SandboxOptions(rules=Rules(apps={"app-1": "secret-1"}))


@pytest.mark.parametrize("form", ["json", "data"])
async def test_a_token_is_given_for_json_and_for_form_encoding(
    start_app: StartApp, form: str
) -> None:
    app = await start_app(ONE_APP)
    body: Any = {form: dict(CREDENTIALS)}
    answer = await app.client.post(TOKEN, **body)
    assert answer.status_code == 200
    granted = answer.json()
    assert set(granted) == {"access_token", "token_type", "expires_in"}
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 14_400)
    assert answer.headers["cache-control"] == "no-store"
    app.token = granted["access_token"]
    assert (await app.report()).status_code == 200
    assert (await app.entries())[0]["instance"] == INSTANCE


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer "])
async def test_a_token_is_good_with_and_without_bearer(start_app: StartApp, prefix: str) -> None:
    app = await start_app()
    app.token = prefix + app.token
    assert (await app.report()).status_code == 200


TOKEN_REFUSALS: dict[str, tuple[dict[str, str], int, str]] = {
    "a wrong secret": ({"client_secret": "wrong"}, 401, "invalid_client"),
    "a secret that is no ASCII": ({"client_secret": "sécrèt"}, 401, "invalid_client"),
    "an unknown app": ({"client_id": "other"}, 401, "invalid_client"),
    "another grant": ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    "no grant": ({"grant_type": ""}, 400, "invalid_request"),
    "no app": ({"client_id": ""}, 400, "invalid_request"),
    "no secret": ({"client_secret": ""}, 400, "invalid_request"),
    "no instance": ({"instance_id": ""}, 400, "invalid_request"),
}


@pytest.mark.parametrize(
    ("changes", "status", "error"), TOKEN_REFUSALS.values(), ids=TOKEN_REFUSALS.keys()
)
async def test_a_wrong_token_request_is_refused_as_rfc_6749_has_it(
    start_app: StartApp, changes: dict[str, str], status: int, error: str
) -> None:
    app = await start_app(ONE_APP)
    answer = await app.client.post(TOKEN, json={**CREDENTIALS, **changes})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


async def test_a_token_request_that_is_no_json_is_an_invalid_request(start_app: StartApp) -> None:
    app = await start_app()
    headers = {"Content-Type": "application/json"}
    answer = await app.client.post(TOKEN, content=b"{nothing", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("token", ["", "made-up", "Bearer made-up"])
@pytest.mark.parametrize("path", [REPORT, CANCEL])
async def test_a_call_without_a_good_token_is_unauthenticated(
    start_app: StartApp, path: str, token: str
) -> None:
    app = await start_app()
    app.token = token
    answer = await app.send(path, report_body(externalEntityId=ENTITY))
    assert answer.status_code == 401
    assert answer.json()["details"]["applicationError"]["code"] == "UNAUTHENTICATED"
    assert "made-up" not in answer.text


# --- schemas and owners -----------------------------------------------------------------------

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
WITH_SCHEMA = SandboxOptions(rules=Rules(schemas=TriggerSchemas({"invoice_overdue": SCHEMA})))

UNFIT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "two required are missing": ({}, ["payload.amount", "payload.due"]),
    "text for a number": ({**FITTING, "amount": "1"}, ["payload.amount"]),
    "true for an integer": ({**FITTING, "days": True}, ["payload.days"]),
    "a fraction for an integer": ({**FITTING, "days": 1.5}, ["payload.days"]),
    "a date without a time": ({**FITTING, "due": "2026-11-24"}, ["payload.due"]),
    "a time without a zone": ({**FITTING, "due": "2026-11-24T10:00:00"}, ["payload.due"]),
    "a contact that is no UUID": ({**FITTING, "contact": "c-1"}, ["payload.contact"]),
    "an item's property": (
        {**FITTING, "lines": [{"sku": "a"}, {"sku": 1}]},
        ["payload.lines[1].sku"],
    ),
}


@pytest.mark.parametrize(("payload", "fields"), UNFIT.values(), ids=UNFIT.keys())
async def test_a_payload_that_does_not_fit_the_schema_is_a_428_with_the_fields(
    start_app: StartApp, payload: dict[str, Any], fields: list[str]
) -> None:
    app = await start_app(WITH_SCHEMA)
    answer = await app.report(payload=payload)
    assert answer.status_code == 428
    details = answer.json()["details"]
    assert details["applicationError"]["code"] == "SCHEMA_VALIDATION_FAILED"
    violations = details["validationError"]["fieldViolations"]
    assert [violation["field"] for violation in violations] == fields


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"another": "property, though the schema says additionalProperties: false"},
        {"days": 3.0, "paid": True, "lines": [{"sku": "a", "qty": 1}]},
        {"due": "2026-11-24T10:00:00.123+02:00", "contact": ENTITY},
    ],
)
async def test_a_payload_that_fits_is_accepted(start_app: StartApp, more: dict[str, Any]) -> None:
    app = await start_app(WITH_SCHEMA)
    assert (await app.report(payload={**FITTING, **more})).status_code == 200


async def test_a_step_of_cents_is_exact(start_app: StartApp, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"properties": {"amount": {"multipleOf": 0.01}}}')
    cents = load_schemas(tmp_path)
    app = await start_app(SandboxOptions(rules=Rules(schemas=cents)))
    for amount, status in ((1.1, 200), (4.35, 200), (1.005, 428)):
        answer = await app.report(triggerKey="t", payload={"amount": amount})
        assert answer.status_code == status
    answer = await app.client.post(
        REPORT,
        content=b'{"triggerKey":"t","payload":{"amount":1e400}}',
        headers={"Authorization": app.token, "Content-Type": "application/json"},
    )
    assert answer.status_code == 428


async def test_a_trigger_without_a_schema_takes_any_payload(start_app: StartApp) -> None:
    app = await start_app(WITH_SCHEMA)
    assert (await app.report(triggerKey="other", payload={})).status_code == 200


async def test_a_trigger_that_the_app_does_not_own_is_denied_where_wanted(
    start_app: StartApp,
) -> None:
    rules = Rules(schemas=TriggerSchemas({"own": SCHEMA}), only_known_triggers=True)
    app = await start_app(SandboxOptions(rules=rules))
    assert (await app.report(triggerKey="own", payload=FITTING)).status_code == 200
    for answer in (await app.report(externalEntityId=ENTITY), await app.cancel()):
        assert answer.status_code == 403
        assert answer.json()["details"]["applicationError"]["code"] == "PERMISSION_DENIED"


# --- every answer -----------------------------------------------------------------------------


async def test_every_answer_has_a_request_id_of_its_own(start_app: StartApp) -> None:
    app = await start_app()
    answers = [
        await app.report(),
        await app.cancel(),
        await app.report(triggerKey=""),
        await app.client.post(TOKEN, json={}),
        await app.client.post("/nowhere"),
        await app.client.get("/sandbox/summary"),
    ]
    ids = [answer.headers["x-wix-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert (await app.entries())[0]["request_id"] == ids[0]


async def test_a_call_that_is_not_there_says_which_there_are(start_app: StartApp) -> None:
    app = await start_app()
    answer = await app.client.post("/automations/v1/events/reports")
    assert answer.status_code == 404
    assert REPORT in answer.json()["message"]
    assert (await app.client.get(REPORT)).status_code == 405
    assert (await app.client.post(f"{REPORT}?dry=1")).status_code == 404


async def test_no_refusal_repeats_a_value_of_the_payload(start_app: StartApp) -> None:
    app = await start_app(WITH_SCHEMA)
    refusals = [
        await app.report(payload={"amount": "hidden-value", "due": "hidden-value"}),
        await app.report(payload={"a": {"b": "hidden-value"}}),
        await app.report(externalEntityId="hidden-value", idempotency=keyed("hidden-value" * 9)),
    ]
    assert all(answer.status_code in (400, 428) for answer in refusals)
    assert "hidden-value" not in "".join(json.dumps(answer.json()) for answer in refusals)
