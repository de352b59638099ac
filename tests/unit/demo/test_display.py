"""Where is the demo drawn, and where told in lines?"""

import io

import pytest
from rich.console import Console

from streamer.demo.display import LiveDisplay, PlainDisplay, display_for


@pytest.mark.parametrize(
    ("terminal", "term", "expected"),
    [
        (True, "xterm-256color", LiveDisplay),
        (True, "dumb", PlainDisplay),
        (False, "xterm-256color", PlainDisplay),
    ],
)
def test_only_a_terminal_that_can_be_drawn_on_is_drawn_on(
    terminal: bool, term: str, expected: type
) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, _environ={"TERM": term})

    assert type(display_for(console)) is expected
