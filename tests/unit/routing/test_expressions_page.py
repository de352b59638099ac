"""Does `docs/expressions.md` say what expressions really do?"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from streamer.decoding.json_values import encode_any_json
from streamer.decoding.values import Record
from streamer.model import Generation, Message, Offset, Partition
from streamer.routing.language.expressions import Expression, Language
from streamer.routing.language.failures import Failure
from streamer.routing.language.scope import Scope
from streamer.routing.language.syntax import Checked, check
from streamer.routing.language.whitelist import CALLABLE

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text()
NAMES = {
    "UUID": UUID, "Decimal": Decimal, "Record": Record, "date": date, "datetime": datetime,
    "UTC": UTC,
}  # fmt: skip
EVENT: dict[str, Any] = eval(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], NAMES)
EXAMPLES = [
    tuple(part.strip() for part in line.split("→"))
    for block in re.findall(r"```example\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
MESSAGE = Message(
    Partition("billing.invoices", 3),
    Generation(1),
    Offset(42),
    1795514400000,
    b"customer-1",
    b"",
    (("source", b"web"), ("source", b"shop")),
)


@pytest.mark.parametrize(("text", "result"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_an_example_of_the_page_gives_what_the_page_says(text: str, result: str) -> None:
    checked = check(text)
    assert isinstance(checked, Checked), checked
    expression = Language().expression(checked)
    assert _told(expression) == result


def _told(expression: Expression) -> str:
    """The result as the page writes it."""
    try:
        value = expression(EVENT, Scope(MESSAGE, None, decoded_key=False))
    except Failure as failure:
        return f"refused: {failure.found}"
    return encode_any_json(value).decode()


def test_the_page_shows_every_function() -> None:
    shown = {name for text, _ in EXAMPLES for name in re.findall(r"(\w+)\(", text)}
    assert set(CALLABLE) - shown == set()
