"""Are the letters that are asked for those that a person means, and is a wrong filter told?"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from streamer.dead_letters.found import Found, read_found
from streamer.dead_letters.record import write_record
from streamer.dead_letters.wanted import Wanted, WrongFilter, day_of, ids_of, moment_ms, reasons_of
from streamer.model import DeadLetter, Offset, Reason
from tests.unit.dead_letters.topic import LETTERS, Topic, letter

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def found(some: DeadLetter) -> Found:
    topic = Topic()
    topic.letter(some)
    ((records),) = topic.partitions.values()
    return read_found(records[0])


def foreign() -> Found:
    topic = Topic()
    topic.other((("__connect.errors.topic", b"orders"),))
    ((records),) = topic.partitions.values()
    return read_found(records[0])


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"refused", "exhausted"})), True),
        (Wanted(reasons=frozenset({"exhausted"})), False),
        (Wanted(routes=frozenset({"overdue"})), True),
        (Wanted(routes=frozenset({"paid"})), False),
        (Wanted(triggers=frozenset({"overdue"}), instances=frozenset({"site"})), True),
        (Wanted(instances=frozenset({"other"})), False),
        (Wanted(topics=frozenset({"billing.invoices"})), True),
        (Wanted(topics=frozenset({"billing.invoices.dlq"})), False),
        (Wanted(since_ms=1_000_000, until_ms=1_000_001), True),
        (Wanted(since_ms=1_000_001), False),
        (Wanted(until_ms=1_000_000), False),
    ],
)
def test_every_part_that_is_given_must_fit(wanted: Wanted, is_wanted: bool) -> None:
    assert wanted.by_headers(found(letter(1))) is is_wanted


def test_an_id_may_be_the_beginning_of_one() -> None:
    some = found(letter(1))
    assert Wanted(ids=ids_of([some.id[:8]])).by_headers(some)
    assert not Wanted(ids=ids_of(["000000"])).by_headers(some)


def test_a_place_is_an_id_only_whole() -> None:
    some = foreign()
    assert Wanted(ids=ids_of([some.id])).by_headers(some)
    tenth = msgspec.structs.replace(some, offset=Offset(10))
    assert tenth.id == f"{LETTERS}:0:10"
    assert not Wanted(ids=ids_of([f"{LETTERS}:0:1"])).by_headers(tenth)
    assert ids_of(["t:0:1"]) == ("t:0:1",)


def test_a_letter_that_is_corrupt_is_asked_for_by_what_can_be_read_of_it() -> None:
    topic = Topic()
    headers = write_record(letter(1), "{topic}.dlq", "c", 5).headers
    topic.other((*headers, ("streamer-attempts", b"many")))
    ((records),) = topic.partitions.values()
    corrupt = read_found(records[0])
    assert Wanted(routes=frozenset({"overdue"})).by_headers(corrupt)
    assert not Wanted(routes=frozenset({"paid"})).by_headers(corrupt)
    for reason, is_wanted in (("corrupt", True), ("refused", True), ("foreign", False)):
        assert Wanted(reasons=reasons_of([reason])).by_headers(corrupt) is is_wanted


def test_a_record_of_another_tool_has_a_topic_and_no_route() -> None:
    assert Wanted().by_headers(foreign())
    assert Wanted(topics=frozenset({"orders"})).by_headers(foreign())
    assert not Wanted(topics=frozenset({"invoices"})).by_headers(foreign())
    assert not Wanted(routes=frozenset({"overdue"})).by_headers(foreign())
    assert Wanted(reasons=reasons_of(["foreign"])).by_headers(foreign())
    assert not Wanted(reasons=reasons_of(["corrupt"])).by_headers(foreign())


def test_a_reason_that_is_none_is_told_with_those_that_are() -> None:
    assert reasons_of(["refused"]) == {"refused"}
    with pytest.raises(WrongFilter, match=r"'bored'.*undecodable"):
        reasons_of(["bored"])
    assert reasons_of([reason.value for reason in Reason])


@pytest.mark.parametrize("text", ["", "abc", "not an id", "gggggggg", "dlq:0:", "dlq:0", ":0:1"])
def test_what_is_no_id_is_told(text: str) -> None:
    with pytest.raises(WrongFilter, match="is no id"):
        ids_of([text])


def at(text: str, day: datetime | None = None) -> datetime:
    return datetime.fromtimestamp(moment_ms(text, lambda: NOW, day) / 1000, UTC)


def test_moments_are_ago_with_a_zone_or_of_a_day() -> None:
    assert at("-2h") == NOW - timedelta(hours=2)
    assert at("-30s") == NOW - timedelta(seconds=30)
    assert at("2026-11-23T10:00+01:00") == datetime(2026, 11, 23, 9, tzinfo=UTC)
    local = datetime(2026, 11, 23, 10).astimezone()
    assert at("2026-11-23T10:00") == local
    assert at("11:00", day_of("2026-11-23T10:00", lambda: NOW)) == local.replace(hour=11)
    assert at("9:30:15", day_of("-1d", lambda: NOW)).astimezone().strftime("%H%M%S") == "093015"
    zone = timezone(timedelta(hours=5))
    assert at("9:30", datetime(2026, 11, 1, tzinfo=zone)) == datetime(
        2026, 11, 1, 9, 30, tzinfo=zone
    )


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's zone."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_a_time_without_a_date_is_of_the_zone_that_the_other_moment_was_written_in() -> None:
    day = day_of("2026-11-23T10:00+09:00", lambda: NOW)
    assert at("11:00", day) == datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.usefixtures("berlin")
def test_a_time_of_a_day_on_which_the_clocks_change_is_of_the_zone_as_it_is_then() -> None:
    # At 00:30 it is summer, at 11:00 it is not.
    day = day_of("2026-10-25T00:30", lambda: NOW)
    morning = datetime(2026, 10, 25, 10, tzinfo=UTC)
    assert at("11:00", day) == at("2026-10-25T11:00") == morning
    night = datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert moment_ms("11:00", lambda: night) == morning.timestamp() * 1000


@pytest.mark.usefixtures("berlin")
def test_so_long_ago_is_so_long_ago_in_the_hour_that_comes_twice() -> None:
    now = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    for text, ago in (("-10m", timedelta(minutes=10)), ("-90m", timedelta(minutes=90))):
        assert moment_ms(text, lambda: now) == (now - ago).timestamp() * 1000


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "-2 weeks", "25:00", "99999999999"])
def test_what_is_no_moment_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(WrongFilter, match="write -2h"):
        moment_ms(text, lambda: NOW)
