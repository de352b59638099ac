"""What goes out is byte for byte as documented."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.endpoint.requests import compose
from streamer.model import (
    Action,
    Batch,
    Generation,
    LaneKey,
    Message,
    Offset,
    Partition,
    Report,
)
from tests.effort import examples

LANE = LaneKey("default", "instance-1")
ENTITY = "0a1b2c3d-0000-4000-8000-000000000001"


def report(
    payload: bytes = b'{"amount":12.50}',
    *,
    action: Action = Action.REPORT,
    entity: str | None = None,
    key: str = "k1",
    ttl_ms: int | None = None,
) -> Report:
    message = Message(Partition("t", 0), Generation(1), Offset(0), 0, None, None)
    return Report(message, "route", LANE, "invoice_overdue", action, entity, payload, key, ttl_ms)


def batch(*reports: Report, trigger: str = "invoice_overdue") -> Batch:
    return Batch(LANE, trigger, reports[0].action, reports)


def test_a_report_carries_its_payload_byte_for_byte() -> None:
    request = compose(batch(report()))

    assert request.path == "/automations/v1/events/report"
    assert request.body == (
        b'{"triggerKey":"invoice_overdue","payload":{"amount":12.50},"idempotency":{"key":"k1"}}'
    )


def test_entity_and_time_to_live_are_sent_where_there_are_any() -> None:
    request = compose(batch(report(entity=ENTITY, ttl_ms=86_400_000)))

    assert json.loads(request.body) == {
        "triggerKey": "invoice_overdue",
        "payload": {"amount": 12.5},
        "externalEntityId": ENTITY,
        "idempotency": {"key": "k1", "ttlInMilliseconds": "86400000"},
    }


def test_a_cancel_is_trigger_and_entity_alone() -> None:
    request = compose(batch(report(b"", action=Action.CANCEL, entity=ENTITY, key="")))

    assert request.path == "/automations/v1/events/cancel"
    assert json.loads(request.body) == {
        "triggerKey": "invoice_overdue",
        "externalEntityId": ENTITY,
    }


def test_a_bulk_report_has_its_items_in_the_batches_order_each_with_what_is_its_own() -> None:
    request = compose(
        batch(
            report(b'{"amount":12.50}', key="k1"),
            report(b'{"n":9007199254740993}', entity=ENTITY, key="k2", ttl_ms=60_000),
        )
    )

    assert request.path == "/automations/v1/events/bulk-report"
    assert request.body == (
        b'{"triggerKey":"invoice_overdue","eventsInfo":['
        b'{"payload":{"amount":12.50},"idempotency":{"key":"k1"}},'
        b'{"payload":{"n":9007199254740993},"externalEntityId":"%s",'
        b'"idempotency":{"key":"k2","ttlInMilliseconds":"60000"}}]}' % ENTITY.encode()
    )


def test_a_bulk_cancel_is_trigger_and_entities_alone() -> None:
    other = ENTITY.replace("1b", "ff")
    cancels = [report(b"", action=Action.CANCEL, entity=it, key="") for it in (other, ENTITY)]

    request = compose(batch(*cancels))

    assert request.path == "/automations/v1/events/bulk-cancel"
    assert request.body == (
        b'{"triggerKey":"invoice_overdue","externalEntityIds":["%s","%s"]}'
        % (other.encode(), ENTITY.encode())
    )


@pytest.mark.parametrize("count", [2, 99, 100])
@pytest.mark.parametrize("action", Action)
def test_a_bulk_call_takes_up_to_a_hundred(action: Action, count: int) -> None:
    body = json.loads(compose(batch(*[report(action=action, entity=ENTITY)] * count)).body)

    assert len(body["eventsInfo" if action is Action.REPORT else "externalEntityIds"]) == count


@settings(max_examples=examples(100))
@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), min_size=2, max_size=9
    ),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=100),
)
def test_any_text_arrives_in_a_bulk_call_as_in_single_ones(keys: list[str], trigger: str) -> None:
    reports = [report(key=key, entity=ENTITY, ttl_ms=1) for key in keys]

    bulk = json.loads(compose(batch(*reports, trigger=trigger)).body)

    single = [json.loads(compose(batch(it, trigger=trigger)).body) for it in reports]
    assert [{"triggerKey": bulk["triggerKey"], **item} for item in bulk["eventsInfo"]] == single


@settings(max_examples=examples(100))
@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=100),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=80),
    st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers() | st.booleans()),
)
def test_any_text_arrives_as_it_is(trigger: str, key: str, payload: dict[str, int | bool]) -> None:
    encoded = json.dumps(payload).encode()
    sent = json.loads(compose(batch(report(encoded, key=key), trigger=trigger)).body)

    assert sent == {"triggerKey": trigger, "payload": payload, "idempotency": {"key": key}}


@pytest.mark.parametrize(
    "wrong",
    [
        batch(*[report()] * 101),
        Batch(LANE, "invoice_overdue", Action.REPORT, ()),
        batch(report(), report(key="")),
        batch(report(), report(b"[]")),
        batch(report(), report(ttl_ms=-1)),
        batch(report(), report(), trigger=""),
        batch(report(b"", action=Action.CANCEL, entity=ENTITY), report(action=Action.CANCEL)),
        batch(report(), trigger=""),
        batch(report(), trigger="t" * 101),
        batch(report(key="")),
        batch(report(key="k" * 81)),
        batch(report(ttl_ms=0)),
        batch(report(b"")),
        batch(report(b"[]")),
        batch(report(action=Action.CANCEL)),
        batch(report(action=Action.CANCEL, entity="")),
    ],
)
def test_what_the_endpoint_does_not_take_is_not_sent(wrong: Batch) -> None:
    with pytest.raises(ValueError, match=r"an? (call|trigger|idempotency|payload|cancel)"):
        compose(wrong)
