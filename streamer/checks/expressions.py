"""Do the routes fit the schemas: are their events declared, and their fields there?"""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from streamer.checks.avsc import as_json
from streamer.checks.probes import PROBE_S
from streamer.checks.subjects import RegistrySilent, latest_schemas, subjects
from streamer.config.loading import Loaded, Read
from streamer.config.settings import RegistrySettings
from streamer.decoding.directory import load_directory
from streamer.decoding.schema import Schema
from streamer.errors import ConfigurationError, Finding, Severity
from streamer.routing.fields import field_findings
from streamer.routing.specs import RouteSpec
from streamer.routing.topics import is_pattern


def findings_of_directory(loaded: Loaded | Read) -> list[Finding]:
    """Against all versions in `schemas.directory`. Blocks: reads its files."""
    settings = loaded.schemas
    if settings is None or settings.directory is None:
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


async def findings_of_registry(loaded: Loaded | Read, registry: RegistrySettings) -> list[Finding]:
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
    absent: list[Finding] = []
    try:
        async with asyncio.timeout(PROBE_S):
            async for schema in latest_schemas(registry, asked):
                name = schema.name if schema is not None else None
                found.setdefault(name or _NAMELESS, []).extend([schema] if schema else [])
            missing = {event for _, event in asked} - found.keys()
            if missing and _NAMELESS not in found:
                names = [*found, *map(_event_of, await subjects(registry))]
                absent = [
                    _not_registered(spec, spec.event, names)
                    for spec in loaded.route_specs
                    if spec.event is not None and spec.event in missing
                ]
    except (TimeoutError, RegistrySilent):
        pass
    return absent + [
        finding
        for spec in loaded.route_specs
        if spec.event is not None and spec.event in found
        for finding in _against(spec, found[spec.event])
    ]


_NAMELESS = ""
"""A union, or a schema that cannot be read: it may hold any event."""


def _event_of(subject: str) -> str:
    """The full name in a subject that is made of the topic and it, or of it alone."""
    return subject.rpartition("-")[2]


def _against(spec: RouteSpec, schemas: Sequence[Schema]) -> list[Finding]:
    return field_findings(spec, [as_json(s) for s in schemas if s.name == spec.event])


def _not_declared(spec: RouteSpec, event: str, declared: Iterable[str], directory: str) -> Finding:
    near = difflib.get_close_matches(event, declared, 1)
    return Finding(
        spec.place("event"),
        f"no file in {directory} declares {event}",
        f"did you mean {near[0]}?" if near else "add the file of its schema",
    )


def _not_registered(spec: RouteSpec, event: str, names: Iterable[str]) -> Finding:
    near = difflib.get_close_matches(event, names, 1)
    return Finding(
        spec.place("event"),
        f"the registry's latest schemas of this topic and of this name have no {event}",
        f"did you mean {near[0]}?"
        if near
        else "correct the name; if the schema comes later or under another subject, leave it",
        Severity.WARNING,
    )
