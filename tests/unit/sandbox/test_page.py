"""The page: how it is served, to whom, and what it is told. tests/browser looks at it."""

import re
from pathlib import Path
from typing import Any

import pytest

from streamer.sandbox import page_files
from streamer.sandbox.admin_live import INSTANCES_SHOWN, PAYLOAD_SHOWN, TRIGGERS_SHOWN
from streamer.sandbox.admission import Admission
from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.quota import Quota
from streamer.sandbox.rules import Rules
from streamer.sandbox.server import SandboxOptions
from tests.unit.sandbox.calling import ENTITY, REPORT, App, Clock, an_event, keyed
from tests.unit.sandbox.conftest import StartApp

FOLDER = Path(page_files.__file__).with_name("page")


async def live(app: App, query: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = await app.admin(f"live{query}")
    return shown


# --- serving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sandbox", "/sandbox/"])
async def test_the_page_is_served_under_a_policy_that_allows_its_own_files_only(
    start_app: StartApp, path: str
) -> None:
    app = await start_app()
    answer = await app.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers[POLICY].split(";"))
    assert policy.pop("default-src") == policy.pop("frame-ancestors") == "'none'"
    assert policy.pop("base-uri") == policy.pop("form-action") == "'none'"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'self'"}
    assert "<title>Sandbox</title>" in answer.text
    head = await app.client.head(path)
    assert (head.status_code, head.content) == (200, b"")


POLICY = "content-security-policy"


async def test_all_that_the_page_loads_is_served_with_its_type_and_nothing_is_loaded_from_elsewhere(
    start_app: StartApp,
) -> None:
    app = await start_app()
    page = (await app.client.get("/")).text
    loaded = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    for script in FOLDER.glob("*.js"):
        names = re.findall(r'from "\./([^"]+)"', script.read_text())
        loaded |= {f"/sandbox/page/{name}" for name in names}
    assert loaded == {f"/sandbox/page/{file.name}" for file in FOLDER.iterdir()} - {
        "/sandbox/page/index.html"
    }
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
    for path in loaded:
        answer = await app.client.get(path)
        assert answer.status_code == 200
        wanted = types.get(path.rpartition(".")[2], "image/svg+xml")
        assert answer.headers["content-type"] == wanted
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers[POLICY]


def test_no_file_of_the_page_takes_text_as_html_or_reaches_another_machine() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "//cdn",
        ):
            assert word not in text, file.name
        assert not re.search(r"https?://", text), file.name
        # Neither would run under the policy.
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script(?! type=\"module\" src)", text)


async def test_a_file_that_is_not_of_the_page_is_not_found(start_app: StartApp) -> None:
    app = await start_app()
    for path in ("/sandbox/page/../admin.py", "/sandbox/page/", "/sandbox/page/nothing.js"):
        assert (await app.client.get(path)).status_code == 404
    assert (await app.client.post("/")).status_code == 404


# --- to whom ----------------------------------------------------------------------------------

LOOPBACK = (
    "localhost",
    "LocalHost:8090",
    "127.0.0.1:8090",
    "127.9.9.9",
    "[::1]:8090",
    "localhost.",
)
FOREIGN = (
    "evil.example",
    "evil.example:8090",
    "127.0.0.1.evil.example",
    "192.0.2.7",
    "",
    "[",
    "::",
)


@pytest.mark.parametrize("path", ["/", "/sandbox/", "/sandbox/page/page.js", "/sandbox/journal"])
async def test_a_request_that_was_meant_for_another_host_is_refused(
    start_app: StartApp, path: str
) -> None:
    app = await start_app()
    for host in LOOPBACK:
        assert (await app.client.get(path, headers={"Host": host})).status_code == 200, host
    for host in FOREIGN:
        answer = await app.client.get(path, headers={"Host": host})
        assert answer.status_code == 403, host
        assert "--admin-host NAME" in answer.json()["message"]
        assert "rows" not in answer.text


