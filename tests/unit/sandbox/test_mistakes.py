"""A mistake of the sandbox's own: its caller is answered, the call is noted, the log says where."""

import json
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from streamer.sandbox import http_edge, platform
from streamer.sandbox.payloads import read_payload
from tests.unit.sandbox.calling import BULK_REPORT, REPORT, App, an_event
from tests.unit.sandbox.conftest import StartApp
from tests.unit.sandbox.test_wire import harm


class Mistake(Exception):
    """What nobody thought of; a payload may stand in its text."""


def wrong(*_: Any) -> Any:
    raise Mistake("hidden-value")


@pytest.fixture
def no_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload with `hidden-value` in it cannot be judged."""

    def read(raw: bytes) -> Any:
        return wrong() if b"hidden-value" in raw else read_payload(raw)

    monkeypatch.setattr(platform, "read_payload", read)


def is_own_mistake(answer: httpx.Response) -> bool:
    said = answer.json()
    return answer.status_code == 500 and bool(said["message"]) and said["details"] == {}


async def noted(app: App, call: str) -> list[tuple[str, str]]:
    """Outcome and ending of each row of such calls; they are counted as often."""
    rows = (await app.admin(f"journal?call={call}"))["rows"]
    assert sum((await app.summary())["calls"][call].values()) == len(
        {r["request_id"] for r in rows}
    )
    return [(row["outcome"], row["ending"]) for row in rows]


@pytest.mark.usefixtures("no_judgement")
async def test_a_call_that_cannot_be_judged_is_answered_noted_and_logged_in_a_line(
    start_app: StartApp,
) -> None:
    app = await start_app()
    with capture_logs() as logs:
        answer = await app.report(payload={"a": "hidden-value"})
    assert is_own_mistake(answer)
    assert await noted(app, "report") == [("not-taken-in", "500")]
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("sandbox_made_a_mistake", "error")
    assert (line["call"], line["error"]) == ("report", "Mistake")
    assert line["request_id"] == answer.headers["x-wix-request-id"]
    assert "test_mistakes.py:" in line["at"]
    assert "hidden-value" not in str(line)
    assert (await app.report()).status_code == 200


@pytest.mark.usefixtures("no_judgement")
async def test_a_bulk_call_with_an_item_that_cannot_be_judged_takes_none_in(
    start_app: StartApp,
) -> None:
    app = await start_app()
    events = [an_event(number) for number in range(20)]
    assert is_own_mistake(
        await app.bulk_report(*events, an_event(20, payload={"a": "hidden-value"}))
    )
    assert await app.entries() == []
    assert await noted(app, "bulk-report") == [("not-taken-in", "500")]
    again = (await app.bulk_report(*events)).json()
    assert again["bulkActionMetadata"]["totalSuccesses"] == 20
    assert len(await app.entries()) == 20


async def test_a_call_that_cannot_be_read_is_answered(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_app()
    with monkeypatch.context() as patch:
        patch.setattr(app.sandbox.platform.usages, "call", wrong)
        assert is_own_mistake(await app.report())
    assert await noted(app, "report") == [("not-taken-in", "500")]


@pytest.mark.parametrize(("fault", "outcome"), [("429 after", "accepted"), ("429", "not-taken-in")])
@pytest.mark.parametrize("latency", ["latency=0s", "latency=1ms", "latency=1ms before"])
async def test_an_answer_that_cannot_be_made_up_is_another_however_late(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch, fault: str, outcome: str, latency: str
) -> None:
    app = await start_app()
    monkeypatch.setattr(http_edge, "made_up", wrong)
    harm(app, fault, latency)
    assert is_own_mistake(await app.report())
    assert await noted(app, "report") == [(outcome, "500")]
    assert len(await app.entries()) == (outcome == "accepted")


@pytest.mark.usefixtures("no_judgement")
async def test_a_mistake_after_a_latency_is_answered(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "latency=1ms before")
    assert is_own_mistake(await app.report(payload={"a": "hidden-value"}))


async def test_a_mistake_in_the_sandboxs_own_calls_is_answered(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start_app()
    monkeypatch.setattr(app.sandbox.journal, "page", wrong)
    assert is_own_mistake(await app.client.get("/sandbox/journal"))
    assert (await app.report()).status_code == 200


# --- numbers that no decimal holds ------------------------------------------------------------

NUMBERS = ["1e99999999999999999999", "1e-99999999999999999999", "9" * 5_000]


async def send(app: App, path: str, body: str) -> httpx.Response:
    headers = {"Authorization": app.token, "Content-Type": "application/json"}
    return await app.client.post(path, content=body.encode(), headers=headers)


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_number_that_is_too_large_is_a_violation(start_app: StartApp, number: str) -> None:
    app = await start_app()
    answer = await send(app, REPORT, '{"triggerKey":"t","payload":{"a":' + number + "}}")
    (violation,) = answer.json()["details"]["validationError"]["fieldViolations"]
    assert answer.status_code == 400
    assert (violation["field"], violation["ruleName"]) == ("payload", "PAYLOAD_FORMAT")
    assert violation["description"] == "has a number that is too large"
    assert (await app.summary())["calls"]["report"] == {"400": 1}


async def test_a_number_that_is_too_large_fails_its_item_alone(start_app: StartApp) -> None:
    app = await start_app()
    items = [json.dumps(an_event(number)) for number in range(20)]
    items.insert(7, '{"payload":{"a":1e99999999999999999999}}')
    body = '{"triggerKey":"t","eventsInfo":[' + ",".join(items) + "]}"
    answer = (await send(app, BULK_REPORT, body)).json()
    assert answer["bulkActionMetadata"]["totalFailures"] == 1
    assert [entry["bulk_index"] for entry in await app.entries()].count(7) == 0
    assert len(await app.entries()) == 20
    assert len(await noted(app, "bulk-report")) == 21
