"""Does a person see how far a replay is, on a terminal and elsewhere, and can it be stopped?"""

import asyncio
import io
import os
import signal
import sys

import pytest

from streamer.cli.replay_shown import Shown
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
    shown.begin(made, lambda why: None)
    shown.look(made, "breaker: the endpoint answered 503")
    shown.end()
    assert "3/10" in terminal.getvalue()
    assert "waits: breaker" in terminal.getvalue()


async def test_elsewhere_a_line_is_written_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown, made = Shown(), account(3)
    shown.begin(made, lambda why: None)
    for _ in range(5):
        shown.look(made, "")
    shown.end()
    assert capsys.readouterr().err == "3 of 10\n"


async def test_ctrl_c_asks_the_replay_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    shown, stopped = Shown(), asyncio.Event()
    shown.begin(account(0), lambda why: stopped.set() if "SIGINT" in why else None)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(stopped.wait(), 10)
    shown.end()
    assert "is waited for" in capsys.readouterr().err
