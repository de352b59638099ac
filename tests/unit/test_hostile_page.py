"""Does the page of hostile messages list exactly what is sent, and exactly what is fuzzed?"""

import re
from pathlib import Path

from tests.fuzz.catalogue import TARGETS
from tests.integration.test_hostile_messages import CASES, EVENT

PAGE = (Path(__file__).parents[2] / "docs" / "hostile-messages.md").read_text(encoding="utf-8")
MESSAGES = PAGE.partition("## Messages")[2].partition("## Answers")[0]
ANSWERS = PAGE.partition("## Answers")[2].partition("## Any bytes")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_message_that_is_sent_is_listed_with_what_becomes_of_it() -> None:
    becomes = [
        (case.name, "event" if case.becomes == EVENT else f"`{case.becomes}`") for case in CASES
    ]

    assert [(name, told) for name, told, _ in rows(MESSAGES)] == becomes


def test_each_row_names_a_test_or_the_one_above() -> None:
    for name, _, shown_by in rows(MESSAGES):
        assert "::test_" in shown_by or shown_by == "the same", name
    assert "::test_" in rows(MESSAGES)[0][2]


def test_each_answer_is_shown_for_endpoint_token_call_and_registry() -> None:
    listed = rows(ANSWERS)

    assert [len(row) for row in listed] == [4] * len(listed)
    assert {"huge", "not JSON", "of the wrong shape", "a redirect"} <= {row[0] for row in listed}
    for row in listed:
        for cell in row[1:]:
            assert "::test_" in cell or cell.startswith("the same"), row[0]


def test_the_fuzzers_targets_are_listed_with_what_they_ask() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (.+\?) \|$", PAGE, re.MULTILINE)

    assert listed == [(target.name, target.asks) for target in TARGETS.values()]
