"""The sandbox answers as the page on the report endpoint has it."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.rules import Rules
from streamer.sandbox.server import SandboxOptions
from streamer.sandbox.trigger_schemas import TriggerSchemas, load_schemas
from tests.unit.sandbox.calling import (
    CREDENTIALS,
    ENTITY,
    INSTANCE,
    REPORT,
    TOKEN,
    App,
    by_index,
    keyed,
)
from tests.unit.sandbox.conftest import StartApp
from tests.unit.sandbox.contract import (
    ACTIVATION,
    CONTRACT,
    FITTING,
    ONE_APP,
    SCHEMA,
    WITH_SCHEMA,
    Row,
)

GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


async def call(app: App, row: Row) -> httpx.Response:
    headers = {"Content-Type": row.content_type}
    if row.call != TOKEN:
        headers["Authorization"] = app.token if row.token is None else row.token
    body = row.body if isinstance(row.body, bytes) else json.dumps(row.body).encode()
    return await app.client.post(row.call, content=body, headers=headers)


@pytest.mark.parametrize("row", CONTRACT.values(), ids=CONTRACT.keys())
async def test_the_endpoint_answers_as_its_page_has_it(start_app: StartApp, row: Row) -> None:
    app = await start_app(SandboxOptions(rules=row.rules))
    for _ in range(row.before):
        await call(app, row)
    app.set_faults(*([parse_fault(row.fault)] if row.fault else []))
    answer = await call(app, row)
    assert answer.status_code == row.status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-wix-request-id"]
    if row.call == TOKEN:
        assert answer.json().get("error") == row.code
    elif row.status == 200:
        expect_success(answer.json(), row)
    else:
        expect_error(answer.json(), row)


def expect_error(body: Any, row: Row) -> None:
    details = body["details"]
    assert body["message"]
    assert details.get("applicationError", {}).get("code") == row.code
    assert violations(details.get("validationError", {})) == row.fields
    if row.code is None and not row.fields:
        assert details == {}


def expect_success(body: Any, row: Row) -> None:
    if "results" in body and row.items:
        results = by_index(body)
        errors = [result["itemMetadata"].get("error") for result in results]
        assert tuple("ok" if error is None else error["code"] for error in errors) == row.items
        found = [field for error in errors if error for field in violations(error["data"])]
        assert tuple(found) == row.item_fields
        assert body["bulkActionMetadata"] == {
            "totalSuccesses": row.items.count("ok"),
            "totalFailures": len(row.items) - row.items.count("ok"),
            "undetailedFailures": 0,
        }
    if row.answer is not None:
        if "results" in body and len(body["results"]) > 1:
            body["results"] = by_index(body)
        written = json.dumps(body)
        ids = re.sub(
            rf'"activationIds": \["{GUID}"\]', f'"activationIds": ["{ACTIVATION}"]', written
        )
        assert json.loads(ids) == row.answer


def violations(where: Any) -> tuple[str, ...]:
    found = where.get("fieldViolations", [])
    for violation in found:
        assert set(violation) == {"field", "description", "violatedRule", "ruleName", "data"}
    return tuple(f"{violation['field']} {violation['violatedRule']}" for violation in found)


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


@pytest.mark.parametrize("form", ["json", "data"])
async def test_a_token_is_given_for_json_and_for_form_encoding(
    start_app: StartApp, form: str
) -> None:
    app = await start_app(SandboxOptions(rules=ONE_APP))
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
    app = await start_app(SandboxOptions(rules=WITH_SCHEMA))
    assert (await app.report(triggerKey="other", payload={})).status_code == 200


async def test_a_schema_refers_to_its_own_parts(start_app: StartApp, tmp_path: Path) -> None:
    schema = {
        "$id": "http://schemas.test/t.json",
        "properties": {
            "a": {"$ref": "#/definitions/whole"},
            "b": {"$ref": "t.json#/definitions/whole"},
            "c": {"$ref": "#/definitions/endless"},
        },
        "definitions": {
            "whole": {"type": "integer"},
            "endless": {"allOf": [{"$ref": "#/definitions/endless"}]},
        },
    }
    (tmp_path / "t.json").write_text(json.dumps(schema))
    app = await start_app(SandboxOptions(rules=Rules(schemas=load_schemas(tmp_path))))
    for name, value, status in (("a", 1, 200), ("b", 1, 200), ("a", "x", 428), ("b", "x", 428)):
        answer = await app.report(triggerKey="t", payload={name: value})
        assert answer.status_code == status
    endless = await app.report(triggerKey="t", payload={"c": 1})
    (violation,) = endless.json()["details"]["validationError"]["fieldViolations"]
    assert (endless.status_code, violation["ruleName"]) == (428, "$ref")


async def test_a_trigger_that_the_app_does_not_own_is_denied_where_wanted(
    start_app: StartApp,
) -> None:
    rules = Rules(schemas=TriggerSchemas({"own": SCHEMA}), only_known_triggers=True)
    app = await start_app(SandboxOptions(rules=rules))
    assert (await app.report(triggerKey="own", payload=FITTING)).status_code == 200
    for answer in (await app.report(externalEntityId=ENTITY), await app.cancel()):
        assert answer.status_code == 403
        assert answer.json()["details"]["applicationError"]["code"] == "PERMISSION_DENIED"


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
    app = await start_app(SandboxOptions(rules=WITH_SCHEMA))
    refusals = [
        await app.report(payload={"amount": "hidden-value", "due": "hidden-value"}),
        await app.report(payload={"a": {"b": "hidden-value"}}),
        await app.report(externalEntityId="hidden-value", idempotency=keyed("hidden-value" * 9)),
    ]
    assert all(answer.status_code in (400, 428) for answer in refusals)
    assert "hidden-value" not in "".join(json.dumps(answer.json()) for answer in refusals)
