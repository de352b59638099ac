"""When does the watchdog say that a thread is stuck, and how often?"""

import threading

from structlog.testing import capture_logs

from streamer.observability.watchdog import STUCK_AFTER_S, Watchdog, Watched


class Aged:
    """A watched thread whose age is set by the test; it stands in the test itself."""

    def __init__(self, name: str) -> None:
        self.age_s = 0.0
        self.watched = Watched(name, threading.get_ident, lambda: self.age_s)


def test_a_thread_that_stands_still_is_told_once_with_the_lines_it_stands_at() -> None:
    loop, poll = Aged("event loop"), Aged("poll thread")
    watchdog = Watchdog((loop.watched, poll.watched))
    with capture_logs() as logs:
        watchdog.look()
        assert logs == []
        poll.age_s = STUCK_AFTER_S
        watchdog.look()
        watchdog.look()

    [told] = logs
    assert (told["event"], told["thread"], told["seconds"]) == ("thread_stuck", "poll thread", 15)
    assert told["log_level"] == "error"
    assert "test_a_thread_that_stands_still" in told["at"]


def test_a_thread_that_turned_in_between_is_told_again() -> None:
    loop = Aged("event loop")
    watchdog = Watchdog((loop.watched,))
    with capture_logs() as logs:
        for age_s in (20.0, 0.1, 20.0):
            loop.age_s = age_s
            watchdog.look()

    assert len(logs) == 2


def test_it_looks_by_itself_until_it_is_stopped() -> None:
    seen = threading.Event()

    def age_s() -> float:
        seen.set()
        return 0.0

    watchdog = Watchdog((Watched("event loop", lambda: None, age_s),), look_every_s=0.001)
    watchdog.start()
    assert seen.wait(10)
    watchdog.stop()
