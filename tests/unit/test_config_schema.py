"""Do the JSON Schema and the reference page say what the loader accepts?"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamer.config import chart_schema
from streamer.config.reference import put_into
from streamer.config.schema import json_schema
from tests.unit.config_samples import ISSUE_EXAMPLE, MINIMAL, loaded

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
CHART_SCHEMA = ROOT / "helm" / "streamer" / "values.schema.json"


def problems(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("text", [ISSUE_EXAMPLE, MINIMAL])
def test_the_schema_accepts_the_examples(text: str) -> None:
    assert problems(text) == []


def test_the_schema_accepts_route_files_and_references() -> None:
    text = MINIMAL.replace("routes:\n", "routes:\n  - routes/*.yaml\n")
    text += 'server: {port: "${PORT}"}\ndelivery: {window_bytes: "64MiB"}\n'

    assert problems(text) == []


@pytest.mark.parametrize(
    "more",
    [
        "kafak: {}",
        "server: {port: x}",
        "delivery: {retry_for: 5}",
        "log: {level: loud}",
        "endpoints: {a: {token: t}}",
        "delivery: {hold: {after: 6h}}",
        "delivery: {hold: forever}",
        "delivery: {batch: {linger: 5}}",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(more: str) -> None:
    assert problems(f"{MINIMAL}{more}\n")


SEVERAL = MINIMAL.replace("endpoint:\n  token: a-ready-token\n  instance: ", "endpoints: ", 1)


@pytest.mark.parametrize(
    ("endpoints", "fits"),
    [
        ("{crm: {token: t}, billing: {app: {id: a, secret: s}}}", True),
        ("{}", False),
        ("{crm: {tokn: t}}", False),
        ("{Crm: {token: t}}", False),
        ("[]", False),
    ],
)
def test_the_schema_knows_several_endpoints(endpoints: str, fits: bool) -> None:
    text = SEVERAL.replace("1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa", endpoints)

    assert (problems(text) == []) is fits


def test_the_schema_knows_what_a_tombstone_does() -> None:
    text = MINIMAL + "    endpoint: default\n    on_tombstone: {cancel: x, entity: key}\n"

    assert problems(text) == []
    assert problems(text.replace(", entity: key", ""))


def keys_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for section in (schema, *schema["$defs"].values()):
        yield from section["properties"].values()


def test_every_key_has_a_description_and_no_internal_title() -> None:
    schema = json_schema()
    keys = list(keys_of(schema))

    assert len(keys) > 50
    for key in keys:
        assert "title" not in key
        reference = key.get("$ref", "").rsplit("/", 1)[-1]
        assert key.get("description") or schema["$defs"][reference]["description"], key


def test_defaults_are_written_as_an_operator_writes_them() -> None:
    delivery = json_schema()["$defs"]["DeliverySettings"]["properties"]

    assert delivery["commit_interval"]["default"] == "200ms"
    assert delivery["window_bytes"]["default"] == "64MiB"


def test_the_page_holds_the_current_table() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert put_into(page) == page, "run `python -m streamer.config.reference docs/configuration.md`"


def test_the_charts_schema_holds_the_current_one() -> None:
    schema = CHART_SCHEMA.read_text(encoding="utf-8")

    assert chart_schema.put_into(schema) == schema, "run `make docs`"


def test_the_configurations_on_the_page_are_accepted() -> None:
    blocks = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    whole = [block.split("```")[0] for block in blocks]

    assert any("routes:" in text for text in whole)
    for text in whole:
        if text.startswith("kafka:") and "routes:" in text:
            assert problems(text) == []


def test_the_configurations_on_the_page_load_without_a_finding(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    blocks = [it.split("```")[0] for it in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    whole = [text for text in blocks if text.startswith("kafka:") and "routes:" in text]

    assert len(whole) == 3
    for text in whole:
        env = {name: name.lower() for name in re.findall(r"\$\{(\w+)\}", text)}
        here = re.sub(r"file:[\w/-]+", f"file:{tmp_path}/secret", text)
        assert loaded(tmp_path, here, env).findings == ()


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no line"):
        put_into("# A page\n")
