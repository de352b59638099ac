"""What do today's routes make of a letter, and which letters are left out, with what reason?"""

import pytest
from msgspec import structs

from streamer.model import Action, Reason, RefusedReport, Report
from streamer.replay.prepared import Item, Left, LeftOut, Ready
from streamer.replay.preparing import new_key
from streamer.routing.keys import message_key
from streamer.routing.table import RoutingTable
from tests.unit.replay.source import (
    NOW_MS,
    SITE,
    WEEK_MS,
    Bench,
    item_of,
    letter_of,
    record_item,
    spec,
    table_of,
    value,
)


async def ready(bench: Bench, item: Item, **manner: object) -> Ready:
    made = await bench.preparer(**manner).prepare(item)
    assert isinstance(made, Ready), made
    return made


async def left(bench: Bench, item: Item, **manner: object) -> Left:
    made = await bench.preparer(**manner).prepare(item)
    assert isinstance(made, Left), made
    return made


def only(ready: Ready) -> Report:
    (report,) = ready.reports
    assert isinstance(report, Report)
    return report


async def test_only_the_route_that_refused_is_asked_and_the_key_is_the_one_it_was_sent_with() -> (
    None
):
    bench = Bench()
    message = bench.source.put(value("Overdue"))
    report = only(await ready(bench, item_of(letter_of(message))))
    assert (report.route, report.idempotency_key) == ("overdue", "sent-with")
    assert report.lane.instance == SITE
    assert (report.message.partition, report.message.offset) == (message.partition, 0)


async def test_what_was_never_sent_has_the_key_that_it_would_have_had() -> None:
    bench = Bench()
    message = bench.source.put(value("Overdue"))
    item = item_of(letter_of(message, idempotency_key=""))
    wanted = message_key(SITE, "overdue", message)
    assert only(await ready(bench, item)).idempotency_key == wanted


async def test_a_new_key_is_another_and_the_same_at_every_try() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue"))))
    first = only(await ready(bench, item, new_key=True)).idempotency_key
    assert first == only(await ready(bench, item, new_key=True)).idempotency_key
    assert first not in ("sent-with", "")
    assert len(first) <= 80
    assert new_key("a", "b") != new_key("a", "c")


async def test_a_letter_without_a_route_goes_through_all() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue")), route="", idempotency_key=""))
    made = await ready(bench, item)
    assert [report.route for report in made.reports] == ["overdue", "noted"]


async def test_a_letter_whose_headers_were_too_large_is_known_by_its_id() -> None:
    bench = Bench()
    message = bench.source.put(value("Overdue"))
    item = item_of(letter_of(message, route="noted"), shrunk=True)
    assert only(await ready(bench, item)).route == "noted"
    whole = item_of(letter_of(message, route="", instance=""), shrunk=True)
    assert len((await ready(bench, whole)).reports) == 2


async def test_a_route_that_is_gone_is_named() -> None:
    bench = Bench()
    out = await left(bench, item_of(letter_of(bench.source.put(value("Overdue")), route="old")))
    assert out.why is LeftOut.ROUTE_GONE
    assert "old" in out.detail


async def test_a_route_that_makes_nothing_of_it_now_is_named_with_why() -> None:
    bench = Bench(
        table=table_of(
            spec(
                "overdue",
                "Overdue",
                trigger="overdue",
                max_age_ms=10,
                payload={"id": "event.invoice"},
            )
        )
    )
    out = await left(bench, item_of(letter_of(bench.source.put(value("Overdue")))))
    assert (out.why, "max-age" in out.detail) == (LeftOut.NOTHING_NOW, True)
    other = await left(bench, item_of(letter_of(bench.source.put(value("Other")))))
    assert other.why is LeftOut.NOTHING_NOW


async def test_why_a_route_makes_nothing_is_not_told_by_another() -> None:
    bench = Bench(
        table=table_of(
            spec("overdue", "Overdue", trigger="o", payload={"id": "event.invoice"}, when="False"),
            spec("noted", "Overdue", trigger="n", payload={"id": "event.invoice"}, max_age_ms=10),
        )
    )
    message = bench.source.put(value("Overdue"))
    out = await left(bench, item_of(letter_of(message)))
    assert "max-age" not in out.detail
    assert "`when` is false" in out.detail
    assert (await left(bench, Item(message, message))).detail == "max-age"


