"""Instances, apps and settings, as they are changed while the sandbox runs."""

from typing import Any

import pytest

from streamer.sandbox.rules import Rules
from streamer.sandbox.server import SandboxOptions
from tests.unit.sandbox.calling import CREDENTIALS, TOKEN, App, Clock, an_event
from tests.unit.sandbox.conftest import StartApp

# --- instances --------------------------------------------------------------------------------


async def refusal(app: App, **changes: str) -> tuple[int, str]:
    answer = await app.client.post(TOKEN, json={**CREDENTIALS, **changes})
    return answer.status_code, answer.json().get("error", "")


async def test_only_the_named_instances_get_tokens(start_app: StartApp) -> None:
    rules = Rules(instances=frozenset({"site-1"}), ready_tokens={"ready": "site-9"})
    app = await start_app(SandboxOptions(rules=rules))
    assert await refusal(app) == (200, "")
    assert await refusal(app, instance_id="site-2") == (400, "invalid_grant")
    app.token = "ready"
    assert (await app.report()).status_code == 200
    await app.admin("instances", {"install": ["site-2"]})
    assert await refusal(app, instance_id="site-2") == (200, "")


@pytest.mark.parametrize("rules", [Rules(), Rules(instances=frozenset({"site-1"}))])
async def test_an_uninstalled_instances_tokens_end_and_it_gets_no_other(
    start_app: StartApp, rules: Rules
) -> None:
    app = await start_app(SandboxOptions(rules=rules))
    await app.report()
    assert await app.admin("instances", {"uninstall": ["site-1"]}) == {"uninstall": 1}
    answer = await app.report()
    assert answer.status_code == 401
    assert answer.json()["details"]["applicationError"]["code"] == "UNAUTHENTICATED"
    assert await refusal(app) == (400, "invalid_grant")
    await app.admin("instances", {"install": ["site-1"]})
    assert (await app.report()).status_code == 401
    app.token = await app.ask_token()
    assert (await app.report()).status_code == 200


async def test_uninstalling_one_instance_leaves_the_others_alone(start_app: StartApp) -> None:
    app = await start_app()
    await app.admin("instances", {"uninstall": ["site-2"]})
    assert (await app.report()).status_code == 200


async def test_a_ready_token_is_good_again_once_its_instance_is_installed_again(
    start_app: StartApp,
) -> None:
    app = await start_app(SandboxOptions(rules=Rules(ready_tokens={"ready": "site-9"})))
    app.token = "ready"
    await app.admin("instances", {"uninstall": ["site-9"]})
    assert (await app.report()).status_code == 401
    await app.admin("reset", {"tokens": True})
    assert (await app.report()).status_code == 401
    await app.admin("instances", {"install": ["site-9"]})
    assert (await app.report()).status_code == 200


async def test_the_instances_are_shown_with_their_calls(start_app: StartApp) -> None:
    rules = Rules(instances=frozenset({"site-1", "site-2", "site-3"}))
    app = await start_app(SandboxOptions(rules=rules))
    await app.report()
    await app.bulk_report(an_event(0))
    await app.admin("instances", {"uninstall": ["site-3"]})
    none = {"app": None, "calls": 0, "over_quota": 0, "most_in_a_minute": 0, "in_minute": 0}
    shown = await app.admin("instances")
    assert shown == {
        "instances": [
            {
                "app": "app-1",
                "instance": "site-1",
                "calls": 2,
                "over_quota": 0,
                "most_in_a_minute": 2,
                "in_minute": 2,
                "installed": True,
            },
            {**none, "instance": "site-2", "installed": True},
            {**none, "instance": "site-3", "installed": False},
        ],
        "total": 3,
        "only_known": True,
    }
    assert len((await app.admin("instances?limit=2"))["instances"]) == 2


async def test_the_summary_has_the_instances_with_the_most_calls(start_app: StartApp) -> None:
    app = await start_app()
    for calls, instance in enumerate(("site-1", "site-2", "site-3"), 1):
        app.token = await app.ask_token(instance_id=instance)
        for _ in range(calls):
            await app.report()
    summary = await app.summary()
    assert summary["instances"] == 3
    assert [row["instance"] for row in summary["by_instance"]] == ["site-3", "site-2", "site-1"]


# --- apps -------------------------------------------------------------------------------------

ROTATED = {"app": "app-1", "secret": "secret-2"}


@pytest.mark.parametrize("apps", [{}, {"app-1": "secret-1", "app-2": "x"}])
async def test_a_rotated_secret_is_wanted_for_new_tokens_and_leaves_the_old_ones_good(
    start_app: StartApp, apps: dict[str, str]
) -> None:
    app = await start_app(SandboxOptions(rules=Rules(apps=apps)))
    assert await app.admin("apps", ROTATED) == {
        "apps": sorted({"app-1", *apps}),
        "any_app": not apps,
    }
    assert await refusal(app) == (401, "invalid_client")
    assert await refusal(app, client_secret="secret-2") == (200, "")
    assert await refusal(app, client_id="app-2", client_secret="x") == (200, "")
    assert (await app.report()).status_code == 200


