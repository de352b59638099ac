"""What a caller sees on the wire: faults, delays, admin calls, connections."""

import asyncio
import re
from random import Random
from typing import Any

import httpx
import pytest

from streamer.sandbox.admin import Admin
from streamer.sandbox.admission import Admission, is_loopback
from streamer.sandbox.answering import Answering
from streamer.sandbox.answers import Reply
from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.faults import Faults
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.http_edge import HttpEdge
from streamer.sandbox.http_parser import Request
from streamer.sandbox.journal import Journal
from streamer.sandbox.platform import Platform
from streamer.sandbox.rules import Rules
from streamer.sandbox.server import Sandbox, SandboxOptions
from tests.unit.sandbox.calling import (
    ENTITY,
    OTHER_ENTITY,
    REPORT,
    App,
    Clock,
    keyed,
    until,
)
from tests.unit.sandbox.conftest import StartApp

JSON_HEADERS = {"Content-Type": "application/json"}


def harm(app: App, *faults: str) -> None:
    app.set_faults(*(parse_fault(fault) for fault in faults))


def raw_report(app: App, body: bytes = b'{"triggerKey":"t","payload":{}}', head: str = "") -> bytes:
    lines = (
        f"POST {REPORT} HTTP/1.1\r\nHost: h\r\nAuthorization: {app.token}\r\n"
        f"Content-Type: application/json\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    )
    return lines.encode() + body


async def connect(app: App) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", app.client.base_url.port)


# --- faults -----------------------------------------------------------------------------------

STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: None,
    501: None,
    503: None,
    504: None,
}


@pytest.mark.parametrize(("status", "code"), STATUSES.items())
async def test_a_status_on_demand_has_the_documented_shape(
    start_app: StartApp, status: int, code: str | None
) -> None:
    app = await start_app()
    harm(app, str(status))
    answer = await app.report()
    assert answer.status_code == status
    assert answer.headers["x-wix-request-id"]
    details = answer.json()["details"]
    assert details.get("applicationError", {}).get("code") == code
    assert code is not None or details == {}
    assert (await app.summary())["calls"]["report"] == {str(status): 1}


@pytest.mark.parametrize(("words", "accepted"), [("500", 0), ("500 after", 1)])
async def test_a_failed_call_was_taken_in_only_where_the_fault_comes_after(
    start_app: StartApp, words: str, accepted: int
) -> None:
    app = await start_app()
    harm(app, words)
    assert (await app.report(idempotency=keyed("k"))).status_code == 500
    entries = await app.entries()
    assert len(entries) == accepted
    assert all(entry["answered"] is None for entry in entries)
    harm(app)
    again = await app.report(idempotency=keyed("k"))
    assert again.json() == ({} if accepted else {"activationIds": [_only(await app.entries())]})


def _only(entries: list[dict[str, Any]]) -> str:
    (entry,) = entries
    (activation,) = entry["activation_ids"]
    return str(activation)


async def test_a_failed_call_uses_up_its_key_where_told_so(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(failed_use_up_keys=True)))
    harm(app, "503")
    await app.report(idempotency=keyed("k"))
    harm(app)
    assert (await app.report(idempotency=keyed("k"))).json() == {}
    assert await app.entries() == []


async def test_retry_after_stands_in_the_header_as_it_was_given(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "429 'retry_after=Wed, 21 Oct 2026 07:28:00 GMT'")
    answer = await app.report()
    assert answer.headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"


async def test_a_status_without_a_body_has_none(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "204")
    answer = await app.report()
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await app.summary())["calls"]["report"] == {"204": 1}


@pytest.mark.parametrize(("words", "accepted"), [("drop", 0), ("drop after", 1)])
async def test_a_dropped_connection_ends_without_a_byte(
    start_app: StartApp, words: str, accepted: int
) -> None:
    app = await start_app()
    harm(app, words)
    reader, writer = await connect(app)
    writer.write(raw_report(app))
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert len(await app.entries()) == accepted
    assert (await app.summary())["calls"]["report"] == {"dropped": 1}


async def test_a_cut_answer_is_a_head_and_half_a_body(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "cut")
    reader, writer = await connect(app)
    writer.write(raw_report(app))
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 58" in head
    assert body == b'{"activationIds":["' + _only(await app.entries()).encode()[:10]
    with pytest.raises(httpx.RemoteProtocolError):
        await app.report()