async def test_what_the_route_refuses_again_is_a_refused_report() -> None:
    bench = Bench()
    message = bench.source.put(b'{"type": "Overdue", "site": "' + SITE.encode() + b'"}')
    (report,) = (await ready(bench, item_of(letter_of(message)))).reports
    assert isinstance(report, RefusedReport)
    assert report.refusal.reason is Reason.EXPRESSION_FAILED


async def test_what_does_not_decode_is_written_again_if_it_never_did() -> None:
    bench = Bench()
    never = bench.source.put(b"\xff")
    made = await ready(bench, item_of(letter_of(never, route="")))
    assert made.bad is not None
    assert made.reports == ()
    did = await left(bench, item_of(letter_of(never)))
    assert (did.why, "decode" in did.detail) == (LeftOut.NOTHING_NOW, True)


async def test_records_of_others_are_left_out() -> None:
    out = await left(Bench(), record_item(b"k", b"v", (("streamer-version", b"2"),)))
    assert (out.why, "version 2" in out.detail) == (LeftOut.NOT_OURS, True)


# --- cancels ---


async def test_a_cancel_is_left_out_unless_it_is_asked_for_and_says_what_it_would_undo() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Paid")), route="paid", action="cancel"))
    out = await left(bench, item)
    assert out.why is LeftOut.CANCEL
    assert "overdue" in out.detail
    assert SITE in out.detail
    assert only(await ready(bench, item, cancels=True)).action is Action.CANCEL


async def test_a_letter_without_a_route_that_makes_a_cancel_is_left_out_too() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Paid")), route=""))
    assert (await left(bench, item)).why is LeftOut.CANCEL


async def test_a_report_that_was_cancelled_later_is_left_out_unless_it_is_asked_for() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue"))))
    bench.source.put(b"\xff does not decode")
    bench.source.put(value("Paid"))
    out = await left(bench, item)
    assert (out.why, f"{item.origin.partition}@2" in out.detail) == (LeftOut.SUPERSEDED, True)
    assert only(await ready(bench, item, superseded=True)).route == "overdue"


@pytest.mark.parametrize("later", [value("Paid", "i-2"), value("Paid", site="other"), value("x")])
async def test_a_cancel_of_another_entity_or_lane_supersedes_nothing(later: bytes) -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue"))))
    bench.source.put(later)
    assert only(await ready(bench, item)).route == "overdue"


async def test_a_cancel_before_the_report_supersedes_nothing() -> None:
    bench = Bench()
    bench.source.put(value("Paid"))
    preparer = bench.preparer()
    first = item_of(letter_of(bench.source.put(value("Overdue", "i-2"))))
    second = item_of(letter_of(bench.source.put(value("Overdue"))))
    assert isinstance(await preparer.prepare(first), Ready)
    assert isinstance(await preparer.prepare(second), Ready)


async def test_the_source_is_read_once_for_all_letters_and_on_from_there() -> None:
    bench = Bench()
    items = [item_of(letter_of(bench.source.put(value("Overdue", f"i-{n}")))) for n in range(5)]
    preparer = bench.preparer()
    for item in (items[2], items[0], items[4]):
        assert isinstance(await preparer.prepare(item), Ready)
    # Forwards from the first that was asked for, then what lies before it.
    assert [(it.start, it.end) for it in bench.source.spans_read] == [(2, 5), (0, 2)]
    bench.source.put(value("Paid", "i-4"))
    bench.now += 60
    assert isinstance(await preparer.prepare(items[4]), Left)
    assert [(it.start, it.end) for it in bench.source.spans_read][2:] == [(5, 6)]


async def test_a_cancel_that_is_too_old_now_for_its_route_counts_as_it_did_when_it_was_new() -> (
    None
):
    bench = Bench(
        table=table_of(
            spec("overdue", "Overdue", trigger="overdue", payload={"id": "event.invoice"}),
            spec("paid", "Paid", cancel="overdue", max_age_ms=10),
        )
    )
    item = item_of(letter_of(bench.source.put(value("Overdue"))))
    bench.source.put(value("Paid"))
    assert (await left(bench, item)).why is LeftOut.SUPERSEDED


def cancelled_by(**paid: str) -> RoutingTable:
    return table_of(
        spec("overdue", "Overdue", trigger="overdue", payload={"id": "event.invoice"}),
        spec("paid", "Paid", cancel="overdue", **paid),
    )


