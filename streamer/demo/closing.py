"""What does the demo say in the end?"""

from collections.abc import Sequence

from streamer.demo.account import Account


def closing_lines(account: Account, repeats: int) -> Sequence[str]:
    """The plain account, and whether it adds up."""
    lines = [
        _line("events produced", account.events),
        _line("reports delivered", account.reports, f"and {account.cancels} cancels"),
        _line(
            "events skipped",
            account.skipped,
            f"no route takes them; {account.tombstones} of them tombstones",
        ),
        _line("dead-lettered", account.dead_letters, "made wrong on purpose"),
        _line("lost", account.open),
        _line("doubled", account.doubled, _harmless(account, repeats)),
        _line("out of order", account.out_of_order, "by message key"),
        _line("not committed", account.uncommitted, "messages whose offset is still open"),
    ]
    if account.unexpected:
        lines.append(_line("unexplained", account.unexpected, "nothing produced explains them"))
    verdict = "The account adds up." if account.adds_up else "The account does NOT add up."
    return ["", *lines, "", verdict]


def _line(name: str, count: int, words: str = "") -> str:
    return f"  {name:<20}{count:>9,}{'   ' + words if words else ''}"


def _harmless(account: Account, repeats: int) -> str:
    if not repeats and not account.repeated_cancels:
        return ""
    return (
        f"sent again after a lost answer: {repeats} reports, ignored by their keys, "
        f"and {account.repeated_cancels} cancels"
    )
