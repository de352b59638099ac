"""Who answers `/metrics`, `/health/...` and `/status`?

A thread of its own, so that a process whose event loop is stuck still says so, and where.
"""

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app

from streamer.errors import ConfigurationError, Finding
from streamer.observability.health import Health
from streamer.observability.state import Snapshot


@dataclass(frozen=True, slots=True)
class Probes:
    """What the server asks; each is called in the server's threads."""

    live: Callable[[], Health]
    ready: Callable[[], Health]
    look: Callable[[], Snapshot | None]
    """None while the event loop does not answer."""
    threads: dict[str, Callable[[], int | None]]
    """The threads to show when stuck: name -> thread id."""


_STOP_SEEN_EVERY_S = 0.05
"""The standard library looks twice a second, for which each end of the process would wait."""

_PAGES = "/metrics\n/status\n/health/started\n/health/ready\n/health/live\n"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class _Quiet(WSGIRequestHandler):
    timeout = 10  # seconds for a request to come, so that an idle connection holds no thread

    def log_message(self, format: str, *args: object) -> None:
        """Probes and scrapes are no news."""


class StatusServer:
    """Listens from `start` on; `port` is the real one where 0 was asked for."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, probes: Probes) -> None:
        self._metrics = make_wsgi_app(registry)
        self._probes = probes
        try:
            self._server = make_server(host, port, self._answer, _Server, _Quiet)
        except OSError as error:
            found = f"cannot listen on {host}:{port}: {error.strerror or error}"
            do = "set `server.port` to a free port (0 takes any), or `server.host` to an address"
            raise ConfigurationError([Finding("server", found, do)]) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_STOP_SEEN_EVERY_S,),
            name="status-server",
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                pages: Iterable[bytes] = self._metrics(environ, start)
                return pages
            case "/health/started":
                return _health(Health(), start)
            case "/health/ready":
                return _health(self._probes.ready(), start)
            case "/health/live":
                health = self._probes.live()
                return _health(health, start, "" if health.ok else self._stacks())
            case "/status":
                return self._status(start)
            case "/":
                return _text(start, "200 OK", _PAGES)
            case _:
                return _text(start, "404 Not Found", "no such page; see /\n")

    def _status(self, start: StartResponse) -> Iterable[bytes]:
        state = self._probes.look()
        if state is None:
            return _text(start, "503 Service Unavailable", f"stuck\n{self._stacks()}")
        body = json.dumps(msgspec.to_builtins(state), indent=2).encode()
        start("200 OK", [("Content-Type", "application/json; charset=utf-8")])
        return [body]

    def _stacks(self) -> str:
        return "".join(
            f"{name}:\n{where_is(ident())}" for name, ident in self._probes.threads.items()
        )


def where_is(ident: int | None) -> str:
    """The lines that a thread stands at: files, numbers and functions, no values."""
    frame = sys._current_frames().get(ident) if ident is not None else None
    return "".join(traceback.format_stack(frame)) if frame is not None else "not running\n"


def _health(health: Health, start: StartResponse, more: str = "") -> Iterable[bytes]:
    if health.ok:
        return _text(start, "200 OK", "ok\n")
    lines = "".join(f"{reason}\n" for reason in health.reasons)
    return _text(start, "503 Service Unavailable", lines + more)


def _text(start: StartResponse, status: str, text: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]
