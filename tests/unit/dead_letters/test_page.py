"""Does docs/dead-letters.md list the headers of letters and marks, all of them and no others?"""

import re
from pathlib import Path

from streamer.dead_letters import marks, record
from streamer.replay.prepared import LeftOut

PAGE = (Path(__file__).parents[3] / "docs" / "dead-letters.md").read_text(encoding="utf-8")


def test_every_header_is_on_the_page_and_no_other() -> None:
    documented = set(re.findall(r"`(streamer-[a-z-]+)`", PAGE))
    written = {
        name
        for module in (record, marks)
        for name in re.findall(r"^ {4}(streamer-[a-z-]+)", module.__doc__ or "", re.MULTILINE)
    }
    assert documented == written


def test_every_reason_to_leave_a_letter_out_is_on_the_page() -> None:
    letters = set(LeftOut) - {LeftOut.NO_REPORT}
    assert {why for why in letters if f"| `{why.value}` |" not in PAGE} == set()