async def test_a_rotation_can_end_the_apps_tokens_but_those_that_were_ready(
    start_app: StartApp,
) -> None:
    rules = Rules(apps={"app-1": "secret-1"}, ready_tokens={"ready": "site-9"})
    app = await start_app(SandboxOptions(rules=rules))
    await app.admin("apps", {"app": "app-2", "secret": "secret-1"})
    other = await app.ask_token(client_id="app-2")
    await app.admin("apps", {**ROTATED, "end_tokens": True})
    statuses = []
    for token in (app.token, other, "ready"):
        app.token = token
        statuses.append((await app.report()).status_code)
    assert statuses == [401, 200, 200]


async def test_no_secret_is_shown(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(apps={"app-1": "hush-hush"})))
    await app.admin("apps", {"app": "app-3", "secret": "hush-hush"})
    answers = [
        await app.client.get("/sandbox/apps"),
        await app.client.get("/sandbox/settings"),
        await app.client.post("/sandbox/apps", json={"app": "hush-hush", "secret": 5}),
        await app.client.post("/sandbox/apps", json=["hush-hush"]),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 400]
    assert all("hush-hush" not in answer.text for answer in answers)


# --- settings ---------------------------------------------------------------------------------

SETTINGS = {
    "quota": "none",
    "quota_retry_after": "seconds",
    "over_quota_counts": False,
    "bulk_bad_item": "item",
    "bulk_results": "full",
    "max_body": "none",
    "failed_use_up_keys": False,
}
OTHERS = {
    "quota": "50/min",
    "quota_retry_after": "date",
    "over_quota_counts": True,
    "bulk_bad_item": "call-without-path",
    "bulk_results": "sparse",
    "max_body": "512kB",
    "failed_use_up_keys": True,
}


async def test_settings_are_shown_and_changed_one_by_one_or_together(start_app: StartApp) -> None:
    app = await start_app()
    assert await app.admin("settings") == SETTINGS
    shown = SETTINGS
    for name, value in OTHERS.items():
        shown = {**shown, name: value}
        assert await app.admin("settings", {name: value}) == shown
    assert await app.admin("settings", SETTINGS) == SETTINGS


async def test_a_changed_setting_holds_for_the_next_call(start_app: StartApp) -> None:
    app = await start_app()
    bad = {"payload": {"n": None}}
    assert (await app.bulk_report(bad)).status_code == 200
    await app.admin("settings", {"bulk_bad_item": "call", "max_body": "200B"})
    assert (await app.bulk_report(bad)).status_code == 400
    assert (await app.report(payload={"text": "x" * 200})).status_code == 413


@pytest.mark.parametrize(
    ("call", "body", "said"),
    [
        ("settings", {"quota": "fast"}, "quota: 'fast' is no quota; write one as 200/min"),
        ("settings", {"quota": 200}, "quota: a text is wanted"),
        ("settings", {"quota": "0/min"}, "is no quota"),
        ("settings", {"bulk_bad_item": "none"}, "one of item, call, call-without-path"),
        ("settings", {"over_quota_counts": "yes"}, "true or false"),
        ("settings", {"max_body": "much"}, "max_body: 'much' is no size"),
        ("settings", {"quota": "5/min", "keep": 3}, "'keep' is unknown here; use quota"),
        ("settings", {}, "send an object"),
        ("settings", [], "send an object"),
        ("instances", {"uninstall": "site-1"}, '{"uninstall": ["site-1"]}'),
        ("instances", {"install": [5]}, '{"install": ["site-1"]}'),
        ("instances", {"remove": ["site-1"]}, "'remove' is unknown here"),
        ("apps", {"app": "app-1"}, '{"app": "ID"'),
        ("apps", {**ROTATED, "end_tokens": "yes"}, '{"app": "ID"'),
        ("apps", {**ROTATED, "name": "x"}, "'name' is unknown here"),
    ],
)
async def test_a_wrong_change_changes_nothing_and_is_told(
    start_app: StartApp, call: str, body: Any, said: str
) -> None:
    app = await start_app()
    answer = await app.client.post(f"/sandbox/{call}", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert await app.admin("settings") == SETTINGS
    assert (await app.report()).status_code == 200
    assert await refusal(app) == (200, "")


async def test_changes_are_taken_as_json_only(start_app: StartApp) -> None:
    app = await start_app()
    for call in ("settings", "instances", "apps"):
        answer = await app.client.post(
            f"/sandbox/{call}", content=b"{}", headers={"Content-Type": "text/plain"}
        )
        assert answer.status_code == 415


async def test_an_unknown_call_says_which_there_are(start_app: StartApp) -> None:
    app = await start_app()
    for method, path in (("GET", "/sandbox/events"), ("DELETE", "/sandbox/faults")):
        answer = await app.client.request(method, path)
        assert answer.status_code == 404
        assert "GET and POST /sandbox/settings" in answer.json()["message"]


async def test_an_expired_token_leaves_no_trace_when_its_instance_goes(
    start_app: StartApp, clock: Clock
) -> None:
    app = await start_app(SandboxOptions(rules=Rules(token_lifetime_s=1)))
    await app.admin("instances", {"uninstall": ["site-1"]})
    clock.advance(2)
    assert await refusal(app, instance_id="site-2") == (200, "")
    assert len(app.sandbox.platform.tokens) == 1
