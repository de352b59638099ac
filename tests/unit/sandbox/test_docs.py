"""The page on the sandbox: its examples run, its faults are faults, its flags are the command's."""

import json
import re
import shlex
from inspect import signature
from pathlib import Path
from typing import Any

from streamer.cli.sandbox import sandbox
from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.journal_rows import Row
from streamer.sandbox.ledger import Entry
from tests.unit.sandbox.calling import by_index
from tests.unit.sandbox.conftest import StartApp

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()


def curl_examples() -> list[tuple[list[str], Any]]:
    """Each command, and the answer where the page shows it."""
    examples: list[tuple[list[str], Any]] = []
    for language, block in re.findall(r"```(sh|json)\n(.*?)```", PAGE, re.DOTALL):
        if language == "json":
            examples[-1] = (examples[-1][0], json.loads(block))
        else:
            examples += [(shlex.split(line), None) for line in block.splitlines() if line]
    return examples


def comparable(answer: Any) -> Any:
    """Without what is drawn: the order of results, and the ids of activations."""
    if isinstance(answer, dict) and "results" in answer:
        answer["results"] = by_index(answer)
        for result in answer["results"]:
            if "activationIds" in result:
                result["activationIds"] = len(result["activationIds"])
    return answer


async def test_the_examples_of_calls_work_in_their_order(start_app: StartApp) -> None:
    app = await start_app()
    examples = curl_examples()
    assert len(examples) >= 16
    for (curl, url, *words), expected in examples:
        assert curl == "curl"
        path = url.removeprefix("http://localhost:8090")
        options = list(zip(words[::2], words[1::2], strict=True))
        lines = [value.partition(": ") for flag, value in options if flag == "-H"]
        headers = {name: value.replace("$TOKEN", app.token) for name, _, value in lines}
        body = dict(options).get("-d")
        method = "GET" if body is None else "POST"
        answer = await app.client.request(method, path, headers=headers, content=body)
        assert answer.status_code == 200, (path, answer.text)
        if expected is not None:
            assert comparable(answer.json()) == comparable(expected)
    assert (await app.summary())["calls"] == {}


async def test_every_setting_is_on_the_page(start_app: StartApp) -> None:
    settings = await (await start_app()).admin("settings")
    shown = PAGE.partition("## Settings")[2].partition("## The ledger")[0]
    assert all(f'"{name}"' in shown for name in settings)


def test_every_column_of_the_journal_is_on_the_page() -> None:
    table = PAGE.partition("## The journal")[2]
    assert all(f"`{name}`" in table for name in Row.__struct_fields__)


def test_every_fault_of_the_table_is_one() -> None:
    table = PAGE.partition("| fault | what happens |")[2].partition("\n\n")[0]
    faults = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(faults) >= 28
    for fault in faults:
        parse_fault(fault)


def test_every_flag_is_on_the_page_and_every_flag_on_the_page_is_one() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in signature(sandbox).parameters}
    table = PAGE.partition("| flag | meaning |")[2].partition("\n\n")[0]
    assert set(re.findall(r"--[a-z-]+[a-z]", table)) - {"--"} == flags


def test_every_field_of_the_ledger_is_on_the_page() -> None:
    table = PAGE.partition("## The ledger")[2]
    assert all(f"`{name}`" in table for name in Entry.__struct_fields__)
