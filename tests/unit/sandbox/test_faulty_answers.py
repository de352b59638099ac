"""Answers that are not the endpoint's, and tokens that are told wrongly, on the wire."""

from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from streamer.sandbox.fault_text import parse_fault
from tests.unit.sandbox.calling import CREDENTIALS, TOKEN, App, Clock
from tests.unit.sandbox.conftest import StartApp


def harm(app: App, *faults: str) -> None:
    app.set_faults(*(parse_fault(fault) for fault in faults))


@pytest.mark.parametrize(
    ("words", "status", "accepted"),
    [("html", 200, 0), ("html after", 200, 1), ("html:502", 502, 0)],
)
async def test_a_web_page_stands_in_the_answers_place(
    start_app: StartApp, words: str, status: int, accepted: int
) -> None:
    app = await start_app()
    harm(app, words)
    answer = await app.report()
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(await app.entries()) == accepted


async def test_ten_megabytes_of_text_stand_in_the_answers_place(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "text:10MB")
    answer = await app.report()
    assert (answer.status_code, len(answer.content)) == (200, 10_000_000)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [("date+30s", 30), ("date-1h", -3600), ("date+8760h", 365 * 24 * 3600)],
)
async def test_retry_after_is_a_date_near_far_or_gone(
    start_app: StartApp, clock: Clock, words: str, seconds: int
) -> None:
    app = await start_app()
    harm(app, f"429 retry_after={words}")
    date = parsedate_to_datetime((await app.report()).headers["retry-after"])
    assert date.timestamp() == clock.now_ms / 1000 + seconds


@pytest.mark.parametrize("words", ["-5", "31536000", "soon"])
async def test_retry_after_is_any_text(start_app: StartApp, words: str) -> None:
    app = await start_app()
    harm(app, f"503 retry_after={words}")
    assert (await app.report()).headers["retry-after"] == words


@pytest.mark.parametrize(
    ("words", "code"),
    [("409", "ABORTED"), ("409:ALREADY_EXISTS", "ALREADY_EXISTS"), ("500:INTERNAL", "INTERNAL")],
)
async def test_a_status_has_the_code_that_is_asked_for(
    start_app: StartApp, words: str, code: str
) -> None:
    app = await start_app()
    harm(app, words)
    answer = await app.report()
    assert answer.status_code == int(words[:3])
    assert answer.json()["details"]["applicationError"]["code"] == code


async def test_a_date_ten_years_away_is_still_one(start_app: StartApp) -> None:
    app = await start_app()
    for words in ("date+87600h", "date-87600h"):
        harm(app, f"429 retry_after={words}", "latency=1ms")
        date = parsedate_to_datetime((await app.report()).headers["retry-after"])
        assert abs(date.year - 2027) == 10


async def test_a_redirect_tells_whether_it_is_followed_and_with_the_token(
    start_app: StartApp,
) -> None:
    app = await start_app()
    harm(app, "307")
    answer = await app.report()
    assert (answer.status_code, answer.headers["location"]) == (307, "/moved")
    assert "redirected" not in (await app.summary())["calls"]
    headers = {"Authorization": app.token}
    async with httpx.AsyncClient(
        base_url=app.client.base_url, follow_redirects=True, trust_env=False, verify=False
    ) as follower:
        await follower.post(TOKEN, json={})
        assert (await follower.post("/automations/v1/events/report", json={})).status_code == 404
        await follower.post("/automations/v1/events/report", json={}, headers=headers)
    counts = (await app.summary())["calls"]["redirected"]
    assert counts == {"with-token": 1, "without-token": 1}


async def test_a_redirect_points_where_it_is_told_to(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "302 location=http://elsewhere.test/x call=all")
    for answer in (await app.report(), await app.client.post(TOKEN, json=dict(CREDENTIALS))):
        assert answer.headers["location"] == "http://elsewhere.test/x"


# --- tokens -----------------------------------------------------------------------------------


async def granted(app: App) -> dict[str, Any]:
    answer = await app.client.post(TOKEN, json=dict(CREDENTIALS))
    assert answer.status_code == 200
    token: dict[str, Any] = answer.json()
    return token


@pytest.mark.parametrize(
    ("said", "expected"),
    [("-1", -1), ("0", 0), ("soon", "soon"), ("1e300", 1e300), ("null", None), ("1.5", 1.5)],
)
async def test_a_token_is_given_with_any_expires_in(
    start_app: StartApp, clock: Clock, said: str, expected: object
) -> None:
    app = await start_app()
    harm(app, f"expires_in:{said}")
    token = await granted(app)
    assert token["expires_in"] == expected
    app.token = token["access_token"]
    clock.advance(14_399)
    assert (await app.report()).status_code == 200


async def test_a_token_is_given_without_expires_in(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "expires_in:none")
    assert set(await granted(app)) == {"access_token", "token_type"}


async def test_a_token_that_is_told_to_live_a_second_lives_a_second(
    start_app: StartApp, clock: Clock
) -> None:
    app = await start_app()
    harm(app, "expires_in:1")
    app.token = (await granted(app))["access_token"]
    clock.advance(0.9)
    assert (await app.report()).status_code == 200
    clock.advance(0.1)
    assert (await app.report()).status_code == 401


async def test_a_token_that_is_told_to_live_long_lives_no_longer_than_others(
    start_app: StartApp, clock: Clock
) -> None:
    app = await start_app()
    harm(app, "expires_in:999999")
    app.token = (await granted(app))["access_token"]
    clock.advance(14_400)
    assert (await app.report()).status_code == 401


async def test_a_token_that_is_refused_has_no_expires_in_to_spoil(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "expires_in:1")
    answer = await app.client.post(TOKEN, json={**CREDENTIALS, "grant_type": "x"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_a_web_page_stands_in_a_tokens_place(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "html call=token instance=site-1")
    answer = await app.client.post(TOKEN, json=dict(CREDENTIALS))
    assert answer.headers["content-type"].startswith("text/html")
    assert (await app.report()).status_code == 200