@pytest.mark.parametrize(("words", "accepted"), [("hang", 0), ("hang after", 1)])
async def test_a_call_that_hangs_gets_no_answer(
    start_app: StartApp, words: str, accepted: int
) -> None:
    app = await start_app()
    harm(app, words)
    with pytest.raises(httpx.ReadTimeout):
        await app.client.post(
            REPORT,
            content=b'{"triggerKey":"t","payload":{}}',
            headers={**JSON_HEADERS, "Authorization": app.token},
            timeout=0.2,
        )
    assert len(await app.entries()) == accepted
    assert (await app.summary())["calls"]["report"] == {"hung": 1}


async def test_stopping_ends_calls_that_hang(clock: Clock) -> None:
    sandbox = Sandbox(SandboxOptions(faults=(parse_fault("hang call=token"),)), clock)
    url = await sandbox.start()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        call = asyncio.create_task(client.post("/oauth2/token", json={}))
        await until(lambda: bool(sandbox.platform.ledger.calls))
        await sandbox.stop()
        with pytest.raises(httpx.ReadError):
            await call


async def test_once_stopped_nobody_listens(start_app: StartApp) -> None:
    app = await start_app()
    await app.sandbox.stop()
    await until_refused(app)


async def test_a_slow_answer_is_that_of_a_call_taken_in_at_once(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "latency=300ms")
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    call = asyncio.create_task(app.report())
    await until(lambda: app.sandbox.platform.ledger.last_number == 1)
    assert not call.done()
    await call
    assert loop.time() - began_s >= 0.3


async def test_a_call_that_is_slow_before_may_take_effect_after_its_caller_left(
    start_app: StartApp,
) -> None:
    app = await start_app()
    harm(app, "latency=150ms before")
    _, writer = await connect(app)
    writer.write(raw_report(app))
    await writer.drain()
    writer.close()
    await until(lambda: app.sandbox.platform.ledger.last_number == 1)
    assert (await app.summary())["calls"]["report"] == {"caller-left": 1}
    assert (await app.entries())[0]["answered"] is None


async def test_calls_are_delayed_side_by_side(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "latency=200ms")
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(app.report())
    assert loop.time() - began_s < 2


async def until_refused(app: App) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await app.client.get("/sandbox/summary")
            except httpx.ConnectError:
                return
            except httpx.TransportError:  # a connection that was open is reset first
                continue


async def until_answered(app: App) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await app.client.get("/sandbox/summary")
            except httpx.TransportError:
                continue
            return


async def test_while_refusing_nobody_listens_and_afterwards_all_is_as_it_was(
    start_app: StartApp,
) -> None:
    app = await start_app()
    await app.report()
    answer = await app.client.post("/sandbox/faults", json={"faults": ["refuse for=300ms"]})
    assert answer.status_code == 200
    await until_refused(app)
    await until_answered(app)
    assert len(await app.entries()) == 1
    assert (await app.report()).status_code == 200


async def test_setting_faults_anew_ends_a_window_of_refusal(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "refuse for=1h")
    await until_refused(app)
    harm(app)
    await until_answered(app)
    assert (await app.report()).status_code == 200


# --- the sandbox's own calls ------------------------------------------------------------------


