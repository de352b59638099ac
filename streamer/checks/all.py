"""What would keep this configuration from working, asked of all parts at once?"""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence

from streamer.checks.broker import ask_brokers
from streamer.checks.endpoint import endpoint_findings
from streamer.checks.expressions import findings_of_directory, findings_of_registry
from streamer.checks.probes import bounded
from streamer.checks.registry import registry_findings
from streamer.config.loading import Loaded, Read
from streamer.config.settings import Settings
from streamer.dead_letters.admin import KafkaTopicAdmin
from streamer.dead_letters.naming import can_name
from streamer.dead_letters.topics import inspect
from streamer.errors import Finding
from streamer.routing.table import RoutingTable

_QUESTION_S = 2.0
"""Seconds for each question about dead letter topics, to brokers that just have answered."""


def check_all(loaded: Loaded | Read, *, offline: bool = False) -> list[Finding]:
    """Findings beyond those of the files; `offline` connects to nothing.

    Of a configuration with errors whatever can be asked with what is right of it.
    """
    return asyncio.run(findings(loaded, offline=offline))


async def findings(loaded: Loaded | Read, *, offline: bool = False) -> list[Finding]:
    """The same from a running loop. All probes run at once, each within its bound."""
    probes: list[Awaitable[list[Finding]]] = [
        asyncio.to_thread(findings_of_directory, loaded),
    ]
    if not offline:
        if loaded.settings is not None:
            topics = tuple(dict.fromkeys(t for spec in loaded.route_specs for t in spec.topics))
            kafka = _kafka(loaded.settings, topics)
            probes += [
                bounded("kafka", kafka, "mend kafka.bootstrap_servers"),
                *_endpoints(loaded.settings, loaded.table),
            ]
        registry = loaded.schemas.registry if loaded.schemas is not None else None
        if registry is not None:
            probe = registry_findings(registry)
            probes.append(bounded("registry", probe, "mend schemas.registry.url"))
            fields = findings_of_registry(loaded, registry)
            probes.append(bounded("registry", fields, "mend schemas.registry.url"))
    return [finding for found in await asyncio.gather(*probes) for finding in found]


async def findings_beside(loaded: Loaded) -> list[Finding]:
    """What a running process does not say by itself before an event comes: whether the routes fit
    the schemas, and whether the endpoint gives a token. The rest its parts tell as they meet it,
    and for as long as it lasts."""
    settings = loaded.settings
    probes: list[Awaitable[list[Finding]]] = [
        asyncio.to_thread(findings_of_directory, loaded),
        *_endpoints(settings, loaded.table),
    ]
    if settings.schemas.registry is not None:
        fields = findings_of_registry(loaded, settings.schemas.registry)
        probes.append(bounded("registry", fields, "mend schemas.registry.url"))
    return [finding for found in await asyncio.gather(*probes) for finding in found]


def _endpoints(
    settings: Settings, table: RoutingTable | None
) -> Iterator[Awaitable[list[Finding]]]:
    """One probe for each endpoint, with the app instance that is named for it, if one is."""
    for name, entry in settings.entries.items():
        section = settings.section_of(name)
        instance = table.instance_of(name) if table is not None else None
        probe = endpoint_findings(entry, section, instance)
        yield bounded(section, probe, f"mend {section}.base_url")


async def _kafka(settings: Settings, topics: Sequence[str]) -> Sequence[Finding]:
    """The brokers first: where they do not answer, nothing can be said of dead letters."""
    kafka, letters = settings.kafka, settings.dead_letters
    answer = await asyncio.to_thread(
        ask_brokers, kafka, topics, lambda topic: can_name(letters.topic, topic)
    )
    if not answer.topics:
        return answer.findings
    admin = KafkaTopicAdmin(
        kafka.bootstrap_servers, kafka.librdkafka_properties(), timeout_s=_QUESTION_S
    )
    found = await inspect(admin, letters.topic, answer.topics, letters.create)
    return [*answer.findings, *found]
