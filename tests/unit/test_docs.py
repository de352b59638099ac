"""Is what the pages name really there: links, make targets, metrics, tests, headers, settings?"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from streamer.config.loading import load
from streamer.config.routes import RouteSettings
from streamer.config.settings import Settings
from streamer.config.shape import sections
from streamer.dead_letters import record
from streamer.model import Reason
from streamer.observability.catalogue import ALL
from streamer.source.properties import property_findings

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(
        page
        for folder in ("docs", "changes", "helm")
        for page in sorted((ROOT / folder).rglob("*.md"))
    ),
]
PLACES = [str(page.relative_to(ROOT)) for page in PAGES]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TEST = re.compile(r"tests/[\w/]+\.py(?:::(\w+))?")
_FENCE = re.compile(r"```.*?```", re.DOTALL)


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text_of(page)), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in headings
    }


def broken_links(page: Path) -> Iterator[str]:
    for link in _LINK.findall(_FENCE.sub("", text_of(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=PLACES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_every_decision_is_numbered_once_and_has_its_parts() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))

    assert [int(page.name[:4]) for page in decisions] == list(range(1, len(decisions) + 1))
    for number, page in enumerate(decisions, start=1):
        assert text_of(page).startswith(f"# {number}. "), page.name
        for part in ("## Context", "## Decision", "## What it costs"):
            assert part in text_of(page), f"{page.name} has no {part}"


def test_every_make_target_on_a_page_is_one() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    # In code only, so that the verb is not taken for the command.
    named = {
        (page.name, target)
        for page in PAGES
        for target in re.findall(r"(?:`|^ {4})make ([a-z][a-z-]*)", text_of(page), re.MULTILINE)
    }

    assert ("README.md", "demo") in named
    assert {(page, target) for page, target in named if target not in targets} == set()


@pytest.mark.parametrize("page", PAGES, ids=PLACES)
def test_every_metric_on_a_page_is_in_the_catalogue(page: Path) -> None:
    exposed = {name for spec in ALL for name in spec.exposed}
    named = set(re.findall(r"\bstreamer_[a-z_]+\b", text_of(page)))

    assert named - exposed == set()


@pytest.mark.parametrize("page", PAGES, ids=PLACES)
def test_every_label_that_a_page_asks_for_is_the_metrics(page: Path) -> None:
    labels = {name: spec.labels for spec in ALL for name in spec.exposed}
    asked = re.findall(r"\b(streamer_[a-z_]+)\{(\w+)[=!~]", text_of(page))

    assert [(name, label) for name, label in asked if label not in labels[name]] == []


@pytest.mark.parametrize("page", PAGES, ids=PLACES)
def test_every_test_on_a_page_exists(page: Path) -> None:
    for found in _TEST.finditer(text_of(page)):
        file, name = ROOT / found[0].partition("::")[0], found[1]
        assert file.is_file(), found[0]
        assert name is None or f"def {name}(" in file.read_text(encoding="utf-8"), found[0]


def test_every_module_that_the_architecture_names_is_there() -> None:
    page = text_of(ROOT / "docs" / "architecture.md")
    named = set(re.findall(r"`((?:streamer/)?[a-z_]+/(?:[a-z_]+/)*(?:[a-z_]+\.py)?)`", page))
    inside = [ROOT, ROOT / "streamer"]

    assert "delivery/order.py" in named
    assert {name for name in named if not any((base / name).exists() for base in inside)} == set()


def test_dead_letter_headers_and_reasons_are_all_listed_and_no_others() -> None:
    page = text_of(ROOT / "docs" / "guarantees.md")
    documented = set(re.findall(r"`(streamer-[a-z-]+)`", page))
    written = set(re.findall(r"^ {4}(streamer-[a-z-]+)", record.__doc__ or "", re.MULTILINE))

    assert documented == written
    assert {reason for reason in Reason if f"`{reason}`" not in page} == set()
    runbook = text_of(ROOT / "docs" / "runbook.md")
    assert {reason for reason in Reason if f"`{reason}`" not in runbook} == set()


# --- settings and the example -------------------------------------------------------------------


def keys_of(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The keys below a section, with their sections' names in front."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for each in sections(field.annotation):
            yield from keys_of(each, f"{prefix}{name}.")


@pytest.mark.parametrize("page", PAGES, ids=PLACES)
def test_every_setting_on_a_page_exists(page: Path) -> None:
    known = {*keys_of(Settings, ""), *(f"routes[].{key}" for key in keys_of(RouteSettings, ""))}
    top = "|".join(Settings.model_fields)
    named = set(re.findall(rf"`((?:{top})\.[a-z_.]+)", text_of(page)))
    # What follows a free map's name is the operator's: `kafka.properties.group.protocol`,
    # `endpoints.billing`.
    named = {name for name in named if not name.startswith("kafka.properties.")}
    named = {re.sub(r"^endpoints\.[a-z0-9_]+", "endpoint", name) for name in named}

    assert {name for name in named if name not in known} == set()


def test_every_property_that_the_page_calls_refused_is_refused() -> None:
    page = text_of(ROOT / "docs" / "configuration.md")
    _, _, rest = page.partition("These are refused, with what to set instead: ")
    # In parentheses stand the settings to use instead.
    listed = re.sub(r"\([^)]*\)", "", rest.partition(", a `partition")[0])
    names = re.findall(r"`([a-z]+(?:\.[a-z]+)+)`", listed)

    assert len(names) >= 12
    assert [name for name in names if not property_findings({name: "x"})] == []


def readme_example() -> str:
    _, _, rest = text_of(ROOT / "README.md").partition("<!-- example")
    return rest.split("```yaml\n", 1)[1].split("```", 1)[0]


ENVIRONMENT: Mapping[str, str] = {"APP_ID": "an-app", "APP_SECRET": "not shown anywhere"}


def test_the_readmes_configuration_loads_without_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "streamer.yaml"
    file.write_text(readme_example(), encoding="utf-8")

    loaded = load(file, ENVIRONMENT)

    assert loaded.findings == ()
    assert [route.name for route in loaded.route_specs] == ["invoice-overdue", "invoice-paid"]


def test_the_readmes_configuration_asks_for_no_more_than_its_two_variables() -> None:
    text = readme_example()

    assert set(re.findall(r"\$\{(\w+)", text)) == set(ENVIRONMENT)
    assert yaml.safe_load(text)["endpoint"]["app"]["secret"] == "${APP_SECRET}"
