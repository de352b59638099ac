"""Does a person see how far a replay is, on a terminal and elsewhere, and can it be stopped?"""

import asyncio
import io
import os
import signal
import sys

import pytest

from streamer.cli.dead_letters import stop_at_a_signal
from streamer.cli.replay_shown import Shown
from streamer.dead_letters.stop import Stop, Stopped
from streamer.replay.account import Account


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def account(done: int) -> Account:
    made = Account(chosen=10)
    for _ in range(done):
        made.sent()
    return made


async def test_a_terminal_has_a_bar_that_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    shown, made = Shown(), account(3)
    shown.begin(made)
    shown.look(made, "breaker: the endpoint answered 503")
    shown.end()
    assert "3/10" in terminal.getvalue()
    assert "waits: breaker" in terminal.getvalue()


async def test_elsewhere_a_line_is_written_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown, made = Shown(), account(3)
    shown.begin(made)
    for _ in range(5):
        shown.look(made, "")
    shown.end()
    assert capsys.readouterr().err == "3 of 10\n"


async def test_ctrl_c_asks_the_command_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    stop, told = Stop(), asyncio.Event()
    stop.tell(lambda why: told.set() if "SIGINT" in why else None)
    stop.look()
    stop_at_a_signal(stop)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(told.wait(), 10)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
    assert "is waited for" in capsys.readouterr().err
    with pytest.raises(Stopped, match="SIGINT"):
        stop.look()
    late: list[str] = []
    stop.tell(late.append)
    assert late == ["asked to (SIGINT)"], "who begins later is told too"