@pytest.mark.parametrize(
    ("paid", "counts"),
    [
        ({"entity": "event.gone"}, True),
        ({"instance": "event.gone"}, True),
        ({"instance": "'another'", "entity": "event.gone"}, False),
    ],
)
async def test_a_later_cancel_that_is_refused_today_may_be_of_any_entity_of_what_is_known(
    paid: dict[str, str], counts: bool
) -> None:
    bench = Bench(table=cancelled_by(**paid))
    item = item_of(letter_of(bench.source.put(value("Overdue"))))
    bench.source.put(value("Paid"))
    made = await bench.preparer().prepare(item)
    assert isinstance(made, Left) is counts
    if isinstance(made, Left):
        assert made.why is LeftOut.SOURCE_UNREADABLE
        assert f"{item.origin.partition}@1" in made.detail


async def test_a_source_that_does_not_hold_the_message_any_more_cannot_tell() -> None:
    bench = Bench()
    message = bench.source.put(value("Overdue"))
    bench.source.put(value("Other"))
    # Made anew: another message stands there.
    older = item_of(letter_of(structs.replace(message, timestamp_ms=message.timestamp_ms - 5)))
    assert (await left(bench, older)).why is LeftOut.SOURCE_UNREADABLE
    bench.source.compacted = {0}
    out = await left(bench, item_of(letter_of(message)))
    assert (out.why, "compacted" in out.detail) == (LeftOut.SOURCE_UNREADABLE, True)


async def test_a_cancel_that_would_end_a_later_report_is_left_out_unless_it_is_asked_for() -> None:
    bench = Bench()
    message = bench.source.put(value("Paid"))
    item = item_of(letter_of(message, route="paid", action="cancel"))
    assert only(await ready(bench, item, cancels=True)).action is Action.CANCEL
    bench.source.put(value("Overdue", "i-2"))
    assert only(await ready(bench, item, cancels=True)).action is Action.CANCEL
    bench.source.put(value("Overdue"))
    for one in (item, Item(message, message)):
        out = await left(bench, one, cancels=True)
        assert (out.why, f"{message.partition}@2" in out.detail) == (LeftOut.SUPERSEDED, True)
    both = await ready(bench, item, cancels=True, superseded=True)
    assert only(both).action is Action.CANCEL


async def test_where_nobody_cancels_the_trigger_the_source_is_not_read() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue")), route="noted"))
    bench.source.low = 99
    assert only(await ready(bench, item)).route == "noted"
    assert bench.source.spans_read == []


async def test_a_source_that_cannot_be_read_any_more_leaves_the_report_out() -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue"))))
    elsewhere = item_of(letter_of(bench.source.message(0)), cluster="another")
    assert (await left(bench, elsewhere)).why is LeftOut.SOURCE_UNREADABLE
    bench.source.low = 2
    out = await left(bench, item)
    assert (out.why, "retention" in out.detail) == (LeftOut.SOURCE_UNREADABLE, True)
    bench.source.low, bench.source.records = 0, []
    assert (await left(bench, item)).why is LeftOut.SOURCE_UNREADABLE
    bench.source.is_there = False
    assert (await left(bench, item)).why is LeftOut.SOURCE_UNREADABLE
    assert only(await ready(bench, item, superseded=True)).route == "overdue"


# --- keys that may have expired ---


@pytest.mark.parametrize(
    ("first_ms", "is_expired"),
    [(None, False), (NOW_MS - 1, False), (NOW_MS - WEEK_MS + 1, False), (NOW_MS - WEEK_MS, True)],
)
async def test_a_key_may_have_expired_a_week_after_the_first_attempt(
    first_ms: int | None, is_expired: bool
) -> None:
    bench = Bench()
    item = item_of(letter_of(bench.source.put(value("Overdue")), first_attempt_ms=first_ms))
    assert (await ready(bench, item)).is_expired is is_expired
    assert not (await ready(bench, item, new_key=True)).is_expired


# --- messages of a source topic ---


async def test_of_a_source_topic_all_that_is_asked_for_is_sent_with_its_own_keys() -> None:
    bench = Bench()
    message = bench.source.put(value("Overdue"))
    whole = await ready(bench, Item(message, message))
    assert [report.route for report in whole.reports] == ["overdue", "noted"]
    one = await ready(bench, Item(message, message), routes=frozenset({"noted"}))
    assert [report.route for report in one.reports] == ["noted"]
    nothing = bench.source.put(value("Other"))
    assert (await left(bench, Item(nothing, nothing))).why is LeftOut.NO_REPORT
