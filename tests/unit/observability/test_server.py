"""What do the pages of a process answer, also while its event loop is stuck?"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from streamer.errors import ConfigurationError
from streamer.observability.health import Health
from streamer.observability.server import Probes, StatusServer, where_is
from streamer.observability.state import Snapshot

Serves = Callable[[Probes], StatusServer]

WELL = Health()
STATE = Snapshot(
    joined=True,
    stuck="",
    calls_in_flight=3,
    calls_limit=256,
    held={},
    breakers={"outage": 1},
    lanes_known=0,
    lanes_held={},
    lanes=[],
    floods={},
    app_held={},
    schemas_awaited=[],
    letters_unwritten="",
    partitions=[],
    poll_age_s=0.0,
    loop_age_s=0.0,
)


def probes(
    *,
    live: Health = WELL,
    ready: Health = WELL,
    state: Snapshot | None = STATE,
    threads: dict[str, Callable[[], int | None]] | None = None,
) -> Probes:
    return Probes(lambda: live, lambda: ready, lambda: state, threads or {})


@pytest.fixture
def serve() -> Iterator[Serves]:
    servers: list[StatusServer] = []
    registry = CollectorRegistry()
    Gauge("streamer_test", "A gauge.", registry=registry).set(7)

    def start(asked: Probes) -> StatusServer:
        server = StatusServer("127.0.0.1", 0, registry, asked)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


def get(server: StatusServer, path: str) -> tuple[int, str]:
    try:
        url = f"http://127.0.0.1:{server.port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_port_0_takes_a_free_one_and_says_which(serve: Serves) -> None:
    server = serve(probes())

    assert server.port > 0
    assert get(server, "/health/started") == (200, "ok\n")


def test_started_is_answered_whatever_else_is_wrong(serve: Serves) -> None:
    wrong = Health(("it hangs",))

    assert get(serve(probes(live=wrong, ready=wrong)), "/health/started")[0] == 200


def test_ready_gives_each_reason_a_line(serve: Serves) -> None:
    server = serve(probes(ready=Health(("registry: 401", "dead letters of a: missing"))))

    assert get(server, "/health/ready") == (503, "registry: 401\ndead letters of a: missing\n")
    assert get(server, "/health/live") == (200, "ok\n")


def test_metrics_are_in_prometheus_text(serve: Serves) -> None:
    status, text = get(serve(probes()), "/metrics")

    assert status == 200
    assert "streamer_test 7.0" in text


def test_the_status_is_the_snapshot_as_json(serve: Serves) -> None:
    status, text = get(serve(probes()), "/status")

    assert status == 200
    assert json.loads(text)["calls_limit"] == 256


def test_the_root_names_the_pages_and_any_other_path_is_not_found(serve: Serves) -> None:
    server = serve(probes())

    assert "/health/live" in get(server, "/")[1]
    assert get(server, "/health")[0] == 404


class Stuck:
    """A thread that stands in `stands_here`, with a secret in a variable."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._stands = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        self._stands.wait(10)
        assert self._thread.ident is not None
        return self._thread.ident

    def __exit__(self, *error: object) -> None:
        self._go.set()
        self._thread.join(10)

    def _run(self) -> None:
        self.stands_here("a-secret-value")

    def stands_here(self, token: str) -> None:
        self._stands.set()
        self._go.wait(30)
        assert token


def test_a_process_that_is_not_alive_says_where_its_threads_stand_without_values(
    serve: Serves,
) -> None:
    with Stuck() as ident:
        threads: dict[str, Callable[[], int | None]] = {
            "event loop": lambda: ident,
            "poll thread": lambda: None,
        }
        hung = Health(("the event loop has not turned for 61 s",))
        status, text = get(serve(probes(live=hung, threads=threads)), "/health/live")

    assert status == 503
    assert text.startswith("the event loop has not turned for 61 s\n")
    assert "stands_here" in text
    assert "self._go.wait(30)" in text
    assert "poll thread:\nnot running" in text
    assert "a-secret-value" not in text.replace('self.stands_here("a-secret-value")', "")


def test_a_status_that_the_event_loop_does_not_give_is_where_it_stands(serve: Serves) -> None:
    with Stuck() as ident:
        status, text = get(
            serve(probes(state=None, threads={"event loop": lambda: ident})), "/status"
        )

    assert status == 503
    assert text.startswith("stuck\nevent loop:\n")
    assert "stands_here" in text


def test_a_thread_that_does_not_run_stands_nowhere() -> None:
    assert where_is(None) == "not running\n"
    assert where_is(-1) == "not running\n"


def test_a_port_that_is_taken_is_a_finding_that_names_the_setting(serve: Serves) -> None:
    taken = serve(probes()).port

    with pytest.raises(ConfigurationError, match=r"cannot listen.*server\.port"):
        StatusServer("127.0.0.1", taken, CollectorRegistry(), probes())
