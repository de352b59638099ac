"""Whose fault is a refused token, and who waits for it?"""

import pytest

from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.delivery.tokens import PROBE_EVERY_S, TOKEN_CALLS_MOST, TOKENS_KEPT, TokenBook


class Desk:
    """A book whose token calls are answered by hand."""

    def __init__(self, shared: bool = False) -> None:
        self.now = 0.0
        self.timers = Timers()
        self.asked: list[str] = []
        self.readied: list[str] = []
        pauses = Backoff(2.0, 60.0, lambda: 1.0)
        self.rejections: list[tuple[str, str]] = []
        self.book = TokenBook(
            shared,
            self.timers,
            pauses,
            self.asked.append,
            self.readied.append,
            lambda scope, why: self.rejections.append((scope, why)),
        )

    def token(self, instance: str) -> str | None:
        return self.book.token(instance, self.now)

    def take_asked(self) -> list[str]:
        asked, self.asked[:] = self.asked[:], []
        return asked

    def grant(self, instance: str, token: str = "t", life_s: float | None = 100.0) -> None:
        self.book.granted(instance, token, life_s, self.now)

    def refuse(self, instance: str) -> None:
        self.book.refused(instance, "401 invalid_client", self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.timers.next_due) is not None and due <= end:
            self.now = max(self.now, due)
            self.timers.fire(self.now)
        self.now = end


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_one_call_is_made_however_many_wait(desk: Desk) -> None:
    assert [desk.token("a") for _ in range(5)] == [None] * 5
    assert desk.take_asked() == ["a"]
    desk.grant("a")
    assert desk.readied == ["a"]
    assert desk.token("a") == "t"


def test_a_token_is_renewed_before_it_expires_and_serves_meanwhile(desk: Desk) -> None:
    desk.token("a")
    desk.grant("a", "old", 100.0)
    desk.take_asked()
    desk.now = 89.0
    assert desk.token("a") == "old"
    assert desk.take_asked() == []
    desk.now = 91.0
    assert desk.token("a") == "old"
    assert desk.take_asked() == ["a"]
    desk.grant("a", "new")
    assert desk.token("a") == "new"


def test_an_expired_token_is_not_used(desk: Desk) -> None:
    desk.token("a")
    desk.grant("a", "old", 10.0)
    desk.now = 10.0
    assert desk.token("a") is None


def test_one_ready_token_serves_every_instance() -> None:
    desk = Desk(shared=True)
    desk.token("a")
    assert desk.take_asked() == [""]
    desk.grant("", "ready", None)
    assert desk.token("b") == "ready"
    assert desk.take_asked() == []


def test_a_refused_ready_token_is_held_until_another_is_there() -> None:
    desk = Desk(shared=True)
    desk.token("a")
    desk.grant("", "ready", None)
    desk.take_asked()
    desk.book.rejected("a", "ready", desk.now)
    assert desk.take_asked() == [""], "the secret may have been rotated: it is read again"
    desk.grant("", "ready", None)
    assert desk.token("b") is None
    assert [scope for scope, _ in desk.rejections] == [""], "a person hears of it"
    desk.wait(60.0)
    assert desk.take_asked() == [""]
    desk.grant("", "rotated", None)
    assert desk.token("b") == "rotated"


def test_at_most_sixteen_token_calls_run_at_once(desk: Desk) -> None:
    for number in range(40):
        desk.token(f"i{number}")
    assert len(desk.take_asked()) == TOKEN_CALLS_MOST
    desk.grant("i0")
    assert len(desk.take_asked()) == 1


def test_an_instance_that_is_refused_while_another_is_granted_is_held_alone(desk: Desk) -> None:
    for instance in ("fine", "gone"):
        desk.token(instance)
    desk.take_asked()
    desk.grant("fine")
    desk.refuse("gone")
    assert desk.take_asked() == ["fine"], "the probe: is it the app?"
    desk.grant("fine", "newer")
    assert desk.book.state.app_held == ""
    assert list(desk.book.state.held) == ["gone"]
    assert desk.token("other") is None
    assert desk.take_asked() == ["other"]
    desk.wait(60.0)
    assert desk.take_asked() == ["gone"], "it is asked again after a while"


