"""What holds for the reports of any event?"""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamer.model import Event, Generation, Message, Offset, Partition, RefusedReport, Report
from streamer.routing.payload import Invalid, encode_payload
from streamer.routing.table import Idempotency, RouteSpec, RoutingTable, compile_routes

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.text(max_size=10),
    st.binary(max_size=4),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.one_of(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), st.text(max_size=4))
payloads = st.one_of(values, st.dictionaries(names, values, max_size=4))


def table() -> RoutingTable:
    payload = {"amount": "event.amount", "note": "event.note", "lines": "event.lines"}
    by_place = RouteSpec(
        "by-place", ("t",), None, trigger="a", instance="event.site", payload=payload
    )
    by_value = RouteSpec(
        "by-value",
        ("t",),
        None,
        trigger="b",
        instance="event.site",
        entity="event.note",
        idempotency=Idempotency("event.note", False),
    )
    made = compile_routes([by_place, by_value], {})
    assert isinstance(made, RoutingTable)
    return made


TABLE = table()


def event(fields: dict[str, Any], offset: int, timestamp_ms: int) -> Event:
    message = Message(
        Partition("t", 1), Generation(offset), Offset(offset), timestamp_ms, b"k", b"v"
    )
    return Event(message, "com.acme.E", fields)


@given(
    st.fixed_dictionaries(
        {"amount": scalars, "note": scalars, "site": st.one_of(scalars, st.text(min_size=1))},
        optional={"lines": values},
    ),
    st.integers(0, 2**60),
    st.integers(-1, 2**60),
)
def test_a_redelivered_event_makes_byte_for_byte_the_same(
    fields: dict[str, Any], offset: int, timestamp_ms: int
) -> None:
    first = TABLE.route(event(fields, offset, timestamp_ms), 0)
    # Another process, another table, another day.
    again = table().route(event(dict(fields), offset, timestamp_ms), 10**12)
    assert [told(report) for report in first.reports] == [told(report) for report in again.reports]
    for report in first.reports:
        if isinstance(report, Report):
            assert 1 <= len(report.idempotency_key) <= 80


def told(report: Report | RefusedReport) -> tuple[Any, ...]:
    if isinstance(report, Report):
        return (report.lane, report.entity, report.idempotency_key, report.payload)
    return (report.instance, report.refusal)


@given(payloads)
def test_a_payload_keeps_the_endpoints_rules_or_is_refused(value: Any) -> None:
    made = encode_payload(value)
    if isinstance(made, Invalid):
        assert made.found.startswith("payload")
        assert made.do
        return
    payload = json.loads(made, parse_float=Decimal)
    for key, item in payload.items():
        assert re.fullmatch("[A-Za-z0-9][A-Za-z0-9_]*", key)
        for entry in item if isinstance(item, list) else [{"": item}]:
            assert all(isinstance(part, str | int | Decimal | bool) for part in entry.values())


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,4}", fullmatch=True),
        st.one_of(
            st.text(), st.booleans(), st.integers(-(2**70), 2**70), st.none(),
            st.decimals(-10**9, 10**9, places=4),
        ),
    )
)  # fmt: skip
def test_a_plain_payload_reads_back_as_it_was_without_its_nulls(value: dict[str, Any]) -> None:
    made = encode_payload(value)
    assert isinstance(made, bytes)
    read = json.loads(made, parse_float=Decimal)
    assert read == {key: item for key, item in value.items() if item is not None}


def test_a_moments_key_does_not_depend_on_what_made_its_zone() -> None:
    keys = set()
    for zone in (UTC, timezone(timedelta(0))):
        fields = {"site": "s", "amount": 1, "note": datetime(2026, 1, 1, tzinfo=zone), "lines": []}
        (_, by_value) = TABLE.route(event(fields, 1, 1), 0).reports
        assert isinstance(by_value, Report)
        keys.add(by_value.idempotency_key)
    assert len(keys) == 1