async def test_faults_are_set_shown_and_ended_by_admin_calls(
    start_app: StartApp, clock: Clock
) -> None:
    app = await start_app()
    faults = ["500=5% after", {"status": 503, "for": "30s"}, {"latency": "5ms", "trigger": "t"}]
    answer = await app.client.post("/sandbox/faults", json={"faults": faults})
    assert answer.json()["faults"][0] == {
        "fault": "500=5% after",
        "says": "5% of reports and cancels answer 500, though taken in",
        "active": True,
        "begins_in_s": 0.0,
        "ends_in_s": None,
    }
    assert [(fault["fault"], fault["ends_in_s"]) for fault in answer.json()["faults"]] == [
        ("500=5% after", None),
        ("503 for=30s", 30.0),
        ("latency=5ms trigger=t", None),
    ]
    clock.advance(31)
    shown = (await app.client.get("/sandbox/faults")).json()["faults"]
    assert [fault["active"] for fault in shown] == [True, False, True]
    await app.client.post("/sandbox/faults", json={"faults": []})
    assert (await app.client.get("/sandbox/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"faults": ["500=5%", "slow"]}, "faults[1]: 'slow' begins no fault"),
        ({"faults": [{"status": 500, "often": True}]}, "faults[0]: 'often' is no word"),
        ({"faults": [{"status": 5.5}]}, "faults[0]: 'status' has a value of type float"),
        ({"faults": [7]}, "faults[0]"),
        ({"faults": "500"}, "an empty list ends all"),
        ([], "an empty list ends all"),
    ],
)
async def test_wrong_faults_change_nothing_and_are_told(
    start_app: StartApp, body: object, said: str
) -> None:
    app = await start_app()
    harm(app, "503")
    answer = await app.client.post("/sandbox/faults", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert (await app.report()).status_code == 503


async def test_admin_calls_change_something_only_as_json(start_app: StartApp) -> None:
    app = await start_app()
    headers = {"Content-Type": "text/plain"}
    for path in ("/sandbox/faults", "/sandbox/reset"):
        answer = await app.client.post(path, content=b'{"faults": []}', headers=headers)
        assert answer.status_code == 415


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?limit=0", "1 to"),
        ("?limit=many", "whole number"),
        ("?after=-1", "whole number"),
        ("?since=5", "'since' is unknown"),
    ],
)
async def test_a_wrong_query_is_told(start_app: StartApp, query: str, said: str) -> None:
    app = await start_app()
    answer = await app.client.get(f"/sandbox/reports{query}")
    assert answer.status_code == 400
    assert said in answer.json()["message"]


async def test_the_ledger_is_paged_and_filtered(start_app: StartApp) -> None:
    app = await start_app()
    for number in range(5):
        entity = ENTITY if number % 2 else OTHER_ENTITY
        await app.report(triggerKey=f"t{number % 2}", externalEntityId=entity)
    first = (await app.client.get("/sandbox/reports?limit=2")).json()
    assert ([entry["number"] for entry in first["entries"]], first["next"]) == ([1, 2], 2)
    rest = (await app.client.get("/sandbox/reports?after=2&limit=3")).json()
    assert ([entry["number"] for entry in rest["entries"]], rest["next"]) == ([3, 4, 5], None)
    for query in (f"?entity={ENTITY.upper()}", "?trigger=t1", "?instance=site-1&trigger=t1"):
        assert [entry["number"] for entry in await app.entries(query)] == [2, 4]
    assert await app.entries("?instance=other") == []


async def test_the_summary_counts_what_became_of_every_call(start_app: StartApp) -> None:
    app = await start_app()
    for _ in range(3):
        await app.report(idempotency=keyed("k"), externalEntityId=ENTITY)
    await app.report(payload={"a": None})
    await app.cancel(ENTITY)
    await app.cancel(ENTITY)
    app.token = "expired"
    await app.report()
    summary = await app.summary()
    counts = {"reports": 1, "ignored": 2, "refused": 1, "cancels": 2, "cancelled": 1}
    assert summary["by_trigger"] == {"invoice_overdue": counts}
    assert summary["calls"]["report"] == {"200": 3, "400": 1, "401": 1}
    assert summary["calls"]["cancel"] == {"200": 2}
    assert summary["tokens"] == {"made": 1, "refused": 0}
    totals = ("reports", "activations", "ignored_repeats", "cancels", "cancelled_activations")
    assert [summary[name] for name in totals] == [1, 1, 2, 2, 1]
    assert (summary["cancels_of_nothing"], summary["last_number"]) == (1, 3)


async def test_the_ledger_tells_which_call_began_after_which_was_answered(
    start_app: StartApp,
) -> None:
    app = await start_app()
    await app.report()
    await app.report()
    harm(app, "latency=100ms")
    await asyncio.gather(app.report(), app.report())
    first, second, *side_by_side = await app.entries()
    assert first["started"] < first["answered"] < second["started"]
    one, other = side_by_side
    assert max(one["started"], other["started"]) < min(one["answered"], other["answered"])


async def test_a_reset_forgets_what_it_is_told_to(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "latency=1ms")
    await app.report()
    await app.client.post("/sandbox/reset")
    assert (await app.summary())["reports"] == 0
    assert (await app.report()).status_code == 200
    assert (await app.client.get("/sandbox/faults")).json()["faults"]
    await app.client.post("/sandbox/reset", json={"tokens": True, "faults": True})
    assert (await app.report()).status_code == 401
    assert (await app.client.get("/sandbox/faults")).json() == {"faults": []}
    wrong: list[Any] = [{"all": True}, {"tokens": "yes"}, {"faults": 1}, {"tokens": None}, []]
    for body in wrong:
        assert (await app.client.post("/sandbox/reset", json=body)).status_code == 400


