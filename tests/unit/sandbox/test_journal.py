"""The journal: what came lately, accepted or not, as the page shows it."""

from typing import Any

import httpx
import pytest

from streamer.sandbox.answers import invalid_argument
from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.faults import CallKind
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.incoming import Incoming
from streamer.sandbox.journal import Journal
from streamer.sandbox.quota import Quota
from streamer.sandbox.rules import BulkBadItem, Rules
from streamer.sandbox.server import SandboxOptions
from streamer.sandbox.tokens import Caller
from tests.unit.sandbox.calling import (
    CREDENTIALS,
    ENTITY,
    REPORT,
    TOKEN,
    App,
    an_entity,
    an_event,
    keyed,
)
from tests.unit.sandbox.conftest import StartApp

SITE = Caller("app-1", "site-1")


async def rows(app: App, query: str = "") -> list[dict[str, Any]]:
    """Without the token call that every test begins with."""
    page = await app.admin(f"journal{query}")
    found: list[dict[str, Any]] = page["rows"]
    return [row for row in found if row["number"] > 1]


def columns(found: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found]


async def test_a_row_has_all_of_an_accepted_report(start_app: StartApp) -> None:
    app = await start_app()
    answer = await app.report(
        payload={"price": 10.10}, externalEntityId=ENTITY, idempotency=keyed("k")
    )
    (row,) = await rows(app)
    assert row == {
        "number": 2,
        "at_ms": app.sandbox.journal.page(None, 1).rows[0].at_ms,
        "call": "report",
        "bulk_index": None,
        "trigger": "invoice_overdue",
        "app": "app-1",
        "instance": "site-1",
        "entity": ENTITY,
        "idempotency_key": "k",
        "payload": {"price": 10.10},
        "outcome": "accepted",
        "ending": "200",
        "error": None,
        "ledger_number": 1,
        "repeat_of": None,
        "came": 1,
        "cancelled_by": None,
        "request_id": answer.headers["x-wix-request-id"],
    }


async def test_a_row_tells_what_became_of_its_call_and_why(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(quota=Quota(6))))
    await app.report(idempotency=keyed("k"))
    await app.report(idempotency=keyed("k"), payload={"n": 2})
    await app.report(idempotency=keyed("l"), payload={"n": None})
    await app.report(externalEntityId="no GUID", idempotency=keyed("m"))
    app.set_faults(parse_fault("503"))
    await app.report(idempotency=keyed("n"))
    app.set_faults(parse_fault("503 after"))
    await app.report(idempotency=keyed("o"))
    app.set_faults()
    await app.report(idempotency=keyed("p"))
    found = await rows(app)
    assert columns(found[:2], "repeat_of", "came") == [(None, 2), (1, 2)]
    assert columns(found, "idempotency_key", "outcome", "ending", "ledger_number") == [
        ("k", "accepted", "200", 1),
        ("k", "ignored", "200", None),
        ("l", "refused", "400", None),
        ("m", "refused", "400", None),
        ("n", "not-taken-in", "503", None),
        ("o", "accepted", "503", 2),
        ("p", "refused", "429", None),
    ]
    assert all(row["trigger"] == "invoice_overdue" for row in found)
    assert all(row["instance"] == "site-1" for row in found)
    assert found[1]["payload"] == {"n": 2}
    assert found[2]["error"]["data"]["fieldViolations"][0]["field"] == "payload.n"
    assert (found[3]["entity"], found[3]["error"]["code"]) == ("no GUID", "INVALID_ARGUMENT")
    assert found[6]["error"]["code"] == "RESOURCE_EXHAUSTED"


async def test_the_items_of_a_bulk_call_are_rows_of_their_own(start_app: StartApp) -> None:
    app = await start_app()
    app.set_faults(parse_fault(f"item:UNAVAILABLE entity={an_entity(3)}"))
    await app.bulk_report(
        an_event(0),
        an_event(1, payload={"n": None}),
        an_event(2, externalEntityId="x"),
        an_event(3, externalEntityId=an_entity(3)),
    )
    found = sorted(await rows(app), key=lambda row: int(row["bulk_index"]))
    assert columns(found, "idempotency_key", "entity", "outcome") == [
        ("k0", None, "accepted"),
        ("k1", None, "refused"),
        ("k2", "x", "refused"),
        ("k3", an_entity(3), "not-taken-in"),
    ]
    codes = [row["error"] and row["error"]["code"] for row in found]
    assert codes == [None, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "UNAVAILABLE"]
    assert {(row["call"], row["ending"]) for row in found} == {("bulk-report", "200")}
    assert {row["number"] for row in found} == {2, 3, 4, 5}


async def test_a_bulk_cancel_has_a_row_for_each_entity(start_app: StartApp) -> None:
    app = await start_app()
    await app.bulk_cancel(an_entity(1), "x")
    found = sorted(await rows(app), key=lambda row: int(row["bulk_index"]))
    assert columns(found, "trigger", "entity", "outcome", "payload") == [
        ("invoice_overdue", an_entity(1), "accepted", None),
        ("invoice_overdue", "x", "refused", None),
    ]


async def test_a_call_that_is_refused_whole_is_one_row(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(bulk_bad_item=BulkBadItem.CALL)))
    await app.bulk_report(an_event(0), {"payload": {"n": None}})
    (row,) = await rows(app)
    assert (row["bulk_index"], row["trigger"]) == (None, "invoice_overdue")
    violation = row["error"]["data"]["fieldViolations"][0]
    assert violation["field"] == "eventsInfo[1].payload.n"