async def test_a_change_for_another_host_is_refused_and_a_report_is_not(
    start_app: StartApp,
) -> None:
    app = await start_app()
    foreign = {"Host": "sandbox.example"}
    answer = await app.client.post("/sandbox/faults", json={"faults": ["500"]}, headers=foreign)
    assert answer.status_code == 403
    assert await app.admin("faults") == {"faults": []}
    headers = {**foreign, "Authorization": app.token}
    body = {"triggerKey": "t", "payload": {}}
    assert (await app.client.post(REPORT, json=body, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("host", "names", "asked", "let_in"),
    [
        ("sandbox.test", (), "sandbox.test:8090", True),
        ("sandbox.test", (), "192.0.2.7", False),
        ("192.0.2.7", (), "192.0.2.7:8090", True),
        ("0.0.0.0", (), "192.0.2.7:8090", True),
        ("::", (), "[2001:db8::7]:8090", True),
        ("0.0.0.0", (), "sandbox.test", False),
        ("0.0.0.0", ("Sandbox.test",), "sandbox.test:8090", True),
        ("127.0.0.1", (), None, False),
    ],
)
def test_beside_localhost_the_sandbox_is_what_it_was_told_to_be(
    host: str, names: tuple[str, ...], asked: str | None, let_in: bool
) -> None:
    admission = Admission(host, names, anywhere=True)
    assert (admission.why_refused("203.0.113.7", asked) is None) is let_in


async def test_no_answer_of_the_sandboxs_own_may_be_read_by_another_site(
    start_app: StartApp,
) -> None:
    app = await start_app()
    for call in ("live", "journal", "summary", "nothing"):
        answer = await app.client.get(f"/sandbox/{call}", headers={"Origin": "http://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    asked = await app.client.options("/sandbox/faults", headers={"Origin": "http://evil.example"})
    assert asked.status_code == 404
    plain = {"Content-Type": "text/plain"}
    change = await app.client.post("/sandbox/faults", content=b'{"faults":["500"]}', headers=plain)
    assert change.status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "file://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "ours", "Sec-Fetch-Site": "Cross-Site"},
    ],
)
async def test_a_change_that_a_page_of_another_origin_sends_is_refused(
    start_app: StartApp, headers: dict[str, str]
) -> None:
    app = await start_app()
    await app.report()
    app.set_faults(parse_fault("500=0%"))
    ours = str(app.client.base_url).rstrip("/")
    sent = {name: ours if value == "ours" else value for name, value in headers.items()}
    # With an empty body no browser asks first.
    for path in ("/sandbox/reset", "/sandbox/faults", "/sandbox/settings", "/sandbox/apps", "/"):
        answer = await app.client.post(path, headers=sent)
        assert answer.status_code == 403
        assert "use its own page" in answer.json()["message"]
    assert len(await app.entries()) == 1
    assert len((await app.admin("faults"))["faults"]) == 1
    for path in ("/sandbox/summary", "/"):
        assert (await app.client.get(path, headers=sent)).status_code == 200


async def test_the_page_itself_and_callers_that_are_no_browser_may_change(
    start_app: StartApp,
) -> None:
    app = await start_app()
    port = app.client.base_url.port
    for host in (f"127.0.0.1:{port}", f"LocalHost:{port}", "localhost"):
        for origin in (f"http://{host}", f"https://{host}".lower()):
            sent = {"Host": host, "Origin": origin, "Sec-Fetch-Site": "same-origin"}
            assert (await app.client.post("/sandbox/reset", headers=sent)).status_code == 200
    for sent in ({}, {"Sec-Fetch-Site": "none"}):
        assert (await app.client.post("/sandbox/reset", headers=sent)).status_code == 200


async def test_a_report_from_a_page_of_another_origin_is_a_report(start_app: StartApp) -> None:
    app = await start_app()
    headers = {"Authorization": app.token, "Origin": "http://localhost:3000"}
    body = {"triggerKey": "t", "payload": {}}
    assert (await app.client.post(REPORT, json=body, headers=headers)).status_code == 200


# --- what it is told --------------------------------------------------------------------------


async def test_the_page_is_told_all_that_it_shows(start_app: StartApp, clock: Clock) -> None:
    app = await start_app(SandboxOptions(rules=Rules(quota=Quota(3))))
    body = (
        b'{"triggerKey":"t","payload":{"n":9007199254740993,"d":120.50},"idempotency":{"key":"k"}}'
    )
    headers = {"Authorization": app.token, "Content-Type": "application/json"}
    for _ in range(2):
        await app.client.post(REPORT, content=body, headers=headers)
    app.set_faults(parse_fault("503 for=30s"))
    await app.report(triggerKey="u")
    await app.report()
    clock.advance(20)
    shown = await live(app)
    token, accepted, ignored, failed, over = shown["rows"]
    assert token["call"] == "token"
    assert accepted["payload"] == {
        "text": '{"n":9007199254740993,"d":120.50}',
        "bytes": 33,
        "cut": False,
    }
    assert (accepted["came"], ignored["repeat_of"]) == (2, 1)
    assert failed["outcome"] == over["outcome"] == "not-taken-in"
    assert (shown["totals"]["reports"], shown["totals"]["ignored_repeats"]) == (1, 1)
    assert shown["triggers"][0]["trigger"] == "t"
    (instance,) = shown["instances"]["instances"]
    assert (instance["in_minute"], instance["over_quota"], instance["calls"]) == (3, 1, 4)
    assert [fault["ends_in_s"] for fault in shown["faults"]] == [10.0]
    assert shown["settings"]["quota"] == "3/min"
    assert shown["apps"] == {"apps": [], "any_app": True}
    clock.advance(41)
    assert (await live(app))["instances"]["instances"][0]["in_minute"] == 0


async def test_no_token_or_secret_is_told(start_app: StartApp) -> None:
    rules = Rules(apps={"app-1": "secret-1"}, ready_tokens={"ready-made": "site-9"})
    app = await start_app(SandboxOptions(rules=rules))
    await app.ask_token(client_secret="wrong-secret")
    await app.report()
    for call in ("live", "journal", "summary", "instances", "apps", "settings", "reports"):
        text = (await app.client.get(f"/sandbox/{call}")).text
        for hidden in (app.token, "secret-1", "wrong-secret", "ready-made"):
            assert hidden not in text


async def test_rows_are_told_again_only_where_they_can_be_others(start_app: StartApp) -> None:
    app = await start_app()
    await app.report(externalEntityId=ENTITY)
    first = await live(app)
    assert (await live(app, f"?seen={first['seen']}"))["rows"] is None
    await app.cancel()
    second = await live(app, f"?seen={first['seen']}")
    assert [row["cancelled_by"] for row in second["rows"]] == [None, 2, None]
    await app.admin("reset", {})
    assert (await live(app, f"?seen={second['seen']}"))["rows"] == []


async def test_what_the_page_is_told_stays_small(start_app: StartApp) -> None:
    app = await start_app()
    long = {"text": "ä" * 5_000}
    for number in range(TRIGGERS_SHOWN + 5):
        await app.report(triggerKey=f"t{number}", payload=long)
    usages = app.sandbox.platform.usages
    for number in range(INSTANCES_SHOWN + 5):
        usages.call(Quota(), "app-1", f"other-{number}", 0)
    shown = await live(app, "?limit=7")
    assert len(shown["rows"]) == 7
    assert len(shown["triggers"]) == TRIGGERS_SHOWN
    assert len(shown["instances"]["instances"]) == INSTANCES_SHOWN
    assert shown["instances"]["total"] == INSTANCES_SHOWN + 6
    payload = shown["rows"][0]["payload"]
    assert payload["cut"]
    assert len(payload["text"].encode()) <= PAYLOAD_SHOWN + 2  # half a letter becomes one sign
    assert payload["bytes"] == len('{"text":""}') + 10_000
    assert (await app.client.get("/sandbox/live?limit=501")).status_code == 400


FILTERED = {
    "": 7,
    "?trigger=invoice_overdue": 6,
    "?instance=site-1": 7,
    "?instance=site-2": 0,
    f"?entity={ENTITY.upper()}": 2,
    "?key=k": 2,
    "?key=k0": 1,
    "?call=bulk-report": 2,
    "?call=cancel": 1,
    "?outcome=ignored": 1,
    "?outcome=refused": 1,
    "?call=report&outcome=accepted": 1,
    "?outcome=accepted&trigger=invoice_overdue": 4,
}


@pytest.mark.parametrize("call", ["live", "journal"])
async def test_filters_choose_the_rows(start_app: StartApp, call: str) -> None:
    app = await start_app()
    await app.report(externalEntityId=ENTITY, idempotency=keyed("k"))
    await app.report(idempotency=keyed("k"))
    bulk = await app.bulk_report(an_event(0), an_event(1))
    await app.cancel()
    await app.report(payload={"n": None})
    for query, count in FILTERED.items():
        assert len((await app.admin(f"{call}{query}"))["rows"]) == count, query
    request_id = bulk.headers["x-wix-request-id"]
    assert len((await app.admin(f"{call}?request_id={request_id}"))["rows"]) == 2
    for wrong in ("call=nothing", "outcome=nothing", "colour=red"):
        answer = await app.client.get(f"/sandbox/{call}?{wrong}")
        assert (answer.status_code, "use" in answer.text or "one of" in answer.text) == (400, True)
