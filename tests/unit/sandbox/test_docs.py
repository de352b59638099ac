"""The page on the sandbox: its examples run, its faults are faults, its flags are the command's."""

import re
import shlex
from inspect import signature
from pathlib import Path

from streamer.cli.sandbox import sandbox
from streamer.sandbox.fault_text import parse_fault
from tests.unit.sandbox.conftest import StartApp

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()


def curl_examples() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line]


async def test_the_examples_of_calls_work_in_their_order(start_app: StartApp) -> None:
    app = await start_app()
    examples = curl_examples()
    assert len(examples) >= 8
    for curl, url, *words in examples:
        assert curl == "curl"
        path = url.removeprefix("http://localhost:8090")
        options = list(zip(words[::2], words[1::2], strict=True))
        lines = [value.partition(": ") for flag, value in options if flag == "-H"]
        headers = {name: value.replace("$TOKEN", app.token) for name, _, value in lines}
        body = dict(options).get("-d")
        method = "GET" if body is None else "POST"
        answer = await app.client.request(method, path, headers=headers, content=body)
        assert answer.status_code == 200, (path, answer.text)
    assert (await app.summary())["calls"] == {}


def test_every_fault_of_the_table_is_one() -> None:
    table = PAGE.partition("| fault | what happens |")[2].partition("\n\n")[0]
    faults = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(faults) >= 12
    for fault in faults:
        parse_fault(fault)


def test_every_flag_is_on_the_page_and_every_flag_on_the_page_is_one() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in signature(sandbox).parameters}
    table = PAGE.partition("| flag | meaning |")[2].partition("\n\n")[0]
    assert set(re.findall(r"--[a-z-]+[a-z]", table)) - {"--"} == flags


def test_every_field_of_the_ledger_is_on_the_page() -> None:
    from streamer.sandbox.ledger import Entry

    table = PAGE.partition("## The ledger")[2]
    assert all(f"`{name}`" in table for name in Entry.__struct_fields__)
