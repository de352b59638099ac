"""Does nothing of a letter move a terminal's cursor, break a row, or end a command?"""

import json

import pytest

from streamer.replay.printable import json_text, printable

HOSTILE = "\x1b[2J\r\nrow\t\x9b31m\u202e\u2028\ud800ü\U0001f600"


def test_a_text_is_one_line_of_what_prints() -> None:
    shown = printable(HOSTILE)
    assert shown == r"\x1b[2J\r\nrow\t\x9b31m\u202e\u2028\ud800ü😀"
    assert shown.encode()
    assert printable("plain: ü") == "plain: ü"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_printable_and_says_the_same(indent: int | None) -> None:
    text = json_text({"a": HOSTILE, "b": ["ü"]}, indent)
    assert json.loads(text) == {"a": HOSTILE, "b": ["ü"]}
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.encode()
    assert "ü" in text
    assert indent is not None or "\n" not in text