async def test_a_token_expires_by_the_clock(start_app: StartApp, clock: Clock) -> None:
    app = await start_app(SandboxOptions(rules=Rules(token_lifetime_s=60)))
    clock.advance(59)
    assert (await app.report()).status_code == 200
    clock.advance(1)
    answer = await app.report()
    assert answer.status_code == 401
    assert "expired" in answer.json()["message"]
    app.token = await app.ask_token()
    assert (await app.report()).status_code == 200


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_only_this_machines_addresses_are_its_own(address: str, own: bool) -> None:
    assert is_loopback(address) is own


class Stranger(Connection):
    """A caller on another machine."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None, lambda: "0", set())
        self.statuses: list[int] = []

    @property
    def peer(self) -> str:
        return "203.0.113.7"

    def reply(self, reply: Reply, request_id: str) -> None:
        self.statuses.append(reply.status)


@pytest.mark.parametrize(("admin_anywhere", "status"), [(False, 403), (True, 200)])
def test_admin_calls_answer_other_machines_only_where_told_so(
    clock: Clock, admin_anywhere: bool, status: int
) -> None:
    platform = Platform(Rules(), lambda: "id")
    faults, journal = Faults((), Random(1), 0), Journal()
    edge = HttpEdge(
        platform,
        Answering(platform, faults, Random(1)),
        journal,
        faults,
        Admin(platform, journal, faults, lambda _: None, clock),
        clock_ms=clock,
        later=lambda *_: None,
        admission=Admission("0.0.0.0", (), anywhere=admin_anywhere),
        id_prefix="1",
    )
    stranger = Stranger()
    for path in ("/sandbox/reports", "/sandbox/summary", "/sandbox/faults", "/", "/sandbox/"):
        edge.serve(Request("GET", path, {"host": "203.0.113.1:8090"}, b"", True), stranger)
    assert stranger.statuses == [status] * 5


# --- connections ------------------------------------------------------------------------------


async def test_pipelined_calls_are_answered_in_their_order(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "latency=20ms trigger=slow")
    slow = raw_report(app, b'{"triggerKey":"slow","payload":{}}')
    reader, writer = await connect(app)
    writer.write(slow + raw_report(app) + raw_report(app, head="Connection: close\r\n"))
    whole = await reader.read()
    writer.close()
    assert whole.count(b"HTTP/1.1 200 OK") == 3
    assert [entry["trigger"] for entry in await app.entries()] == ["slow", "t", "t"]
    starts = [entry["started"] for entry in await app.entries()]
    assert starts == sorted(starts)


async def test_a_caller_that_expects_a_continue_gets_one(start_app: StartApp) -> None:
    app = await start_app()
    whole = raw_report(app, head="Expect: 100-continue\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    reader, writer = await connect(app)
    writer.write(head + b"\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
    writer.write(body)
    await reader.readline()
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_what_is_no_http_is_answered_with_a_400_and_closed(start_app: StartApp) -> None:
    app = await start_app()
    reader, writer = await connect(app)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nx-wix-request-id: " in answer
    writer.close()


async def test_a_body_beyond_all_limits_is_answered_with_a_request_id_and_closed(
    start_app: StartApp,
) -> None:
    app = await start_app()
    reader, writer = await connect(app)
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    (request_id,) = re.findall(rb"\r\nx-wix-request-id: (\S+)\r\n", answer)
    assert (await app.report()).headers["x-wix-request-id"].encode() != request_id
    writer.close()


async def test_a_head_request_gets_no_body(start_app: StartApp) -> None:
    app = await start_app()
    assert (await app.client.head("/sandbox/summary")).content == b""
    assert (await app.report()).status_code == 200


async def test_a_caller_that_reads_nothing_is_not_served_without_end(start_app: StartApp) -> None:
    app = await start_app()
    _, writer = await connect(app)
    calls = 60_000  # their answers are more than the sockets between us hold
    writer.write(raw_report(app) * calls)
    ledger = app.sandbox.platform.ledger
    before = -1
    while ledger.last_number != before:
        before = ledger.last_number
        for _ in range(10):
            await app.summary()
    assert 0 < ledger.last_number < calls
    writer.transport.abort()