async def test_a_cancel_shows_on_the_row_of_what_it_ended(start_app: StartApp) -> None:
    app = await start_app()
    await app.report(externalEntityId=ENTITY)
    await app.cancel()
    assert columns(await rows(app), "call", "ledger_number", "cancelled_by") == [
        ("report", 1, 2),
        ("cancel", 2, None),
    ]


async def test_a_token_call_is_a_row_without_secret_or_token(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(apps={"app-1": "secret-1"})))
    await app.client.post(TOKEN, json={**CREDENTIALS, "client_secret": "hush-hush"})
    await app.client.post(TOKEN, content=b"hush-hush")
    answer = await app.client.get("/sandbox/journal")
    found = answer.json()["rows"]
    assert columns(found, "call", "app", "instance", "outcome", "ending") == [
        ("token", "app-1", "site-1", "accepted", "200"),
        ("token", "app-1", "site-1", "refused", "401"),
        ("token", None, None, "refused", "400"),
    ]
    assert [row["error"] and row["error"]["code"] for row in found] == [
        None,
        "invalid_client",
        "invalid_request",
    ]
    for secret in ("secret-1", "hush-hush", app.token):
        assert secret not in answer.text


async def test_a_call_without_a_good_token_is_a_row_of_nobody(start_app: StartApp) -> None:
    app = await start_app()
    app.token = "made-up"
    await app.report()
    (row,) = await rows(app)
    assert (row["app"], row["instance"], row["ending"]) == (None, None, "401")
    assert "made-up" not in str(row)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"triggerKey": 5, "payload": 1, "idempotency": []}', b"\xff", b"[" * 9999],
)
async def test_any_body_can_be_shown(start_app: StartApp, body: bytes) -> None:
    app = await start_app()
    headers = {"Authorization": app.token, "Content-Type": "application/json"}
    answer = await app.client.post(REPORT, content=body, headers=headers)
    assert answer.status_code == 400
    (row,) = await rows(app)
    assert (row["trigger"], row["outcome"], row["error"]["code"]) == (
        None,
        "refused",
        "INVALID_ARGUMENT",
    )


async def test_calls_without_an_answer_are_rows_too(start_app: StartApp) -> None:
    app = await start_app()
    app.set_faults(parse_fault("drop after"))
    with pytest.raises(httpx.TransportError):
        await app.report()
    assert columns(await rows(app), "outcome", "ending") == [("accepted", "dropped")]


async def test_rows_are_chosen_by_trigger_instance_entity_and_outcome(start_app: StartApp) -> None:
    app = await start_app()
    await app.report(triggerKey="t", externalEntityId=ENTITY)
    await app.report(triggerKey="t", payload={"n": None})
    app.token = await app.ask_token(instance_id="site-2")
    await app.bulk_report(an_event(0, externalEntityId=ENTITY), trigger="u")
    for query, numbers in (
        ("?trigger=t", [2, 3]),
        ("?trigger=t&outcome=refused", [3]),
        (f"?entity={ENTITY.upper()}", [2, 5]),
        ("?instance=site-2", [4, 5]),
        ("?instance=site-2&outcome=ignored", []),
    ):
        assert [row["number"] for row in await rows(app, query)] == numbers
    answer = await app.client.get("/sandbox/journal?outcome=lost")
    assert answer.status_code == 400
    assert "accepted, ignored, refused, not-taken-in" in answer.json()["message"]


async def test_the_newest_rows_come_first_hand_and_later_ones_on_request(
    start_app: StartApp,
) -> None:
    app = await start_app()
    for _ in range(3):
        await app.bulk_report(an_event(0), an_event(1))
    newest = await app.admin("journal?limit=3")
    assert [row["number"] for row in newest["rows"]] == [5, 6, 7]
    assert (newest["next"], newest["first"], newest["last"]) == (None, 1, 7)
    page = await app.admin("journal?after=2&limit=2")
    assert ([row["number"] for row in page["rows"]], page["next"]) == ([3, 4], 4)
    page = await app.admin("journal?after=4&limit=3")
    assert ([row["number"] for row in page["rows"]], page["next"]) == ([5, 6, 7], None)
    assert (await app.admin("journal?after=7"))["rows"] == []


async def test_a_reset_empties_the_journal(start_app: StartApp) -> None:
    app = await start_app()
    await app.report()
    await app.admin("reset", {})
    assert await app.admin("journal") == {"rows": [], "next": None, "first": 1, "last": 0}


@pytest.mark.parametrize(("keep", "keep_bytes"), [(10, 10**9), (10**9, 700)])
def test_the_oldest_calls_are_let_go(keep: int, keep_bytes: int) -> None:
    journal = Journal(keep, keep_bytes)
    connection = Connection(lambda *_: None, lambda: "0", set())
    for number in range(20):
        refusal = invalid_argument("wrong")
        body = b'{"payload":{"text":"%060d"}}' % number
        incoming = Incoming(connection, CallKind.REPORT, SITE, refusal, body, number, "r")
        journal.append(incoming, refusal, "400", number)
    page = journal.page(None, 100)
    assert (page.first, page.last) == (page.rows[0].number, 20)
    assert [row.number for row in page.rows] == list(range(page.first, 21))
    assert 5 <= len(page.rows) <= 10


def test_one_call_is_kept_however_large_it_is() -> None:
    journal = Journal(keep=1, keep_bytes=1)
    refusal = invalid_argument("wrong")
    connection = Connection(lambda *_: None, lambda: "0", set())
    incoming = Incoming(connection, CallKind.REPORT, SITE, refusal, b"{}", 1, "r")
    journal.append(incoming, refusal, "400", 1)
    assert [row.number for row in journal.page(None, 9).rows] == [1]
