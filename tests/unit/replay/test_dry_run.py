"""Does a dry run say what would be sent, and count apart what would not?"""

import pytest

from streamer.model import Reason
from streamer.replay.account import Account
from streamer.replay.prepared import Item
from streamer.replay.replaying import dry_one
from tests.unit.replay.source import SITE, AsTheyAre, Bench, item_of, letter_of, value


class Marked(AsTheyAre):
    """Shows that keys go through it."""

    def key(self, route: str, key: str) -> str:
        return f"<{key}>"


class Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


async def dry(bench: Bench, item: Item) -> tuple[Account, str]:
    """The account of a dry run of one letter, and what it said."""
    account, lines = Account(1), Lines()
    account.is_dry = True
    show: object = lines
    await dry_one(item, bench.preparer(), account, show, Marked())  # type: ignore[arg-type]
    return account, "\n".join((*lines.lines, *account.lines()))


async def test_what_would_be_sent_is_counted_and_its_key_shown_as_it_may_be() -> None:
    bench = Bench()
    account, said = await dry(bench, item_of(letter_of(bench.source.put(value("Overdue")))))
    assert "key <sent-with>" in said
    assert "1 of 1 letters would be sent" in said
    assert account.is_clean


@pytest.mark.parametrize(
    ("value", "route", "reason"),
    [
        (b'{"type": "Overdue", "site": "' + SITE.encode() + b'"}', "overdue", "expression-failed"),
        (b"\xff", "", "undecodable"),
    ],
)
async def test_what_would_be_refused_again_is_counted_apart(
    value: bytes, route: str, reason: str
) -> None:
    bench = Bench()
    letter = letter_of(bench.source.put(value), route)
    account, said = await dry(bench, item_of(letter))
    assert "0 of 1 letters would be sent" in said
    assert "1 would be refused again:" in said
    assert Reason(reason).value in said.split("would be refused again:")[1]
    assert not account.is_clean
