"""How is one process of `streamer` put together, run, and ended?

The only place that knows every part. What a part does stands in its own room.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import assert_never

import structlog
import uvloop

from streamer import __version__
from streamer.config.loading import Loaded
from streamer.config.settings import EndpointSettings, Settings
from streamer.dead_letters.admin import KafkaTopicAdmin
from streamer.dead_letters.naming import can_name
from streamer.dead_letters.writer import NotWritten, Writer, Written
from streamer.decoding.decoder import Decoder
from streamer.decoding.directory import load_directory
from streamer.decoding.fetched import Fetched, SchemaText, SchemaUnknown
from streamer.decoding.registry import RegistryAccess, RegistryClient
from streamer.decoding.registry_schemas import RegistrySchemas
from streamer.delivery.core import Core, CoreSettings
from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.retry import Backoff
from streamer.edge.clock import SystemClock
from streamer.edge.dependencies import Dependencies
from streamer.edge.engine import EndpointPorts, Engine, Learn
from streamer.edge.letter_topics import LetterTopics
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
from streamer.errors import Finding, Severity, StreamerError
from streamer.model import DeadLetter, SchemaRef
from streamer.observability import health, logs
from streamer.observability.gauges import StateGauges
from streamer.observability.metrics import Metrics
from streamer.observability.server import Probes, StatusServer
from streamer.observability.state import Snapshot, snapshot
from streamer.observability.watchdog import Watchdog, Watched
from streamer.source.consumer import Source
from streamer.source.handover import Assigned
from streamer.source.offsets import Window
from streamer.source.settings import SourceSettings

log = structlog.get_logger()

Check = Callable[[], Awaitable[Sequence[Finding]]]

LOOK_TIMEOUT_S = 2.0
"""How long a scrape waits for the event loop before it is called stuck."""


def run(loaded: Loaded, check: Check | None = None) -> int:
    """Deliver until SIGTERM or SIGINT; the process's exit code.

    `check` looks for findings beside the running delivery; they are logged.
    """
    settings = loaded.settings
    logs.set_up(settings.log.level, settings.log.format)
    log.info("starting", version=__version__, routes=len(loaded.route_specs))
    _say(loaded.findings)
    return uvloop.run(_Process(loaded).run(check))


def _say(findings: Sequence[Finding]) -> None:
    for finding in findings:
        say = log.error if finding.severity is Severity.ERROR else log.warning
        say("finding", where=finding.where, found=finding.found, do=finding.do)


class _Process:
    """Everything that one process is made of; made inside its event loop."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._settings = loaded.settings
        self._clock = SystemClock()
        self._random = Random()
        self._metrics = Metrics()

    async def run(self, check: Check | None) -> int:
        self._loop = asyncio.get_running_loop()
        schemas = _schemas(self._settings, self._clock)
        ports = {"default": _endpoint(self._settings.endpoint)}
        source_settings = _source_settings(self._loaded)
        writer = _LateWriter(self._settings, self._clock, lambda: self._source.cluster_id)
        core = _core(self._loaded, self._metrics, self._random, self._clock)
        dependencies = Dependencies(self._clock)
        self._engine = Engine(
            core,
            lambda need: self._intake(core, schemas, need),
            {name: port.ports for name, port in ports.items()},
            writer,
            Learn(schemas.port, schemas.learn, schemas.expire),
            lambda assigned: self._window(assigned, source_settings.subscription),
            self._metrics,
            self._clock,
            Backoff(0.5, 30.0, self._random.random),
            dependencies,
            self._letter_topics(dependencies).look_after,
        )
        server: StatusServer | None = None
        try:
            self._source = Source(
                source_settings,
                self._engine,
                self._loop,
                self._clock.now,
                self._clock.wall_ms,
                self._metrics,
            )
            self._engine.connect(self._source)
            server = self._serve()
            return await self._deliver(check)
        finally:
            await self._engine.close()
            await writer.close()
            await asyncio.gather(schemas.close(), *(port.close() for port in ports.values()))
            if server is not None:
                server.stop()

    # --- the parts -----------------------------------------------------------------------------

    def _intake(self, core: Core, schemas: "_Schemas", need: Callable[[SchemaRef], None]) -> Intake:
        table, wall_ms = self._loaded.table, self._clock.wall_ms
        decode, wants_key = schemas.decoder.decode, lru_cache(table.wants_key)
        return Intake(
            core,
            lambda message: decode(message, wants_key(message.partition.topic)),
            lambda event: table.route(event, wall_ms()),
            Ordering(self._settings.delivery.ordering),
            table.cancelled,
            need,
        )

    def _window(self, assigned: Assigned, subscription: str) -> Window:
        return Window(assigned, self._source.cluster_id, subscription)

    def _letter_topics(self, dependencies: Dependencies) -> LetterTopics:
        kafka, letters = self._settings.kafka, self._settings.dead_letters
        return LetterTopics(
            lambda: KafkaTopicAdmin(kafka.bootstrap_servers, kafka.librdkafka_properties()),
            letters.topic,
            letters.create,
            dependencies,
            self._clock,
        )

    def _serve(self) -> StatusServer:
        server = self._settings.server
        main = threading.main_thread().ident
        threads = {"event loop": lambda: main, "poll thread": lambda: self._source.thread_id}
        probes = Probes(self._live, self._ready, self._look, threads)
        self._metrics.registry.register(StateGauges(self._look))
        status = StatusServer(server.host, server.port, self._metrics.registry, probes)
        status.start()
        log.info("listening", host=server.host, port=status.port)
        self._watchdog = Watchdog(
            (
                Watched("event loop", lambda: main, lambda: self._age(self._engine.last_turn)),
                Watched(
                    "poll thread",
                    lambda: self._source.thread_id,
                    lambda: self._age(self._source.last_turn),
                ),
            )
        )
        self._watchdog.start()
        return status

    # --- health, called in the server's threads ---------------------------------------------------

    def _age(self, turn: float) -> float:
        return self._clock.now() - turn

    def _live(self) -> health.Health:
        return health.live(self._age(self._source.last_turn), self._age(self._engine.last_turn))

    def _ready(self) -> health.Health:
        return health.ready(self._source.joined, self._source.stuck, self._refusals())

    def _refusals(self) -> dict[str, str]:
        # A copy, made in one step: the event loop may change the original meanwhile.
        return dict(self._engine.dependencies.refusals)

    def _look(self) -> Snapshot | None:
        looked = asyncio.run_coroutine_threadsafe(self._snapshot(), self._loop)
        try:
            return looked.result(LOOK_TIMEOUT_S)
        except TimeoutError:
            looked.cancel()
            return None

    async def _snapshot(self) -> Snapshot:
        engine, clock = self._engine, self._clock
        return snapshot(
            engine.core,
            engine.intake,
            self._source,
            engine.last_turn,
            clock.now(),
            clock.wall_ms(),
        )

    # --- the life of the process ------------------------------------------------------------------

    async def _deliver(self, check: Check | None) -> int:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._asked_to_stop, number, stop)
        checking = asyncio.ensure_future(_check(check)) if check else None
        self._source.start()
        ends = [
            asyncio.create_task(_first(stop.wait())),
            asyncio.create_task(_first(self._engine.wait_for_end())),
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (*ends, *([checking] if checking is not None else [])):
            task.cancel()
        self._watchdog.stop()
        error = self._engine.error
        if error is None:
            return await self._stop()
        # Nothing more is committed: what is not settled will be read again.
        self._source.stop_intake()
        await self._source.stop(())
        log.error("ended", why=str(error), error=type(error).__name__, exc_info=_trace(error))
        return 1

    def _asked_to_stop(self, number: int, stop: asyncio.Event) -> None:
        if stop.is_set():
            # Nothing is lost: what is not committed will be read again.
            log.warning("stopping_at_once", signal=signal.Signals(number).name)
            os._exit(1)
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    async def _stop(self) -> int:
        """Stop intake, finish what is in flight, commit, leave the group."""
        self._source.stop_intake()
        plans = await self._engine.drain(self._settings.delivery.drain_timeout.s)
        stopped = await self._source.stop(plans)
        log.info("stopped", left_in_order=stopped.closed, unsettled=self._engine.unsettled)
        return 0


async def _first(end: Awaitable[object]) -> None:
    await end


async def _check(check: Check) -> None:
    try:
        _say(await check())
    except Exception as error:
        # Delivery does not depend on it. The text of an error nobody planned may hold anything.
        log.warning("check_failed", error=type(error).__name__)


def _trace(error: BaseException | None) -> BaseException | None:
    """A trace only for what nobody planned."""
    return None if isinstance(error, StreamerError) else error


# --- parts made of settings ---------------------------------------------------------------------


def _core(loaded: Loaded, metrics: Metrics, random: Random, clock: SystemClock) -> Core:
    delivery = loaded.settings.delivery
    endpoint = loaded.settings.endpoint
    return Core(
        CoreSettings(
            ordering=Ordering(delivery.ordering),
            max_in_flight=delivery.max_in_flight,
            retry_for_s=delivery.retry_for.s,
            call_timeout_s=endpoint.timeout.s,
            commit_interval_s=delivery.commit_interval.s,
            stall_after_s=delivery.stall_after.s,
            guard_floods=loaded.settings.dead_letters.flood == "hold",
        ),
        {"default": endpoint.token is not None},
        loaded.table.cancelled,
        metrics,
        random.random,
        clock.wall_ms,
    )


def _source_settings(loaded: Loaded) -> SourceSettings:
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
class _Endpoint:
    ports: EndpointPorts
    close: Callable[[], Awaitable[object]]


def _endpoint(settings: EndpointSettings) -> _Endpoint:
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
        return _Endpoint(EndpointPorts(calls, ReadyToken(settings.token.reveal)), calls.aclose)
    assert settings.app is not None, "the configuration has an app or a token"
    app = settings.app
    token_options = replace(options, answer_bytes_most=TOKEN_BYTES_MOST)
    http = HttpxClient(token_options, pools=1)
    tokens = TokenClient(settings.base_url, app.id, app.secret.reveal, http)

    async def close() -> None:
        await asyncio.gather(calls.aclose(), tokens.aclose())

    return _Endpoint(EndpointPorts(calls, tokens), close)


class _Schemas:
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


def _schemas(settings: Settings, clock: SystemClock) -> _Schemas:
    schemas = settings.schemas
    if schemas.registry is None:
        assert schemas.directory is not None, "the configuration has a registry or a directory"
        found = load_directory(Path(schemas.directory), schemas.topics)
        return _Schemas(Decoder(found), _NoRegistry(), lambda ref, fetched: None, lambda now: None)
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
    return _Schemas(
        Decoder(known),
        RegistryClient(access),
        lambda ref, fetched: known.learn(ref, fetched, clock.now()),
        known.expire,
    )


class _LateWriter:
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
            )
        return await self._writer.write(letter)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
