"""Does the demo's account notice what is lost, doubled or out of order?"""

import pytest

from streamer.demo.account import Account, Kind, Outcome, Place
from streamer.demo.closing import closing_lines

REPORT = Outcome(Kind.REPORT, "invoice_overdue", "event-1")
CANCEL = Outcome(Kind.CANCEL, "invoice_overdue", "entity-1")
DEAD = Outcome(Kind.DEAD_LETTER, "billing.invoices.dlq", "digest")


def place(number: int, key: bytes = b"key") -> Place:
    return Place("billing.invoices", key, number)


def test_everything_seen_once_adds_up() -> None:
    account = Account()
    account.expect([REPORT], place(1))
    account.expect([CANCEL], place(2))
    account.expect([DEAD], place(3))
    account.expect([], place(4), tombstone=True)

    for outcome in (REPORT, CANCEL, DEAD):
        account.saw(outcome)

    assert account.adds_up
    assert (account.events, account.skipped, account.tombstones) == (4, 1, 1)
    assert (account.reports, account.cancels, account.dead_letters) == (1, 1, 1)
    assert closing_lines(account, 0)[-1] == "The account adds up."


@pytest.mark.parametrize("outcome", [REPORT, CANCEL, DEAD])
def test_what_does_not_come_is_lost(outcome: Outcome) -> None:
    account = Account()
    account.expect([outcome], place(1))

    assert account.open == 1
    assert not account.adds_up


@pytest.mark.parametrize("outcome", [REPORT, DEAD])
def test_what_comes_twice_is_doubled(outcome: Outcome) -> None:
    account = Account()
    account.expect([outcome], place(1))

    account.saw(outcome)
    account.saw(outcome)

    assert account.doubled == 1
    assert closing_lines(account, 0)[-1] == "The account does NOT add up."


def test_a_cancel_that_comes_twice_does_no_harm() -> None:
    account = Account()
    account.expect([CANCEL], place(1))

    account.saw(CANCEL)
    account.saw(CANCEL)

    assert account.repeated_cancels == 1
    assert account.adds_up


def test_what_nothing_produced_explains_does_not_add_up() -> None:
    account = Account()

    account.saw(REPORT)

    assert account.unexpected == 1
    assert not account.adds_up
    assert any("unexplained" in line for line in closing_lines(account, 0))


def test_a_later_event_before_an_earlier_one_of_its_key_is_out_of_order() -> None:
    account = Account()
    later = Outcome(Kind.REPORT, "invoice_paid", "event-2")
    account.expect([REPORT], place(1))
    account.expect([later], place(2))

    account.saw(later)
    account.saw(REPORT)

    assert account.out_of_order == 1
    assert not account.adds_up


def test_other_keys_and_two_reports_of_one_event_are_in_order() -> None:
    account = Account()
    second = Outcome(Kind.REPORT, "invoice_paid", "event-1")
    other = Outcome(Kind.REPORT, "invoice_paid", "event-2")
    account.expect([REPORT, second], place(1))
    account.expect([other], place(2, key=b"other"))

    for outcome in (other, REPORT, second):
        account.saw(outcome)

    assert account.out_of_order == 0


def test_an_open_offset_does_not_add_up() -> None:
    assert not Account(uncommitted=1).adds_up
