"""How is one process of `streamer` put together, run, and ended?

With `assembly.py`, the only place that knows every part. What a part does stands in its own room.
"""

import asyncio
import gc
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from random import Random
from typing import NoReturn

import structlog
import uvloop

from streamer import __version__
from streamer.assembly import (
    LateWriter,
    Schemas,
    core_of,
    endpoints_of,
    schemas_of,
    source_settings_of,
)
from streamer.config.loading import Loaded
from streamer.dead_letters.admin import KafkaTopicAdmin
from streamer.delivery.core import Core
from streamer.delivery.intake import Intake
from streamer.delivery.order import Ordering
from streamer.delivery.retry import Backoff
from streamer.edge.clock import SystemClock
from streamer.edge.dependencies import Dependencies
from streamer.edge.engine import Engine
from streamer.edge.letter_topics import LetterTopics
from streamer.edge.schema_fetches import Learn
from streamer.endpoint.exit import leave
from streamer.errors import Finding, Severity, StreamerError
from streamer.model import SchemaRef
from streamer.observability import health, logs
from streamer.observability.gauges import StateGauges
from streamer.observability.metrics import Metrics
from streamer.observability.server import Probes, StatusServer
from streamer.observability.standing import Standing
from streamer.observability.state import Snapshot, snapshot
from streamer.observability.watchdog import Watchdog, Watched
from streamer.source.consumer import Source
from streamer.source.handover import Assigned
from streamer.source.offsets import Window

log = structlog.get_logger()

Check = Callable[[], Awaitable[Sequence[Finding]]]

CLOSE_S = 5.0
"""How long the clients may take to close, once the group is left. With `delivery.drain_timeout` and
the source's 9 s it stays below the 15 s beside the drain that the chart grants at the least."""
LOOK_TIMEOUT_S = 2.0
"""How long a scrape waits for the event loop before it is called stuck."""
COLLECTED_EVERY = (50_000, 10, 50)
"""New objects between two looks of the cyclic collector at the youngest, and how many looks at one
generation until there is one at the next. What is under way are up to a million objects, which end
by their reference counts: with the default (700, 10, 10) the collector walked over them for more
than a third of what an event cost."""


def run(loaded: Loaded, check: Check | None = None) -> NoReturn:
    """Deliver until SIGTERM or SIGINT, then end the process with its exit code.

    `check` looks for findings beside the running delivery; they are logged. Raises a
    ConfigurationError for what only the start can find.
    """
    settings = loaded.settings
    logs.set_up(settings.log.level, settings.log.format)
    log.info("starting", version=__version__, routes=len(loaded.route_specs))
    _say(loaded.findings)
    gc.freeze()
    gc.set_threshold(*COLLECTED_EVERY)
    uvloop.run(_to_the_end(_Process(loaded), check))


async def _to_the_end(process: "_Process", check: Check | None) -> NoReturn:
    """Leaves from within the loop. With a broker gone, the threads that still ask it something and
    the tear-down of its clients outlast every grace period; all that matters is closed by then."""
    try:
        code = await process.run(check)
    except StreamerError:
        raise
    except Exception as error:
        log.error("ended", why=str(error), error=type(error).__name__, exc_info=True)
        code = 1
    leave(code)


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
        self._standing = Standing()

    async def run(self, check: Check | None) -> int:
        self._loop = asyncio.get_running_loop()
        schemas = schemas_of(self._settings, self._clock)
        ports = endpoints_of(self._settings)
        source_settings = source_settings_of(self._loaded)
        writer = LateWriter(self._settings, self._clock, lambda: self._source.cluster_id)
        core = core_of(self._loaded, self._metrics, self._random, self._clock)
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
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._engine.close()
                    await writer.close()
                    ends = (schemas.close(), *(port.close() for port in ports.values()))
                    await asyncio.gather(*ends)
            if server is not None:
                server.stop()

    # --- the parts -----------------------------------------------------------------------------

    def _intake(self, core: Core, schemas: "Schemas", need: Callable[[SchemaRef], None]) -> Intake:
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
            self._standing,
            engine.last_turn,
            clock.now(),
            clock.wall_ms(),
            len(asyncio.all_tasks()),
            engine.dependencies.newest_letters.newest_first,
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
        return await self._stop()

    def _asked_to_stop(self, number: int, stop: asyncio.Event) -> None:
        if stop.is_set():
            # Nothing is lost: what is not committed will be read again.
            log.warning("stopping_at_once", signal=signal.Signals(number).name)
            leave(1)
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    async def _stop(self) -> int:
        """Stop intake, finish what is in flight, commit, leave the group; the exit code.

        Where the process cannot go on, nothing is waited for and nothing more is committed: what
        is not settled will be read again.
        """
        self._source.stop_intake()
        plans = await self._engine.drain(self._settings.delivery.drain_timeout.s)
        unsettled = self._engine.unsettled  # leaving the group takes the partitions away
        stopped = await self._source.stop(plans)
        error = self._engine.error
        if error is None:
            log.info("stopped", left_in_order=stopped.closed, unsettled=unsettled)
            return 0
        log.error("ended", why=str(error), error=type(error).__name__, exc_info=_trace(error))
        return 1


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
