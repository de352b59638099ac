"""Who says that a thread is stuck, and where, while it is?"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from streamer.observability.server import where_is

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
STUCK_AFTER_S = 15.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A thread that should turn: its name, its id once it runs, and the age of its last turn."""

    name: str
    ident: Callable[[], int | None]
    age_s: Callable[[], float]


class Watchdog:
    """Logs once for each time that a watched thread is stuck, with the lines it stands at."""

    def __init__(self, watched: tuple[Watched, ...], look_every_s: float = LOOK_EVERY_S) -> None:
        self._watched = watched
        self._look_every_s = look_every_s
        self._said: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._look_every_s):
            self.look()

    def look(self) -> None:
        """Look at each thread once."""
        for thread in self._watched:
            age_s = thread.age_s()
            if age_s < STUCK_AFTER_S:
                self._said.discard(thread.name)
            elif thread.name not in self._said:
                self._said.add(thread.name)
                where = where_is(thread.ident())
                log.error("thread_stuck", thread=thread.name, seconds=round(age_s), at=where)
