"""Do the routes fit the schemas: are their events declared, and their fields there?"""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from streamer.checks.avsc import as_json
from streamer.checks.probes import PROBE_S
from streamer.checks.subjects import latest_schemas
from streamer.config.loading import Loaded
from streamer.config.settings import RegistrySettings
from streamer.decoding.directory import load_directory
from streamer.decoding.schema import Schema
from streamer.errors import ConfigurationError, Finding
from streamer.routing.fields import field_findings
from streamer.routing.specs import RouteSpec
from streamer.routing.topics import is_pattern


def findings_of_directory(loaded: Loaded) -> list[Finding]:
    """Against all versions in `schemas.directory`. Blocks: reads its files."""
    settings = loaded.settings.schemas
    if settings.directory is None:
        return []
    try:
        schemas = load_directory(Path(settings.directory), settings.topics).schemas
    except ConfigurationError as error:
        return list(error.findings)
    declared = {schema.name for schema in schemas if schema.name is not None}
    findings: list[Finding] = []
    for spec in loaded.route_specs:
        if spec.event is not None and spec.event not in declared:
            findings.append(_not_declared(spec, spec.event, declared, settings.directory))
        elif spec.event is not None:
            findings += _against(spec, schemas)
    return findings


async def findings_of_registry(loaded: Loaded, registry: RegistrySettings) -> list[Finding]:
    """Against the latest version of each route's event, where a subject of the usual names has it.

    What cannot be had in time is not looked at: the registry's own probe says why.
    """
    asked = {
        (topic, spec.event): None
        for spec in loaded.route_specs
        for topic in spec.topics
        if spec.event is not None and not is_pattern(topic)
    }
    found: dict[str, list[Schema]] = {}
    try:
        async with asyncio.timeout(PROBE_S):
            async for schema in latest_schemas(registry, asked):
                found.setdefault(schema.name or "", []).append(schema)
    except TimeoutError:
        pass
    return [
        finding
        for spec in loaded.route_specs
        if spec.event is not None and spec.event in found
        for finding in _against(spec, found[spec.event])
    ]


def _against(spec: RouteSpec, schemas: Sequence[Schema]) -> list[Finding]:
    return field_findings(spec, [as_json(s) for s in schemas if s.name == spec.event])


def _not_declared(spec: RouteSpec, event: str, declared: Iterable[str], directory: str) -> Finding:
    near = difflib.get_close_matches(event, declared, 1)
    return Finding(
        spec.place("event"),
        f"no file in {directory} declares {event}",
        f"did you mean {near[0]}?" if near else "add the file of its schema",
    )
