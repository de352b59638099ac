"""What would keep this configuration from working, asked of all parts at once?"""

import asyncio
from collections.abc import Awaitable, Sequence

from streamer.checks.broker import ask_brokers
from streamer.checks.endpoint import endpoint_findings
from streamer.checks.expressions import findings_of_directory, findings_of_registry
from streamer.checks.probes import bounded
from streamer.checks.registry import registry_findings
from streamer.config.loading import Loaded
from streamer.dead_letters.admin import KafkaTopicAdmin
from streamer.dead_letters.naming import can_name
from streamer.dead_letters.topics import inspect
from streamer.errors import Finding

_QUESTION_S = 2.0
"""Seconds for each question about dead letter topics, to brokers that just have answered."""


def check_all(loaded: Loaded, *, offline: bool = False) -> list[Finding]:
    """Findings beyond those of the files; `offline` connects to nothing."""
    return asyncio.run(findings(loaded, offline=offline))


async def findings(loaded: Loaded, *, offline: bool = False) -> list[Finding]:
    """The same from a running loop. All probes run at once, each within its bound."""
    settings = loaded.settings
    probes: list[Awaitable[list[Finding]]] = [
        asyncio.to_thread(findings_of_directory, loaded),
    ]
    if not offline:
        probes += [
            bounded("kafka", _kafka(loaded), "mend kafka.bootstrap_servers"),
            bounded("endpoint", endpoint_findings(settings.endpoint), "mend endpoint.base_url"),
        ]
        registry = settings.schemas.registry
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
        bounded("endpoint", endpoint_findings(settings.endpoint), "mend endpoint.base_url"),
    ]
    if settings.schemas.registry is not None:
        fields = findings_of_registry(loaded, settings.schemas.registry)
        probes.append(bounded("registry", fields, "mend schemas.registry.url"))
    return [finding for found in await asyncio.gather(*probes) for finding in found]


async def _kafka(loaded: Loaded) -> Sequence[Finding]:
    """The brokers first: where they do not answer, nothing can be said of dead letters."""
    kafka, letters = loaded.settings.kafka, loaded.settings.dead_letters
    answer = await asyncio.to_thread(
        ask_brokers, kafka, loaded.table.topics, lambda topic: can_name(letters.topic, topic)
    )
    if not answer.topics:
        return answer.findings
    admin = KafkaTopicAdmin(
        kafka.bootstrap_servers, kafka.librdkafka_properties(), timeout_s=_QUESTION_S
    )
    found = await inspect(admin, letters.topic, answer.topics, letters.create)
    return [*answer.findings, *found]
