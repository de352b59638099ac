"""How is a sandbox started, listened to and stopped?

In process: `url = await Sandbox(SandboxOptions(...)).start()`. As a process: `streamer sandbox`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import structlog

from streamer.errors import ConfigurationError, Finding
from streamer.sandbox.admin import Admin
from streamer.sandbox.admission import Admission
from streamer.sandbox.answering import Answering
from streamer.sandbox.fault_kinds import Refuse
from streamer.sandbox.faults import FaultRule, Faults, SetRule
from streamer.sandbox.http_connection import Connection
from streamer.sandbox.http_edge import HttpEdge
from streamer.sandbox.journal import Journal
from streamer.sandbox.platform import Platform
from streamer.sandbox.rules import Rules

log = structlog.get_logger()

_LISTEN_AGAIN_S = 0.2
_ANSWER_FIRST_S = 0.05
_BACKLOG = 1024  # connections: a load test opens hundreds at once


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    rules: Rules = field(default_factory=Rules)
    faults: tuple[FaultRule, ...] = ()
    seed: int | None = None
    """Faults and ids are drawn from it; the same seed and calls give the same faults."""
    admin_anywhere: bool = False
    """The page and the sandbox's own calls answer every address, not only this machine's."""
    admin_hosts: tuple[str, ...] = ()
    """Names beside localhost and the host where it listens under which they may be asked for."""


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Sandbox:
    """The emulator with its HTTP server. All methods are called in one event loop."""

    def __init__(
        self,
        options: SandboxOptions | None = None,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        options = options or SandboxOptions()
        self._clock_ms = clock_ms
        self._options = options
        self.platform = Platform(options.rules, _guids(_random(options.seed, "ids")))
        self.faults = Faults((), _random(options.seed, "faults"), clock_ms())
        self.journal = Journal()
        self._edge: HttpEdge | None = None
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._door: asyncio.Task[None] | None = None
        self._host = ""
        self._port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listens and gives the base URL; port 0 takes a free one.

        Raises ConfigurationError where the address cannot be had. Windows of faults count from
        here.
        """
        self._edge = HttpEdge(
            self.platform,
            Answering(self.platform, self.faults, _random(self._options.seed, "bulk")),
            self.journal,
            self.faults,
            Admin(self.platform, self.journal, self.faults, self.keep_faults, self._clock_ms),
            clock_ms=self._clock_ms,
            later=asyncio.get_running_loop().call_later,
            admission=Admission(
                host, self._options.admin_hosts, anywhere=self._options.admin_anywhere
            ),
            id_prefix=str(self._clock_ms() // 1000),
        )
        self._host, self._port = host, port
        try:
            await self._listen()
        # A name that cannot be one, such as a..b, is a UnicodeError.
        except (OSError, UnicodeError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            found = f"cannot listen on {host}:{port}: {reason}"
            raise ConfigurationError(
                [Finding("sandbox", found, "choose another --port (0: a free one) or --host")]
            ) from error
        assert self._listener is not None
        self._port = self._listener.sockets[0].getsockname()[1]
        now_ms = self._clock_ms()
        self._apply_faults([SetRule(rule, now_ms) for rule in self._options.faults])
        return self.url

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end; of this machine where it listens everywhere."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    async def stop(self) -> None:
        """Stops listening and ends all calls, those that hang too."""
        self._leave_door()
        if self._listener is not None:
            self._listener.close()
        self._end_connections()

    def set_faults(self, rules: Sequence[FaultRule]) -> None:
        """Takes the place of all faults; their windows count from now."""
        now_ms = self._clock_ms()
        self.keep_faults([SetRule(rule, now_ms) for rule in rules])

    def keep_faults(self, set_rules: Sequence[SetRule]) -> None:
        """Takes the place of all faults; each window counts from when its rule was set."""
        self._apply_faults(set_rules)
        log.info("sandbox_faults_set", count=len(set_rules))

    def _apply_faults(self, set_rules: Sequence[SetRule]) -> None:
        self._leave_door()
        self.faults.keep(set_rules)
        if self._listener is not None:
            now_ms = self._clock_ms()
            windows = sorted(
                (begins_s, ends_s)
                for begins_s, ends_s in (
                    was_set.window_s(now_ms)
                    for was_set in set_rules
                    if isinstance(was_set.rule.kind, Refuse)
                )
                if ends_s is not None and ends_s > 0
            )
            self._door = asyncio.create_task(self._keep_door(self._listener, windows))

    def _leave_door(self) -> None:
        if self._door is not None:
            self._door.cancel()
            self._door = None

    async def _listen(self) -> None:
        assert self._edge is not None
        edge, connections = self._edge, self._connections
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(edge.serve, edge.new_request_id, connections),
            self._host,
            self._port,
            backlog=_BACKLOG,
            reuse_address=True,
        )

    async def _keep_door(
        self, listener: asyncio.Server, windows: Sequence[tuple[float, float]]
    ) -> None:
        """Closes the door for each window, from so many seconds to so many, in turn, and leaves it
        open."""
        loop = asyncio.get_running_loop()
        set_at_s = loop.time()
        if not listener.is_serving():
            await self._listen_again()
        for begins_s, ends_s in windows:
            # The admin call that set the window is still to be answered.
            await asyncio.sleep(set_at_s + max(begins_s, _ANSWER_FIRST_S) - loop.time())
            self._close_door()
            log.info("sandbox_refuses_connections", for_s=ends_s - begins_s)
            await asyncio.sleep(set_at_s + ends_s - loop.time())
            await self._listen_again()

    def _close_door(self) -> None:
        assert self._listener is not None
        self._listener.close()
        self._end_connections()

    def _end_connections(self) -> None:
        for connection in tuple(self._connections):
            connection.reset()

    async def _listen_again(self) -> None:
        while True:
            try:
                await self._listen()
            except OSError as error:
                # Somebody else took the port meanwhile; it is ours again when they leave.
                log.warning("sandbox_port_taken", port=self._port, error=error.strerror)
                await asyncio.sleep(_LISTEN_AGAIN_S)
            else:
                log.info("sandbox_listens_again", url=self.url)
                return


def _random(seed: int | None, purpose: str) -> Random:
    """One generator a purpose, so that the number of ids drawn does not change the faults."""
    return Random() if seed is None else Random(f"{seed} {purpose}")


def _guids(random: Random) -> Callable[[], str]:
    def new_guid() -> str:
        digits = f"{random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    return new_guid
