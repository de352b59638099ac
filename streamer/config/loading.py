"""What does the configuration file say, and what is wrong with it, all at once?"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import ValidationError

from streamer.config.conflicts import note_conflicts, note_repeated_names
from streamer.config.faults import note
from streamer.config.files import read_file, with_route_files
from streamer.config.overrides import override
from streamer.config.route_specs import compile_table
from streamer.config.routes import RouteSettings
from streamer.config.settings import Settings
from streamer.config.tree import Path, Tree
from streamer.errors import ConfigurationError, Finding, Severity
from streamer.routing.specs import RouteSpec
from streamer.routing.table import RoutingTable
from streamer.source.properties import property_findings


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without errors."""

    settings: Settings
    findings: tuple[Finding, ...]
    """Warnings only."""
    route_specs: tuple[RouteSpec, ...]
    table: RoutingTable
    """The routes, compiled."""


def load(path: str | os.PathLike[str], env: Mapping[str, str]) -> Loaded:
    """The configuration in the file, with what the environment sets.

    Raises ConfigurationError with every error and warning that was found, each with file, line,
    field and what to write instead; no finding holds a secret. Relative paths in the file start
    from its folder.
    """
    file = FilePath(path)
    tree = read_file(file, str(path), env)
    if tree.value is None and tree.findings:
        raise ConfigurationError(tree.findings)
    if tree.value is None:
        tree.value = {}
    if not isinstance(tree.value, dict):
        raise ConfigurationError(
            [Finding(str(path), "holds no map of keys", "begin with `kafka:`, `schemas:`, ...")]
        )
    override(tree, env)
    tree = with_route_files(tree, file.parent, env)
    routes = _valid_routes(tree, file.parent)
    settings = _validated(tree, routes, file.parent)
    note_conflicts(tree)
    routes = {i: route for i, route in routes.items() if not tree.is_faulty_below(("routes", i))}
    compiled = compile_table(tree, routes, _default_instance(tree))
    note_repeated_names(tree, routes)
    findings = [*tree.findings, *compiled.findings]
    findings.sort(key=_Place(str(path)))
    if settings is None or compiled.table is None or _errors(findings):
        raise ConfigurationError(findings)
    return Loaded(settings, tuple(findings), compiled.specs, compiled.table)


class _Place:
    """Sorts findings as a reader goes through the files: the configuration's own first."""

    _LINE = re.compile(r"(?P<file>.*?):(?P<line>\d+)")

    def __init__(self, first: str) -> None:
        self._first = first

    def __call__(self, finding: Finding) -> tuple[bool, str, int]:
        match = self._LINE.match(finding.where)
        file, line = (match["file"], int(match["line"])) if match else (finding.where, 0)
        return file != self._first, file, line


def _errors(findings: list[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


# --- validation -------------------------------------------------------------------------------


def _valid_routes(tree: Tree, base: FilePath) -> dict[int, RouteSettings]:
    """The routes that are well formed, by their place in the table."""
    routes: dict[int, RouteSettings] = {}
    listed = tree.value.get("routes")
    for index, route in enumerate(listed if isinstance(listed, list) else []):
        path: Path = ("routes", index)
        try:
            settings = RouteSettings.model_validate(route, context={"base": base})
        except ValidationError as error:
            note(tree, error.errors(include_url=False, include_input=False), path)
        else:
            routes[index] = settings
    return routes


def _validated(tree: Tree, routes: dict[int, RouteSettings], base: FilePath) -> Settings | None:
    """The settings, or None with their findings in the tree."""
    value = dict(tree.value)
    if isinstance(value.get("routes"), list) and value["routes"]:
        value["routes"] = list(routes.values()) or [_PLACEHOLDER]
    try:
        settings = Settings.model_validate(value, context={"base": base})
    except ValidationError as error:
        note(tree, error.errors(include_url=False, include_input=False))
        settings = None
    _note_properties(tree)
    _note_without_effect(tree)
    return settings


_PLACEHOLDER = RouteSettings(name="placeholder")
"""Stands for the table where no route is well formed, so that the rest is checked as well."""


def _note_properties(tree: Tree) -> None:
    kafka = tree.value.get("kafka")
    properties = kafka.get("properties") if isinstance(kafka, dict) else None
    if not isinstance(properties, dict):
        return
    plain = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in properties.items()
        if isinstance(value, str | int | float)
    }
    for finding in property_findings(plain):
        name = finding.where.rsplit(": ", 1)[-1].removeprefix("kafka.properties.")
        where = str(tree.mark(("kafka", "properties", name)))
        tree.findings.append(Finding(where, finding.found, finding.do, finding.severity))


def _note_without_effect(tree: Tree) -> None:
    for path in (("endpoint", "quota"), ("delivery", "batch", "max")):
        value = tree.value
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None and not tree.is_faulty_below(path):
            tree.findings.append(
                Finding(
                    str(tree.mark(path)),
                    "has no effect yet",
                    "leave it as it is: it takes effect once bulk calls and quotas are there",
                    Severity.WARNING,
                )
            )


def _default_instance(tree: Tree) -> str | None:
    """The endpoint's instance, so far as it can be told: its own fault is not each route's."""
    if any(tree.is_faulty(path) for path in (("endpoint",), ("endpoint", "instance"))):
        return "unknown"
    endpoint = tree.value.get("endpoint")
    instance = endpoint.get("instance") if isinstance(endpoint, dict) else None
    return instance if isinstance(instance, str) and instance else None
