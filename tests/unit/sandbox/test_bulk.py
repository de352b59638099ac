"""Bulk calls on the wire: independence of the items, the ledger, and what faults do to them."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sandbox.answers import ApiError, Violation
from streamer.sandbox.bulk_answers import Item, bulk_answer
from streamer.sandbox.fault_kinds import ResultsFault
from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.faulty_answers import spoilt
from streamer.sandbox.platform import Accepted
from streamer.sandbox.rules import BulkBadItem, BulkResults, Rules
from streamer.sandbox.server import SandboxOptions
from tests.unit.sandbox.calling import (
    ENTITY,
    TRIGGER,
    App,
    an_entity,
    an_event,
    by_index,
    keyed,
)
from tests.unit.sandbox.conftest import StartApp

BAD = {"payload": {"n": None}}


def harm(app: App, *faults: str) -> None:
    app.set_faults(*(parse_fault(fault) for fault in faults))


def successes(answer: dict[str, Any]) -> list[bool]:
    return [result["itemMetadata"]["success"] for result in by_index(answer)]


async def test_each_item_is_accepted_or_refused_by_itself(start_app: StartApp) -> None:
    app = await start_app()
    answer = await app.bulk_report(an_event(0), BAD, an_event(2))
    assert successes(answer.json()) == [True, False, True]
    entries = await app.entries()
    assert {entry["bulk_index"]: entry["payload"]["n"] for entry in entries} == {0: 0, 2: 2}
    assert {entry["request_id"] for entry in entries} == {answer.headers["x-wix-request-id"]}
    summary = await app.summary()
    assert (summary["reports"], summary["refused"], summary["bulk_items"]) == (2, 1, 3)
    assert summary["calls"] == {"token": {"200": 1}, "bulk-report": {"200": 1}}


async def test_items_and_results_come_in_an_order_that_the_seed_draws(start_app: StartApp) -> None:
    orders = []
    for seed in (7, 7, 8):
        app = await start_app(SandboxOptions(seed=seed))
        answer = (await app.bulk_report(*(an_event(n) for n in range(50)))).json()
        results = [result["itemMetadata"]["originalIndex"] for result in answer["results"]]
        assert results == [entry["bulk_index"] for entry in await app.entries()]
        assert sorted(results) == list(range(50))
        orders.append(results)
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


async def test_the_calls_entries_are_answered_at_one_moment(start_app: StartApp) -> None:
    app = await start_app()
    await app.bulk_report(an_event(0), an_event(1))
    await app.report()
    first, second, third = await app.entries()
    assert first["started"] == second["started"] < first["answered"] == second["answered"]
    assert third["started"] > first["answered"]


async def test_a_bulk_cancel_ends_what_single_and_bulk_calls_reported(start_app: StartApp) -> None:
    app = await start_app()
    await app.bulk_report(
        an_event(0, externalEntityId=an_entity(1)), an_event(1, externalEntityId=an_entity(2))
    )
    await app.report(externalEntityId=an_entity(1))
    await app.report(externalEntityId=an_entity(3))
    await app.bulk_cancel(an_entity(1), an_entity(9))
    entries = await app.entries()
    reports = [entry for entry in entries if entry["action"] == "report"]
    cancelled = [entry for entry in reports if entry["cancelled_by"] is not None]
    assert {entry["entity"] for entry in reports if entry not in cancelled} == {
        an_entity(2),
        an_entity(3),
    }
    by_entity = {entry["entity"]: entry for entry in entries if entry["action"] == "cancel"}
    cancel = by_entity[an_entity(1)]
    assert len(cancelled) == 2
    assert cancel["cancels"] == [entry["number"] for entry in cancelled]
    assert {entry["cancelled_by"] for entry in cancelled} == {cancel["number"]}
    assert (await app.summary())["cancels_of_nothing"] == 1


async def test_a_single_cancel_ends_an_item_of_a_bulk_report(start_app: StartApp) -> None:
    app = await start_app()
    await app.bulk_report(an_event(0, externalEntityId=ENTITY))
    await app.cancel()
    report, cancel = await app.entries()
    assert (report["cancelled_by"], cancel["cancels"]) == (2, [1])


async def test_a_key_is_one_for_single_and_bulk_calls(start_app: StartApp) -> None:
    app = await start_app()
    await app.report(idempotency=keyed("k0"))
    answer = (await app.bulk_report(an_event(0), an_event(1), an_event(1))).json()
    assert successes(answer) == [True] * 3
    activations = [len(result["activationIds"]) for result in by_index(answer)]
    assert activations[0] == 0
    assert sorted(activations[1:]) == [0, 1]
    assert sorted(entry["came"] for entry in await app.entries()) == [2, 2]


@pytest.mark.parametrize("way", [BulkBadItem.CALL, BulkBadItem.CALL_WITHOUT_PATH])
async def test_a_call_that_is_refused_for_a_bad_item_takes_none_in(
    start_app: StartApp, way: BulkBadItem
) -> None:
    app = await start_app(SandboxOptions(rules=Rules(bulk_bad_item=way)))
    assert (await app.bulk_report(an_event(0), BAD)).status_code == 400
    assert await app.entries() == []
    assert (await app.bulk_report(an_event(0))).status_code == 200


async def test_a_known_key_is_no_bad_item(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(bulk_bad_item=BulkBadItem.CALL)))
    await app.bulk_report(an_event(0))
    assert (await app.bulk_report(an_event(0, payload={"n": None}))).status_code == 200


# --- faults of items --------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "accepted"), [("", 0), (" after", 2)])
async def test_items_fail_on_demand_before_or_after_they_were_taken_in(
    start_app: StartApp, words: str, accepted: int
) -> None:
    app = await start_app()
    harm(app, f"item:UNAVAILABLE entity={ENTITY}{words}", "item:RESOURCE_EXHAUSTED trigger=other")
    events = [an_event(n, externalEntityId=e) for n, e in enumerate((ENTITY, an_entity(1), ENTITY))]
    answer = (await app.bulk_report(*events)).json()
    assert successes(answer) == [False, True, False]
    error = by_index(answer)[0]["itemMetadata"]["error"]
    assert set(error) == {"code", "description", "data"}
    assert error["code"] == "UNAVAILABLE"
    assert answer["bulkActionMetadata"]["totalFailures"] == 2
    assert len(await app.entries()) == 1 + accepted
    harm(app)
    again = (await app.bulk_report(*events)).json()
    assert successes(again) == [True] * 3
    assert len(await app.entries()) == 3


@pytest.mark.parametrize(("words", "accepted"), [("undetailed", 0), ("undetailed after", 3)])
async def test_undetailed_failures_are_counted_and_left_out_of_the_results(
    start_app: StartApp, words: str, accepted: int
) -> None:
    app = await start_app()
    harm(app, words)
    answer = (await app.bulk_report(*(an_event(n) for n in range(3)))).json()
    assert answer["results"] == []
    assert answer["bulkActionMetadata"] == {
        "totalSuccesses": 0,
        "totalFailures": 3,
        "undetailedFailures": 3,
    }
    assert len(await app.entries()) == accepted


async def test_a_failed_item_uses_up_its_key_where_told_so(start_app: StartApp) -> None:
    app = await start_app(SandboxOptions(rules=Rules(failed_use_up_keys=True)))
    harm(app, "item:INTERNAL")
    await app.bulk_report(an_event(0))
    harm(app, "503")
    await app.bulk_report(an_event(1))
    harm(app)
    await app.bulk_report(an_event(0), an_event(1), an_event(2))
    assert [entry["payload"]["n"] for entry in await app.entries()] == [2]


async def test_faults_of_items_leave_calls_of_one_alone(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "item:INTERNAL", "undetailed", "results:cut")
    assert (await app.report()).json()["activationIds"]


# --- faults of the results ----------------------------------------------------------------------


def items_of(outcomes: list[bool]) -> list[Item]:
    error = ApiError(400, "wrong", "INVALID_ARGUMENT", (Violation("payload", "is wrong", "OTHER"),))
    return [
        Item(TRIGGER, index, b"{}", Accepted(None) if good else error, None if good else error)
        for index, good in enumerate(outcomes)
    ]


def spoil(how: ResultsFault, outcomes: list[bool]) -> bytes:
    items = items_of(outcomes)
    answer = bulk_answer(TRIGGER, items, of_events=True, form=BulkResults.FULL)
    return spoilt(answer, how, len(items), Random(1)).body


async def spoilt_results(start_app: StartApp, how: str, events: int = 30) -> list[Any]:
    app = await start_app()
    harm(app, f"results:{how}")
    answer = await app.bulk_report(*(an_event(n) for n in range(events)))
    assert answer.status_code == 200
    assert len(await app.entries()) == events
    results: list[Any] = answer.json()["results"]
    return results


def indices(results: list[Any]) -> list[int]:
    return [result["itemMetadata"]["originalIndex"] for result in results]


async def test_results_stand_twice_on_demand(start_app: StartApp) -> None:
    results = await spoilt_results(start_app, "doubled")
    assert len(results) == 33
    assert set(indices(results)) == set(range(30))
    assert all(result["itemMetadata"]["success"] for result in results)


async def test_results_contradict_each_other_on_demand(start_app: StartApp) -> None:
    results = await spoilt_results(start_app, "contradicting")
    contrary = [result for result in results if not result["itemMetadata"]["success"]]
    assert (len(results), len(contrary)) == (33, 3)
    assert all(result["itemMetadata"]["error"]["code"] == "INTERNAL" for result in contrary)


async def test_results_are_missing_on_demand(start_app: StartApp) -> None:
    results = await spoilt_results(start_app, "missing")
    assert len(set(indices(results))) == len(results) == 27
    assert await spoilt_results(start_app, "none") == []


async def test_results_are_out_of_range_on_demand(start_app: StartApp) -> None:
    found = indices(await spoilt_results(start_app, "out-of-range"))
    assert len(found) == 30
    assert sum(not 0 <= index < 30 for index in found) == 3


async def test_results_are_out_of_order_on_demand(start_app: StartApp) -> None:
    found = indices(await spoilt_results(start_app, "out-of-order"))
    assert found == list(range(29, -1, -1))


async def test_a_body_is_cut_under_a_length_that_fits_it_on_demand(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "results:cut")
    answer = await app.bulk_report(an_event(0))
    assert answer.status_code == 200
    assert answer.content.startswith(b'{"triggerKey":')
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_a_call_that_is_refused_has_no_results_to_spoil(start_app: StartApp) -> None:
    app = await start_app()
    harm(app, "results:doubled")
    assert (await app.bulk_report()).status_code == 400


@given(st.sampled_from(ResultsFault), st.lists(st.booleans(), max_size=12))
def test_any_results_can_be_spoilt_in_any_way(how: ResultsFault, outcomes: list[bool]) -> None:
    assert spoil(how, outcomes)