def test_a_rotated_secret_is_the_apps_fault_and_only_the_probe_calls(desk: Desk) -> None:
    for instance in ("fine", "a"):
        desk.token(instance)
    desk.take_asked()
    desk.grant("fine", life_s=10_000.0)
    desk.refuse("a")
    assert desk.take_asked() == ["fine"]
    desk.refuse("fine")
    assert desk.book.state.app_held == "401 invalid_client"
    for instance in ("b", "c"):
        assert desk.token(instance) is None
    assert desk.take_asked() == []
    assert desk.token("fine") == "t", "a token that the endpoint still accepts goes on"

    desk.wait(PROBE_EVERY_S)
    assert desk.take_asked() == ["fine"]
    desk.grant("fine", "new", 10_000.0)
    assert sorted(desk.take_asked()) == ["a", "b", "c"]


def test_the_only_instance_that_is_refused_is_the_apps_fault(desk: Desk) -> None:
    desk.token("a")
    desk.take_asked()
    desk.refuse("a")
    assert desk.book.state.app_held
    desk.wait(PROBE_EVERY_S)
    assert desk.take_asked() == ["a"]
    desk.grant("a")
    assert desk.book.state.app_held == ""
    assert desk.token("a") == "t"


def test_a_probe_that_is_not_answered_does_not_end_the_probing(desk: Desk) -> None:
    desk.token("a")
    desk.take_asked()
    desk.refuse("a")
    for _ in range(5):
        desk.wait(PROBE_EVERY_S)
        assert desk.take_asked() == ["a"]
        desk.book.unavailable("a", "down", None, desk.now)


def test_at_most_one_probe_of_the_app_runs_within_half_a_minute(desk: Desk) -> None:
    desk.token("fine")
    desk.grant("fine")
    for number in range(8):
        desk.token(f"gone{number}")
    desk.take_asked()
    for number in range(8):
        desk.refuse(f"gone{number}")
    assert desk.take_asked() == ["fine"]


def test_a_token_call_without_an_answer_is_made_again_after_a_pause(desk: Desk) -> None:
    desk.token("a")
    desk.take_asked()
    desk.book.unavailable("a", "down", None, desk.now)
    assert desk.take_asked() == []
    desk.wait(2.0)
    assert desk.take_asked() == ["a"]


def test_a_401_for_an_older_token_changes_nothing(desk: Desk) -> None:
    desk.token("a")
    desk.grant("a", "old", 10.0)
    desk.now = 9.5
    desk.token("a")
    desk.grant("a", "new")
    desk.take_asked()
    desk.book.rejected("a", "old", desk.now)
    assert desk.token("a") == "new"
    assert desk.take_asked() == []


def test_only_the_newest_instances_tokens_are_kept(desk: Desk) -> None:
    for number in range(TOKENS_KEPT + 50):
        desk.token(f"i{number}")
        desk.grant(f"i{number}")
    desk.take_asked()
    assert desk.token("i0") is None
    assert desk.take_asked() == ["i0"]
    assert desk.token(f"i{TOKENS_KEPT + 49}") == "t"


def test_a_probe_that_gets_the_refused_token_again_ends_the_hold_of_the_app(desk: Desk) -> None:
    desk.token("a")
    desk.grant("a", "stale")
    desk.book.rejected("a", "stale", desk.now)
    desk.take_asked()
    desk.refuse("a")
    assert desk.book.state.app_held
    desk.wait(PROBE_EVERY_S)
    assert "a" in desk.take_asked()
    desk.grant("a", "stale")  # the token service keeps it until it expires
    assert not desk.book.state.app_held
    desk.wait(120.0)
    assert desk.take_asked()
    desk.grant("a", "fresh")
    assert desk.token("a") == "fresh"
