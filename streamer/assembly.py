"""Which parts does a configuration ask for, and how are they set up?"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import assert_never

from streamer.config.loading import Loaded
from streamer.config.settings import EndpointSettings, HoldSettings, Settings
from streamer.dead_letters.naming import can_name
from streamer.dead_letters.writer import NotWritten, Writer, Written
from streamer.decoding.decoder import Decoder
from streamer.decoding.directory import load_directory
from streamer.decoding.fetched import Fetched, SchemaText, SchemaUnknown
from streamer.decoding.registry import RegistryAccess, RegistryClient
from streamer.decoding.registry_schemas import RegistrySchemas
from streamer.delivery.core import Core, CoreSettings
from streamer.delivery.core import EndpointSettings as DeliveryEndpoint
from streamer.delivery.jobs import Job
from streamer.delivery.order import Ordering
from streamer.delivery.tokens import UnknownInstance
from streamer.edge.clock import SystemClock
from streamer.edge.engine import EndpointPorts
from streamer.edge.ready_token import ReadyToken
from streamer.endpoint.aiohttp_client import AiohttpClient
from streamer.endpoint.client import ReportEndpoint
from streamer.endpoint.http import DroppableClient, HttpClient, HttpOptions
from streamer.endpoint.httptools_client import HttptoolsClient
from streamer.endpoint.httpx_client import HttpxClient
from streamer.endpoint.pyreqwest_client import PyreqwestClient
from streamer.endpoint.tls import read_tls
from streamer.endpoint.token_client import ANSWER_BYTES_MOST as TOKEN_BYTES_MOST
from streamer.endpoint.token_client import TokenClient
from streamer.errors import ConfigurationError, Finding
from streamer.model import DeadLetter, SchemaRef
from streamer.observability.metrics import Metrics
from streamer.source.settings import SourceSettings


def core_of(
    loaded: Loaded,
    metrics: Metrics,
    random: Random,
    clock: SystemClock,
    is_withdrawn: Callable[[Job], bool] | None = None,
) -> Core:
    settings, delivery = loaded.settings, loaded.settings.delivery
    hold = delivery.hold
    return Core(
        CoreSettings(
            ordering=Ordering(delivery.ordering),
            max_in_flight=delivery.max_in_flight,
            batch_most=delivery.batch.max,
            batch_bytes_most=delivery.batch.max_bytes.bytes,
            batch_linger_s=delivery.batch.linger.s,
            hold_after_s=hold.after.s if isinstance(hold, HoldSettings) else None,
            retry_for_s=delivery.retry_for.s,
            # Of the slowest: it bounds for how long a call may still be under way.
            call_timeout_s=max(entry.timeout.s for entry in settings.entries.values()),
            payload_bytes_most=delivery.window_bytes.bytes,
            commit_interval_s=delivery.commit_interval.s,
            stall_after_s=delivery.stall_after.s,
            guard_floods=settings.dead_letters.flood == "hold",
        ),
        {name: _delivery_of(entry) for name, entry in settings.entries.items()},
        loaded.table.cancelled,
        metrics,
        random.random,
        clock.wall_ms,
        is_withdrawn,
    )


def _delivery_of(entry: EndpointSettings) -> DeliveryEndpoint:
    return DeliveryEndpoint(
        shared_token=entry.token is not None,
        quota_per_minute=entry.quota.per_minute,
        unknown_instance=UnknownInstance(entry.unknown_instance),
    )


def source_settings_of(loaded: Loaded) -> SourceSettings:
    kafka, delivery = loaded.settings.kafka, loaded.settings.delivery
    template = loaded.settings.dead_letters.topic
    return SourceSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group_id,
        topics=loaded.table.topics,
        start=kafka.start,
        properties=kafka.librdkafka_properties(),
        excluded=lambda topic: can_name(template, topic),
        window_messages=delivery.window,
        window_bytes=delivery.window_bytes.bytes,
        revoke_timeout_s=delivery.revoke_timeout.s,
    )


@dataclass(frozen=True, slots=True)
class Endpoint:
    ports: EndpointPorts
    close: Callable[[], Awaitable[object]]


def endpoints_of(settings: Settings) -> dict[str, Endpoint]:
    """The way to each endpoint, by its name. Raises ConfigurationError for what it cannot use."""
    made: dict[str, Endpoint] = {}
    for name, entry in settings.entries.items():
        section = settings.section_of(name)
        try:
            made[name] = _endpoint_of(entry, section)
        except ConfigurationError as error:
            raise ConfigurationError([_told_of(section, it) for it in error.findings]) from None
    return made


def _told_of(section: str, finding: Finding) -> Finding:
    """The clients know one endpoint only, and call it `endpoint`."""
    where = finding.where.replace("endpoint.", f"{section}.", 1)
    return replace(finding, where=where, do=finding.do.replace("endpoint.", f"{section}."))


def _endpoint_of(settings: EndpointSettings, section: str) -> Endpoint:
    tls = read_tls(settings.tls.ca, settings.tls.cert, settings.tls.key)
    proxy = settings.proxy.reveal() if settings.proxy is not None else None
    options = HttpOptions(timeout_s=settings.timeout.s, tls=tls, proxy=proxy)
    reports: HttpClient
    cancels: DroppableClient
    match settings.http_client:
        case "pyreqwest":
            # It cannot let go of a call in flight, which cancels need.
            reports, cancels = PyreqwestClient(options), AiohttpClient(options)
        case "httptools":
            reports, cancels = HttptoolsClient(options), HttptoolsClient(options)
        case "httpx":
            reports, cancels = HttpxClient(options), HttpxClient(options)
        case _:
            assert_never(settings.http_client)
    calls = ReportEndpoint(settings.base_url, reports, cancels)
    if settings.token is not None:
        ready = ReadyToken(settings.token.reveal, f"{section}.token")
        return Endpoint(EndpointPorts(calls, ready), calls.aclose)
    assert settings.app is not None, "the configuration has an app or a token"
    app = settings.app
    token_options = replace(options, answer_bytes_most=TOKEN_BYTES_MOST)
    # A tenth of the next client's cost: a process may ask for thousands of tokens at its start.
    http: HttpClient = (
        HttptoolsClient(token_options)
        if settings.http_client == "httptools"
        else HttpxClient(token_options, pools=1)
    )
    tokens = TokenClient(settings.base_url, app.id, app.secret.reveal, http)

    async def close() -> None:
        await asyncio.gather(calls.aclose(), tokens.aclose())

    return Endpoint(EndpointPorts(calls, tokens), close)


class Schemas:
    """The decoder, and where the schemas come from that it does not have yet."""

    def __init__(
        self,
        decoder: Decoder,
        port: "RegistryClient | _NoRegistry",
        learn: Callable[[SchemaRef, SchemaText | SchemaUnknown], None],
        expire: Callable[[float], None],
    ) -> None:
        self.decoder = decoder
        self.port = port
        self.learn = learn
        self.expire = expire

    async def close(self) -> None:
        await self.port.aclose()


class _NoRegistry:
    """With `schemas.directory` every schema is there from the start."""

    async def greet(self) -> None:
        """Nothing is missing."""

    async def fetch(self, ref: SchemaRef) -> Fetched:
        raise AssertionError(f"{ref} was asked for, and there is no registry")

    async def aclose(self) -> None:
        """Nothing is open."""


def schemas_of(settings: Settings, clock: SystemClock) -> Schemas:
    schemas = settings.schemas
    if schemas.registry is None:
        assert schemas.directory is not None, "the configuration has a registry or a directory"
        found = load_directory(Path(schemas.directory), schemas.topics)
        return Schemas(Decoder(found), _NoRegistry(), lambda ref, fetched: None, lambda now: None)
    registry, known = schemas.registry, RegistrySchemas()
    tls = registry.tls
    access = RegistryAccess(
        registry.url,
        username=registry.basic.username if registry.basic else None,
        password=registry.basic.password.reveal if registry.basic else None,
        bearer=registry.bearer.reveal if registry.bearer else None,
        ca=tls.ca,
        cert=tls.cert,
        key=tls.key,
    )
    return Schemas(
        Decoder(known),
        RegistryClient(access),
        lambda ref, fetched: known.learn(ref, fetched, clock.now()),
        known.expire,
    )


LETTERS_CLOSE_S = 1.0
"""A letter that is confirmed after the last commit is written again by the next process: there is
no use in waiting for it long."""


class LateWriter:
    """The dead letter writer, made when the first letter comes: the cluster is known by then."""

    def __init__(
        self, settings: Settings, clock: SystemClock, cluster_id: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._cluster_id = cluster_id
        self._writer: Writer | None = None

    async def write(self, letter: DeadLetter) -> Written | NotWritten:
        if self._writer is None:
            kafka = self._settings.kafka
            self._writer = Writer(
                kafka.bootstrap_servers,
                kafka.librdkafka_properties(),
                self._settings.dead_letters.topic,
                self._cluster_id(),
                self._clock.wall_ms,
                kafka.group_id,
            )
        return await self._writer.write(letter)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close(LETTERS_CLOSE_S)
