"""Faults that are switched on and off one by one, and what is said of them."""

import asyncio
from typing import Any

import httpx
import pytest

from streamer.sandbox.fault_sentences import fault_sentence
from streamer.sandbox.fault_text import parse_fault
from tests.unit.sandbox.calling import App, Clock, until
from tests.unit.sandbox.conftest import StartApp


async def switch(app: App, **change: list[Any]) -> list[str]:
    """The faults that are set then."""
    return [fault["fault"] for fault in (await app.admin("faults", change))["faults"]]


async def test_a_fault_that_is_added_leaves_the_others_their_time(
    start_app: StartApp, clock: Clock
) -> None:
    app = await start_app()
    await switch(app, faults=["503 for=30s"])
    clock.advance(20)
    assert await switch(app, add=["latency=1ms"]) == ["latency=1ms", "503 for=30s"]
    assert (await app.report()).status_code == 503
    clock.advance(9)
    assert (await app.report()).status_code == 503
    clock.advance(1)
    assert (await app.report()).status_code == 200


async def test_the_latency_that_was_added_last_is_the_one_that_counts(start_app: StartApp) -> None:
    app = await start_app()
    assert await switch(app, add=["latency=1h"]) == ["latency=1h"]
    await switch(app, add=["latency=0s"])
    assert (await app.report()).status_code == 200


async def test_a_fault_is_taken_out_by_its_words_and_once(start_app: StartApp) -> None:
    app = await start_app()
    await switch(app, add=["500", "hang=1% trigger=t", "500"])
    assert await switch(app, remove=["500=100%"]) == ["hang=1% trigger=t", "500"]
    assert await switch(app, remove=["500"]) == ["hang=1% trigger=t"]
    assert (await app.report()).status_code == 200


async def test_what_is_over_leaves_at_the_next_change(start_app: StartApp, clock: Clock) -> None:
    app = await start_app()
    await switch(app, add=["503 for=30s"])
    clock.advance(30)
    assert await switch(app, remove=[]) == []


async def test_what_is_over_may_be_taken_out_all_the_same(
    start_app: StartApp, clock: Clock
) -> None:
    app = await start_app()
    await switch(app, add=["503 for=30s"])
    clock.advance(20)
    await switch(app, add=["503 for=30s"])
    clock.advance(10)
    assert await switch(app, remove=["503 for=30s", "503 for=30s"]) == []


async def test_taking_out_what_is_not_set_is_told_and_changes_nothing(start_app: StartApp) -> None:
    app = await start_app()
    await switch(app, add=["503", "500=5%"])
    for remove in (["500=5%", "drop"], ["503", "503"]):
        answer = await app.client.post("/sandbox/faults", json={"remove": remove})
        assert answer.status_code == 400
        assert answer.json()["message"].startswith(f"remove[1]: no fault '{remove[1]}' is set")
        assert await switch(app, add=[]) == ["503", "500=5%"]


async def test_a_fault_of_any_share_is_taken_out_by_the_words_that_it_is_shown_in(
    start_app: StartApp,
) -> None:
    app = await start_app()
    shares = [1 / 3, 0.009, 1e-8, 0.123456789, 0.99999999, *(n / 1000 for n in range(0, 1001, 7))]
    faults = await switch(app, add=[{"status": 500, "share": share} for share in shares])
    assert faults[:3] == ["500=33.333333%", "500=0.9%", "500=0.000001%"]
    assert await switch(app, remove=faults) == []


@pytest.mark.parametrize(
    "body", [{"add": "500"}, {"add": ["500"], "remove": []}, {"more": []}, {"remove": ["slow"]}]
)
async def test_a_wrong_switch_changes_nothing(start_app: StartApp, body: object) -> None:
    app = await start_app()
    await switch(app, add=["503"])
    assert (await app.client.post("/sandbox/faults", json=body)).status_code == 400
    assert [fault["fault"] for fault in (await app.admin("faults"))["faults"]] == ["503"]


async def test_a_door_that_is_to_close_closes_although_another_fault_was_added(
    start_app: StartApp,
) -> None:
    app = await start_app()
    await switch(app, faults=["refuse in=300ms for=400ms"])
    await switch(app, add=["latency=0s"])
    refused = False

    async def ask_until_refused_and_let_in() -> None:
        nonlocal refused
        while True:
            try:
                await app.client.get("/sandbox/faults")
                if refused:
                    return
            except httpx.TransportError:
                refused = True
            await asyncio.sleep(0.01)

    asking = asyncio.create_task(ask_until_refused_and_let_in())
    await until(asking.done)
    assert refused


SENTENCES = {
    "500=5%": "5% of reports and cancels answer 500",
    "409:ALREADY_EXISTS=1%": "1% of reports and cancels answer 409 ALREADY_EXISTS",
    "500 after": "All reports and cancels answer 500, though taken in",
    "429=1% retry_after=2": "1% of reports and cancels answer 429 with Retry-After: 2",
    "429 retry_after=date-1h": "All reports and cancels answer 429 with Retry-After, a date 1h ago",
    "307=1% location=http://localhost:9/": "1% of reports and cancels answer 307 "
    "with a Location elsewhere",
    "503 call=all for=30s": "All calls answer 503",
    "drop=1%": "1% of reports and cancels end with a reset and no answer",
    "hang=1% trigger=t instance=s": "1% of reports and cancels get no answer while they wait, "
    "only trigger t, instance s",
    "cut=1% call=single": "1% of single calls end in the middle of the answer",
    "html:502=1%": "1% of reports and cancels answer 502 with a web page",
    "text:10MB": "All reports and cancels answer 200 with 10MB of text",
    "expires_in:none=5%": "5% of token calls answer without expires_in",
    "expires_in:-1": "All token calls say expires_in -1",
    "item:UNAVAILABLE=2% after": "2% of items of bulk calls fail with UNAVAILABLE, though taken in",
    "undetailed call=report": "All items, report calls fail and have no result",
    "results:missing": "All bulk calls lack results",
    "latency=50ms": "All reports and cancels wait 50ms",
    "latency=20ms..80ms": "All reports and cancels wait 20ms to 80ms",
    "latency=p50=50ms,p99=400ms": "All reports and cancels wait about 50ms, one in 100 over 400ms",
    "latency=2s before share=10%": "10% of reports and cancels wait 2s, before being taken in",
    "refuse for=5s": "Nobody listens: connections are refused, open ones reset, this page's too",
}


@pytest.mark.parametrize(("fault", "said"), SENTENCES.items())
def test_a_fault_is_said_in_a_sentence(fault: str, said: str) -> None:
    assert fault_sentence(parse_fault(fault)) == said
