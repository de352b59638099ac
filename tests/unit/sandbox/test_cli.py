"""`streamer sandbox`: its flags, its first line, and how it ends."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamer.cli.sandbox import sandbox
from streamer.errors import ConfigurationError
from streamer.sandbox.server import Sandbox

COMMAND = [sys.executable, "-m", "streamer.cli.main", "sandbox"]


def refused(**flags: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        sandbox(**flags)
    return [str(finding) for finding in caught.value.findings]


def test_all_wrong_flags_are_told_at_once_and_no_secret_is() -> None:
    findings = refused(
        port=70_000,
        app=["hush-hush", "a:s1", "a:s2", ":hush-hush"],
        token=["hush-hush:"],
        token_lifetime="soon",
        only_known_triggers=True,
        latency="quick",
        fault=["500=5%", "slow"],
        keep=0,
        quota="many",
        max_body="large",
    )
    said = "\n".join(findings)
    for flag in (
        "--port: 70000",
        "--app: the --app number 1 is not of the form ID:SECRET",
        "--app: the --app number 3 repeats",
        "--app: the --app number 4",
        "--token: the --token number 1 is not of the form TOKEN:INSTANCE",
        "--token-lifetime: 'soon' is no duration",
        "--only-known-triggers: no trigger is known",
        "--latency: 'quick' is no duration",
        "--fault 'slow': 'slow' begins no fault",
        "--keep: 0 is too small",
        "--quota: 'many' is no quota",
        "--max-body: 'large' is no size",
    ):
        assert flag in said
    assert len(findings) == 12
    assert "hush-hush" not in said


@pytest.mark.parametrize("text", ["99999999h", "9" * 400 + "h"])
def test_a_lifetime_or_a_fault_beyond_all_years_is_told(text: str) -> None:
    findings = refused(token_lifetime=text, latency=text, fault=[f"503 for={text}"])
    assert len(findings) == 3
    for finding in findings:
        assert "longer than ten years" in finding
        assert len(finding) < 250


def test_an_empty_host_is_told() -> None:
    assert "--host: it is empty" in refused(host="")[0]


async def test_a_host_that_can_be_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match=re.escape("cannot listen on a..b:0")):
        await Sandbox().start("a..b")


def test_a_lifetime_under_a_second_is_told() -> None:
    assert "under a second" in refused(token_lifetime="900ms")[0]


SCHEMAS: dict[str, tuple[dict[str, str], list[str]]] = {
    "empty": ({}, ["holds no *.json file"]),
    "three wrong": (
        {"a": "{", "b": "[]", "c": '{"properties": {"x": {"type": "txt"}}}', "d": "{}"},
        ["it is not JSON", "does not describe an object", "no draft-07 schema: properties/x/type"],
    ),
    "an array": ({"a": '{"type": "array"}'}, ["does not describe an object"]),
    "too large": (
        {
            "a": '{"properties": {"x": {"maximum": 1e99999999999999999999}}}',
            "b": '{"properties": {"x": {"maximum": %s}}}' % ("9" * 5000),
        },
        ["has a number that is too large"] * 2,
    ),
    "references": (
        {
            name: json.dumps({"properties": {"x": {"items": {"$ref": ref}}}, "title": "t"})
            for name, ref in (
                ("a", "#/definitions/nope"),
                ("b", "http://127.0.0.1:1/remote.json"),
                ("c", "other.json"),
                ("d", "#/title"),
                ("e", "#/title/x"),
                ("f", "#anchor"),
            )
        },
        [
            "a.json: its $ref '#/definitions/nope' leads to nothing",
            "b.json: its $ref 'http://127.0.0.1:1/remote.json' leads to nothing",
            "c.json: its $ref 'other.json' leads to nothing",
            "d.json: its $ref '#/title' leads to no schema",
            "e.json: its $ref '#/title/x' leads to nothing",
            "f.json: its $ref '#anchor' leads to nothing",
        ],
    ),
    "a reference behind one": (
        {"a": '{"allOf": [{"$ref": "#/more/y"}], "more": {"y": {"not": {"$ref": "#/more/z"}}}}'},
        ["its $ref '#/more/z' leads to nothing"],
    ),
}


@pytest.mark.parametrize(("files", "said"), SCHEMAS.values(), ids=SCHEMAS.keys())
def test_wrong_schemas_are_told_by_file(
    tmp_path: Path, files: dict[str, str], said: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    findings = refused(schemas=tmp_path)
    assert len(findings) == len(said)
    for finding, words in zip(findings, said, strict=True):
        assert words in finding


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "is not a directory" in refused(schemas=tmp_path / "nowhere")[0]


def test_it_says_where_it_answers_and_ends_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "a%2Fb.json").write_text(json.dumps({"required": ["x"]}))
    flags = ["--port", "0", "--schemas", str(tmp_path), "--token", "ready:site-9"]
    flags += ["--instance", "site-1", "--bulk-bad-item", "call", "--quota-retry-after", "none"]
    with subprocess.Popen(
        [*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"sandbox answers at (http://127\.0\.0\.1:\d+) ", line)
            assert found is not None, line
            answer = httpx.post(
                f"{found[1]}/automations/v1/events/report",
                json={"triggerKey": "a/b", "payload": {}},
                headers={"Authorization": "ready"},
                trust_env=False,
            )
            assert answer.status_code == 428
            settings = httpx.get(f"{found[1]}/sandbox/settings", trust_env=False).json()
            assert (settings["quota"], settings["bulk_bad_item"]) == ("200/min", "call")
        finally:
            process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            found = re.search(r":(\d+) ", first.stdout.readline())
            assert found is not None
            second = subprocess.run(
                [*COMMAND, "--port", found[1]],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            first.send_signal(signal.SIGTERM)
    assert second.returncode == 2
    assert "choose another --port" in re.sub(r"\s+", " ", second.stdout + second.stderr)
    assert "Traceback" not in second.stderr
