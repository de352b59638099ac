"""The quota of each app instance, as a pure count and on the wire."""

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sandbox.quota import MINUTE_MS, Quota, RetryAfter, Usages
from streamer.sandbox.rules import Rules
from streamer.sandbox.server import SandboxOptions
from tests.unit.sandbox.calling import ENTITY, App, Clock, an_event
from tests.unit.sandbox.conftest import StartApp

calls_ms = st.lists(st.integers(0, 20_000), max_size=120).map(
    lambda gaps: [sum(gaps[: place + 1]) for place in range(len(gaps))]
)


def highest_in_a_minute(times_ms: list[int]) -> int:
    """By the definition: calls in (t - minute, t] for each call t."""
    return max(
        (sum(end - MINUTE_MS < time <= end for time in times_ms[: place + 1]))
        for place, end in enumerate(times_ms)
    )


@given(calls_ms, st.integers(1, 9), st.booleans())
def test_no_sliding_minute_has_more_calls_than_the_quota(
    times_ms: list[int], limit: int, refused_count: bool
) -> None:
    usages = Usages()
    quota = Quota(limit, refused_calls_count=refused_count)
    waits = [usages.call(quota, "app", "site", now_ms) for now_ms in times_ms]
    if not times_ms:
        return
    passed = [now_ms for now_ms, wait in zip(times_ms, waits, strict=True) if wait is None]
    assert highest_in_a_minute(passed) <= limit
    (usage,) = usages.usages(1)
    assert usage.calls == len(times_ms)
    assert usage.over_quota == len(times_ms) - len(passed)
    assert usage.most_in_a_minute == highest_in_a_minute(times_ms)


@given(calls_ms, st.integers(1, 9), st.booleans())
def test_a_caller_that_waits_as_it_is_told_is_let_in_and_not_a_moment_earlier(
    times_ms: list[int], limit: int, refused_count: bool
) -> None:
    quota = Quota(limit, refused_calls_count=refused_count)
    for place in range(len(times_ms)):
        for early_ms in (0, 1):
            usages = Usages()
            waits = [usages.call(quota, "app", "site", now) for now in times_ms[: place + 1]]
            wait_ms = waits[-1]
            if wait_ms is None:
                break
            assert 0 < wait_ms <= MINUTE_MS
            again = usages.call(quota, "app", "site", times_ms[place] + wait_ms - early_ms)
            assert (again is None) is (early_ms == 0)


def test_calls_that_were_refused_count_only_where_told_so() -> None:
    for told, let_in in ((False, True), (True, False)):
        usages = Usages()
        quota = Quota(1, refused_calls_count=told)
        for now_ms in (0, 59_000):
            usages.call(quota, "app", "site", now_ms)
        assert (usages.call(quota, "app", "site", 60_000) is None) is let_in


def test_each_instance_of_each_app_has_a_quota_of_its_own() -> None:
    usages = Usages()
    for app, site in (("a", "1"), ("a", "2"), ("b", "1")):
        assert usages.call(Quota(1), app, site, 0) is None
    assert len(usages) == 3


def test_many_calls_of_a_minute_are_not_kept_for_good() -> None:
    usages = Usages()
    for now_ms in range(0, 10 * MINUTE_MS, 10):
        usages.call(Quota(), "app", "site", now_ms)
    window = usages._windows["app", "site"]
    assert len(window.counted._times_ms) < 2 * MINUTE_MS / 10 + 100
    assert usages.usages(1)[0].most_in_a_minute == MINUTE_MS / 10


# --- on the wire ------------------------------------------------------------------------------


async def limited(
    start_app: StartApp, limit: int = 2, retry_after: RetryAfter = RetryAfter.SECONDS
) -> App:
    return await start_app(SandboxOptions(rules=Rules(quota=Quota(limit, retry_after))))


async def test_any_call_counts_and_a_bulk_call_is_one(start_app: StartApp, clock: Clock) -> None:
    app = await limited(start_app, 5)
    clock.advance(0.5)
    statuses = [
        (await app.report()).status_code,
        (await app.bulk_report(*(an_event(n) for n in range(100)))).status_code,
        (await app.cancel()).status_code,
        (await app.bulk_cancel(ENTITY)).status_code,
        (await app.report(triggerKey="")).status_code,
        (await app.report()).status_code,
    ]
    assert statuses == [200, 200, 200, 200, 400, 429]
    assert (await app.summary())["by_instance"] == [
        {
            "app": "app-1",
            "instance": "site-1",
            "calls": 6,
            "over_quota": 1,
            "most_in_a_minute": 6,
        }
    ]


async def test_asking_for_tokens_and_a_wrong_token_do_not_count(start_app: StartApp) -> None:
    app = await limited(start_app, 1)
    for _ in range(3):
        good = await app.ask_token()
    app.token = "made-up"
    assert (await app.report()).status_code == 401
    app.token = good
    assert (await app.report()).status_code == 200


async def test_a_new_token_does_not_bring_a_new_quota(start_app: StartApp) -> None:
    app = await limited(start_app, 1)
    await app.report()
    app.token = await app.ask_token()
    assert (await app.report()).status_code == 429
    app.token = await app.ask_token(instance_id="site-2")
    assert (await app.report()).status_code == 200


async def test_a_call_over_quota_is_told_when_to_come_again(
    start_app: StartApp, clock: Clock
) -> None:
    app = await limited(start_app)
    await app.report()
    clock.advance(20.4)
    await app.report()
    answer = await app.report()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "40")
    clock.advance(39)
    assert (await app.report()).status_code == 429
    clock.advance(1)
    assert (await app.report()).status_code == 200


async def test_when_to_come_again_is_told_as_a_date_or_not_at_all(
    start_app: StartApp, clock: Clock
) -> None:
    app = await limited(start_app, 1, retry_after=RetryAfter.DATE)
    await app.report()
    date = parsedate_to_datetime((await app.report()).headers["retry-after"])
    assert date.timestamp() == clock.now_ms / 1000 + 60
    await app.admin("settings", {"quota_retry_after": "none"})
    assert "retry-after" not in (await app.report()).headers


async def test_without_a_quota_calls_are_counted_all_the_same(start_app: StartApp) -> None:
    app = await start_app()
    for _ in range(300):
        assert (await app.report()).status_code == 200
    (usage,) = (await app.summary())["by_instance"]
    assert (usage["calls"], usage["over_quota"], usage["most_in_a_minute"]) == (300, 0, 300)


async def test_a_reset_begins_the_minute_anew(start_app: StartApp) -> None:
    app = await limited(start_app, 1)
    await app.report()
    await app.admin("reset", {})
    assert (await app.report()).status_code == 200


@pytest.mark.parametrize(("quota", "status"), [("1/min", 429), ("2/min", 200), ("none", 200)])
async def test_the_quota_can_be_changed_while_it_runs(
    start_app: StartApp, quota: str, status: int
) -> None:
    app = await limited(start_app, 9)
    await app.report()
    await app.admin("settings", {"quota": quota})
    assert (await app.report()).status_code == status
