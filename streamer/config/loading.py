"""What does the configuration file say, and what is wrong with it, all at once?"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import ValidationError

from streamer.config.conflicts import note_conflicts, note_repeated_names
from streamer.config.connections import SchemaSettings
from streamer.config.faults import note
from streamer.config.files import read_file, with_route_files
from streamer.config.legible import legible_route
from streamer.config.overrides import override
from streamer.config.route_specs import compile_table
from streamer.config.routes import RouteSettings
from streamer.config.settings import Settings
from streamer.config.tree import Path, Tree
from streamer.errors import ConfigurationError, Finding, Severity
from streamer.routing.specs import RouteSpec
from streamer.routing.table import RoutingTable
from streamer.source.properties import property_findings
from streamer.source.refused_properties import refused_properties


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without errors."""

    settings: Settings
    findings: tuple[Finding, ...]
    """Warnings only."""
    route_specs: tuple[RouteSpec, ...]
    table: RoutingTable
    """The routes, compiled."""

    @property
    def schemas(self) -> SchemaSettings:
        return self.settings.schemas


@dataclass(frozen=True, slots=True)
class Read:
    """What there is of a configuration, with errors or without: for those who look for more."""

    findings: tuple[Finding, ...]
    settings: Settings | None
    """None where a section is wrong."""
    schemas: SchemaSettings | None
    """None where this one is."""
    route_specs: tuple[RouteSpec, ...]
    """Of routes that are wrong as a whole what can be read of them."""
    table: RoutingTable | None
    """None where a route is wrong."""


def load(path: str | os.PathLike[str], env: Mapping[str, str]) -> Loaded:
    """The configuration in the file, with what the environment sets.

    Raises ConfigurationError with every error and warning that was found, each with file, line,
    field and what to write instead; no finding holds a secret. Relative paths in the file start
    from its folder.
    """
    it = read(path, env)
    if it.settings is None or it.table is None or _errors(it.findings):
        raise ConfigurationError(it.findings)
    return Loaded(it.settings, it.findings, it.route_specs, it.table)


def read(path: str | os.PathLike[str], env: Mapping[str, str]) -> Read:
    """The same without an end at errors; ConfigurationError only where there is nothing to read."""
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
    compiled = compile_table(tree, routes)
    note_repeated_names(tree, routes)
    listed = tree.value.get("routes")
    others = [i for i in range(len(listed) if isinstance(listed, list) else 0) if i not in routes]
    specs = (*compiled.specs, *(legible_route(tree, i) for i in others))
    findings = [*tree.findings, *compiled.findings]
    findings.sort(key=_Place(str(path)))
    return Read(
        tuple(findings),
        settings,
        settings.schemas if settings is not None else _schemas(tree, file.parent),
        specs,
        compiled.table if len(specs) == len(compiled.specs) else None,
    )


class _Place:
    """Sorts findings as a reader goes through the files: the configuration's own first."""

    _LINE = re.compile(r"(?P<file>.*?):(?P<line>\d+)")

    def __init__(self, first: str) -> None:
        self._first = first

    def __call__(self, finding: Finding) -> tuple[bool, str, int]:
        match = self._LINE.match(finding.where)
        file, line = (match["file"], int(match["line"])) if match else (finding.where, 0)
        return file != self._first, file, line


def _errors(findings: Sequence[Finding]) -> bool:
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
    return settings


def _schemas(tree: Tree, base: FilePath) -> SchemaSettings | None:
    """The section alone, if it is well formed beside whatever is not."""
    try:
        return SchemaSettings.model_validate(tree.value.get("schemas"), context={"base": base})
    except ValidationError:
        return None


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
        and not tree.is_faulty(("kafka", "properties", name))
    }
    owned = property_findings(plain)
    told = {finding.where for finding in owned}
    refused = [it for it in refused_properties(plain) if it.where not in told]
    for finding in [*owned, *refused]:
        name = finding.where.rsplit(": ", 1)[-1].removeprefix("kafka.properties.")
        where = str(tree.mark(("kafka", "properties", name)))
        tree.findings.append(Finding(where, finding.found, finding.do, finding.severity))
