"""Are the commands' options what a person means, and is a wrong one told?"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from streamer.cli.main import main
from streamer.dead_letters.wanted import WrongFilter
from streamer.delivery.held import HeldLane
from streamer.model import LaneKey
from streamer.replay.account import Account, Again
from streamer.replay.events import EventFilter
from streamer.replay.prepared import Left, LeftOut
from streamer.replay.replaying import held_line
from streamer.replay.stretch import stretch_of
from tests.unit.config_samples import MINIMAL
from tests.unit.replay.source import JsonEvents, Source, value

Runs = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Runs:
    (tmp_path / "streamer.yaml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["streamer", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", "--reason", "bored"), "there is no reason"),
        (("list", "--since", "yesterday"), "is no moment"),
        (("list", "--since", "-1h", "--until", "-2h"), "--until -2h is not after --since -1h"),
        (("list", "--id", "x"), "is no id"),
        (("list", "--where", "event.amount >"), "expression"),
        (("list", "--where", "import os"), "expression"),
        (("list", "--format", "xml"), "there are table, json"),
        (("list", "--state", "lost"), "there are open, replayed, dropped"),
        (("drop", "--why", "x"), "--all"),
        (("replay", "--share", "0"), "share"),
        (("drop", "--route", "r"), "why"),
        (("drop", "--route", "r", "--why", " "), "--why is empty"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_asked(
    command: Runs, words: tuple[str, ...], told: str
) -> None:
    code, err = command("dead-letters", *words)
    assert code == 2
    assert told in err


def test_a_stretch_must_have_a_length(command: Runs) -> None:
    words = ["replay", "--topic", "t", "--from", "2026-11-23T10:00", "--to", "09:00"]
    code, err = command(*words)
    assert (code, "is not after" in err) == (2, True)


def test_the_end_of_a_stretch_may_be_a_time_of_its_first_day() -> None:
    stretch = stretch_of("t", "2026-11-23T10:00", "11:00", lambda: datetime.now(UTC))
    assert stretch.to_ms - stretch.from_ms == 3_600_000
    with pytest.raises(WrongFilter):
        stretch_of("t", "2026-11-23T10:00", "10:00", lambda: datetime.now(UTC))
    elsewhere = stretch_of("t", "2026-11-23T10:00+09:00", "11:00", lambda: datetime.now(UTC))
    assert elsewhere.to_ms - elsewhere.from_ms == 3_600_000


@pytest.mark.parametrize(("since", "until"), [("-2h", "-1h"), ("00:00", "00:01")])
def test_new_keys_want_a_stretch_that_is_the_same_tomorrow(since: str, until: str) -> None:
    moment = datetime(2026, 11, 23, 10, 30, 5, tzinfo=UTC)
    with pytest.raises(WrongFilter) as refused:
        stretch_of("t", since, until, lambda: moment, new_key=True)
    # The command that it prints is the one to give, on any day.
    words = str(refused.value)[str(refused.value).index("streamer replay") :]
    _, _, _, topic, _, begin, _, end, option = words.split()
    assert option == "--new-key"
    given = stretch_of(topic, begin, end, lambda: datetime.now(UTC), new_key=True)
    assert given == stretch_of("t", since, until, lambda: moment)


async def test_an_expression_chooses_events_and_says_of_what_it_could_not_be_asked() -> None:
    wants = EventFilter('event.invoice == "i-1"')
    events, source = JsonEvents(), Source()
    assert wants.wants(await events.read(source.put(value("Overdue"))))
    assert not wants.wants(await events.read(source.put(value("Overdue", "i-2"))))
    assert not wants.wants(await events.read(source.put(b'{"type": "Other"}')))
    assert (wants.undecodable, wants.failed) == (0, 0)
    assert not wants.wants(await events.read(source.put(b"\xff")))
    assert wants.undecodable == 1
    odd = EventFilter("event.invoice > 5")
    assert not odd.wants(await events.read(source.put(value("Overdue"))))
    assert odd.failed == 1
    assert odd.failure


def test_an_account_counts_all_and_names_a_few() -> None:
    account = Account(chosen=45)
    for number in range(30):
        account.leave(Left(f"id-{number}", LeftOut.SUPERSEDED, "cancelled later"))
    for _ in range(10):
        account.sent()
    account.failed_again([Again("id-x", "refused", "overdue")])
    text = "\n".join(account.lines())
    assert "10 of 45 letters replayed" in text
    assert "1 refused by overdue" in text
    assert "30 left out (superseded)" in text
    assert "id-19: cancelled later" in text
    assert "id-20" not in text
    assert "and 10 more" in text
    assert not account.is_clean
    assert account.done == 41


def test_a_letter_that_several_routes_refuse_is_one_letter() -> None:
    account = Account(chosen=2)
    for number in range(2):
        again = [Again(f"id-{number}-{route}", "refused", route) for route in ("two", "three")]
        account.failed_again(again)
    text = "\n".join(account.lines())
    assert "2 failed again and were written again, by 4 refusals:" in text
    assert "2 refused by three" in text
    assert account.done == 2
    assert account.meanwhile == 0


def test_an_account_that_does_not_come_to_what_was_chosen_says_so() -> None:
    account = Account(chosen=21)
    for _ in range(17):
        account.sent()
    text = "\n".join(account.lines())
    assert "17 of 21 letters replayed" in text
    assert "4 were dealt with by others meanwhile" in text
    assert not account.is_clean
    account.elsewhere = 1
    assert account.meanwhile == 0, "another replay has them, and says what became of them"


def test_an_account_that_was_stopped_says_why_where_and_how_to_go_on() -> None:
    account = Account(chosen=5)
    account.stopped, account.stood_at = "asked to (SIGINT)", ["dlq[0]@17"]
    text = "\n".join(account.lines())
    assert "stopped: asked to (SIGINT)" in text
    assert "at dlq[0]@17" in text
    assert "goes on" in text
    assert not account.is_clean


def test_an_account_of_a_stretch_says_what_its_reading_told() -> None:
    account = Account(chosen=10)
    account.noun, account.found, account.passed = "messages", 3, 4
    account.after_stop = "it begins again"
    account.sent()
    for why in ("max-age", "no-route", "max-age"):
        account.leave(Left("id", LeftOut.NO_REPORT, why))
    lines = list(account.lines())
    assert lines[:3] == [
        "1 of 3 messages replayed",
        "4 of another time were passed over",
        "3 make no report (2 max-age, 1 no-route)",
    ]
    assert account.done == 8
    account.elsewhere, account.stopped = 2, "asked to (SIGINT)"
    lines = list(account.lines())
    assert lines[0] == "1 of 3 messages that were read replayed"
    assert "2 partitions were not replayed by this command" in "\n".join(lines)
    assert lines[-1] == "it begins again"


def test_what_a_replay_waits_for_names_the_instance_that_most_waits_for() -> None:
    few = HeldLane(LaneKey("default", "site-1"), "overdue", 3, "throttled", "by the endpoint")
    most = HeldLane(LaneKey("default", "site-2"), "overdue", 2_000, "breaker", "403 FORBIDDEN")
    assert held_line([few, most]) == (
        "instance site-2, breaker: 403 FORBIDDEN, and 1 more (others: --instance)"
    )


def test_an_empty_stretch_is_told_to_be_empty() -> None:
    account = Account(chosen=0)
    account.found, account.noun = 0, "messages"
    assert "there are no messages of that time" in list(account.lines())


def test_an_account_of_which_nothing_was_asked_for_is_not_clean() -> None:
    account = Account(chosen=0)
    assert account.is_clean
    account.found_none = True
    assert not account.is_clean


def test_what_makes_no_report_leaves_an_account_clean() -> None:
    account = Account(chosen=2)
    account.sent()
    account.leave(Left("id", LeftOut.NO_REPORT, ""))
    assert account.is_clean
    assert "1 make no report" in "\n".join(account.lines())
