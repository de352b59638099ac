"""The platform's own SDK works against the sandbox unchanged, and shows its errors as it should."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sdk import fetch
from tests.servers.sandbox_process import SandboxProcess
from tests.unit.sandbox.calling import ENTITY, an_entity

APP = {"app": "app-1", "secret": "secret-1", "instance": "site-1"}
TRIGGER = "invoice_overdue"
SCHEMA = {
    "type": "object",
    "required": ["invoiceId"],
    "properties": {"invoiceId": {"type": "string"}, "amount": {"type": "number"}},
}
GOOD = {"invoiceId": "inv-7", "amount": 120.5}


@pytest.fixture(scope="session")
def script() -> Path:
    return fetch.ensure_installed()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """It knows one app and one trigger, which has a schema."""
    folder = tmp_path_factory.mktemp("sandbox")
    schemas = folder / "schemas"
    schemas.mkdir()
    (schemas / f"{TRIGGER}.json").write_text(json.dumps(SCHEMA))
    flags = ("--app", "app-1:secret-1", "--schemas", str(schemas), "--only-known-triggers")
    process = SandboxProcess(folder, flags).start()
    yield process
    process.stop()


class Sdk:
    """Calls through the SDK, each list of steps in a process of its own."""

    def __init__(self, script: Path, url: str) -> None:
        self._command = ["node", str(script), url]

    def outcomes(self, *steps: dict[str, Any], client: dict[str, str] = APP) -> list[Any]:
        """What each call gave: `value` or `error`, and what was `sent`."""
        done = subprocess.run(
            self._command,
            input=json.dumps([{"client": client}, *steps]),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        outcomes: list[Any] = json.loads(done.stdout)
        return outcomes

    def error(self, *steps: dict[str, Any], client: dict[str, str] = APP) -> Any:
        """What the last of the steps threw."""
        outcome = self.outcomes(*steps, client=client)[-1]
        assert "error" in outcome, outcome
        return outcome["error"]


@pytest.fixture
def sdk(script: Path, sandbox: SandboxProcess) -> Sdk:
    sandbox.reset()
    return Sdk(script, sandbox.url)


def report(payload: object = GOOD, *, trigger: str = TRIGGER, **fields: Any) -> dict[str, Any]:
    return {"call": ["reportEvent", trigger, {"payload": payload, **fields}]}


def request_ids(sandbox: SandboxProcess) -> set[str]:
    return {row["request_id"] for row in sandbox.journal()}


# --- what goes well ---------------------------------------------------------------------------


def test_an_event_is_reported_once_and_cancelled(sdk: Sdk, sandbox: SandboxProcess) -> None:
    key = {"key": "k-1", "ttlInMilliseconds": "86400000"}
    first, again, cancelled = sdk.outcomes(
        report(
            {**GOOD, "count": 2**53, "lines": [{"sku": "a", "qty": 2}]},
            externalEntityId=ENTITY,
            idempotency=key,
        ),
        report(externalEntityId=ENTITY, idempotency=key),
        {"call": ["cancelEvent", TRIGGER, ENTITY]},
    )
    (activation,) = first["value"]["activationIds"]
    assert again["value"].get("activationIds", []) == []
    assert cancelled["value"] in ({}, None)
    reported, cancel = sandbox.reports()
    assert reported["activation_ids"] == [activation]
    assert (reported["came"], reported["cancelled_by"], cancel["cancels"]) == (2, 2, [1])
    assert reported["payload"]["count"] == 2**53
    assert reported["payload"]["lines"] == [{"sku": "a", "qty": 2}]


def test_the_wire_is_as_the_contract_has_it(sdk: Sdk) -> None:
    first, second = sdk.outcomes(report({"invoiceId": "x", "n": 2**53}), report())
    token, event = first["sent"]
    assert (token["path"], token.get("authorization")) == ("/oauth2/token", None)
    assert json.loads(token["body"]) == {
        "instance_id": "site-1",
        "client_id": "app-1",
        "client_secret": "secret-1",
        "grant_type": "client_credentials",
    }
    assert event["path"] == "/automations/v1/events/report"
    assert event["headers"]["Content-Type"] == "application/json"
    assert not event["authorization"].lower().startswith("bearer")
    assert '"n":9007199254740992' in event["body"]
    # One token serves until it expires.
    assert [call["path"] for call in second["sent"]] == ["/automations/v1/events/report"]


def test_many_events_are_reported_and_cancelled_in_bulk(sdk: Sdk, sandbox: SandboxProcess) -> None:
    events = [
        {"payload": GOOD, "externalEntityId": an_entity(n), "idempotency": {"key": f"k-{n}"}}
        for n in range(3)
    ]
    events[1]["payload"] = {"invoiceId": 7}
    reported, cancelled = sdk.outcomes(
        {"call": ["bulkReportEvent", TRIGGER, events]},
        {"call": ["bulkCancelEvent", TRIGGER, [an_entity(0), an_entity(9)]]},
    )
    answer = reported["value"]
    assert answer["triggerKey"] == TRIGGER
    assert answer["bulkActionMetadata"] == {
        "totalSuccesses": 2,
        "totalFailures": 1,
        "undetailedFailures": 0,
    }
    results = sorted(answer["results"], key=lambda it: int(it["itemMetadata"]["originalIndex"]))
    assert [it["itemMetadata"]["success"] for it in results] == [True, False, True]
    assert [len(it["activationIds"]) for it in results] == [1, 0, 1]
    assert results[0]["eventInfo"] == events[0]
    error = results[1]["itemMetadata"]["error"]
    assert error["code"] == "SCHEMA_VALIDATION_FAILED"
    assert error["data"]["fieldViolations"][0]["field"] == "payload.invoiceId"
    answer = cancelled["value"]
    assert answer["bulkActionMetadata"]["totalSuccesses"] == 2
    # `_id` is the SDK's own name for `id`.
    entities = {it["externalEntityId"]: it["itemMetadata"]["_id"] for it in answer["results"]}
    assert entities == {an_entity(0): an_entity(0), an_entity(9): an_entity(9)}
    ended = {it["entity"] for it in sandbox.reports() if it["cancelled_by"] is not None}
    assert ended == {an_entity(0)}


def test_results_that_leave_out_their_defaults_are_results(sdk: Sdk) -> None:
    (outcome,) = sdk.outcomes(
        {"admin": ["settings", {"bulk_results": "sparse"}]},
        {"call": ["bulkReportEvent", TRIGGER, [{"payload": GOOD}]]},
        {"admin": ["settings", {"bulk_results": "full"}]},
    )
    assert outcome["value"]["results"][0]["itemMetadata"] == {"success": True}


# --- errors -----------------------------------------------------------------------------------


def test_a_wrong_field_is_shown_as_a_validation_error(sdk: Sdk, sandbox: SandboxProcess) -> None:
    error = sdk.error(report(externalEntityId="no GUID"))
    assert error["status"] == 400
    assert error["requestId"] in request_ids(sandbox)
    assert error["details"]["requestId"] == error["requestId"]
    (violation,) = error["details"]["validationError"]["fieldViolations"]
    # The SDK names the argument of its own in the place of the body's field.
    assert violation["field"] == "options.externalEntityId"
    assert violation["violatedRule"] == "FORMAT"
    told = json.loads(error["message"])["message"]
    assert told == 'INVALID_ARGUMENT: "options.externalEntityId" must be a GUID'


def test_a_broken_payload_rule_is_shown_with_its_path(sdk: Sdk) -> None:
    error = sdk.error(report({"invoiceId": "x", "who": {"name": "y"}, "n": None}))
    violations = error["details"]["validationError"]["fieldViolations"]
    assert [it["field"] for it in violations] == ["options.payload.n", "options.payload.who"]
    assert {it["ruleName"] for it in violations} == {"PAYLOAD_FORMAT"}


def test_a_missing_payload_is_shown_as_an_application_error(sdk: Sdk) -> None:
    error = sdk.error({"call": ["reportEvent", TRIGGER, {}]})
    assert error["status"] == 400
    assert error["details"]["applicationError"]["code"] == "REQUIRED_PROPERTY"
    assert error["details"]["applicationError"]["description"]


def test_an_unknown_trigger_is_shown_as_denied(sdk: Sdk, sandbox: SandboxProcess) -> None:
    error = sdk.error(report(trigger="someone_elses"))
    assert error["status"] == 403
    assert error["details"]["applicationError"]["code"] == "PERMISSION_DENIED"
    assert "someone_elses" in error["details"]["applicationError"]["description"]
    assert error["requestId"] in request_ids(sandbox)


def test_a_payload_that_does_not_fit_the_schema_is_shown_with_its_path(sdk: Sdk) -> None:
    error = sdk.error(report({"amount": "much"}))
    assert error["status"] == 428
    fields = [it["field"] for it in error["details"]["validationError"]["fieldViolations"]]
    assert fields == ["options.payload.amount", "options.payload.invoiceId"]
    assert error["details"]["requestId"]


def test_a_call_over_quota_is_shown_as_exhausted(sdk: Sdk, sandbox: SandboxProcess) -> None:
    quota = {"admin": ["settings", {"quota": "1/min"}]}
    error = sdk.error(quota, report(), report(), {"admin": ["settings", {"quota": "none"}]})
    assert error["status"] == 429
    assert error["details"]["applicationError"]["code"] == "RESOURCE_EXHAUSTED"
    assert error["requestId"] in request_ids(sandbox)


def test_a_token_that_was_ended_is_shown_as_unauthenticated(sdk: Sdk) -> None:
    error = sdk.error(report(), {"admin": ["reset", {"tokens": True}]}, report())
    assert error["status"] == 401
    assert error["details"]["applicationError"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_of_the_system_is_shown_with_its_status_and_request_id(
    sdk: Sdk, sandbox: SandboxProcess, status: int
) -> None:
    error = sdk.error({"admin": ["faults", {"faults": [str(status)]}]}, report())
    assert error["status"] == status
    assert error["requestId"] in request_ids(sandbox)


@pytest.mark.parametrize("fault", ["409", "404", "html:502", "413"])
def test_other_statuses_are_shown_as_errors(sdk: Sdk, fault: str) -> None:
    error = sdk.error({"admin": ["faults", {"faults": [fault]}]}, report())
    assert str(error["status"]) == fault.removeprefix("html:")
    assert error["requestId"]


def test_a_bulk_call_that_is_refused_as_a_whole_names_its_item(sdk: Sdk) -> None:
    events = [{"payload": GOOD}, {"payload": {"invoiceId": None}}]
    error = sdk.error(
        {"admin": ["settings", {"bulk_bad_item": "call"}]},
        {"call": ["bulkReportEvent", TRIGGER, events]},
        {"admin": ["settings", {"bulk_bad_item": "item"}]},
    )
    assert error["status"] == 400
    fields = [it["field"] for it in error["details"]["validationError"]["fieldViolations"]]
    assert fields == ["eventsInfo[1].payload.invoiceId"]


def test_no_items_are_shown_as_a_validation_error(sdk: Sdk) -> None:
    error = sdk.error({"call": ["bulkReportEvent", TRIGGER, []]})
    assert error["status"] == 400
    (violation,) = error["details"]["validationError"]["fieldViolations"]
    assert violation["field"] == "eventsInfo"


def test_a_wrong_secret_and_an_unknown_instance_are_told_with_the_request_id(
    sdk: Sdk, sandbox: SandboxProcess
) -> None:
    ask = {"call": ["getAuthHeaders"]}
    wrong = sdk.error(ask, client={**APP, "secret": "another"})["message"]
    assert "Unexpected status code from Wix OAuth API: 401, request id: " in wrong
    assert wrong.rpartition(": ")[2] in request_ids(sandbox)
    gone = {"admin": ["instances", {"uninstall": ["site-2"]}]}
    unknown = sdk.error(gone, ask, client={**APP, "instance": "site-2"})["message"]
    assert "Unexpected status code from Wix OAuth API: 400" in unknown
    # Where a report needs the token, the SDK keeps this to itself.
    hidden = sdk.error(report(), client={**APP, "secret": "another"})
    assert "System error occurred" in hidden["message"]
