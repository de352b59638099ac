"""Whose fault is a refused token, and who waits for it?"""

import gc
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.delivery.token_calls import (
    AGAIN_LEAST,
    AGAIN_MOST,
    TOKEN_CALLS_MOST,
    TokenCalls,
)
from streamer.delivery.token_faults import PROBE_EVERY_S
from streamer.delivery.tokens import (
    SAME_APART_S,
    TOKENS_KEPT,
    TRIED_APART_S,
    TRIES_APART_S,
    UNKNOWN_AFTER_S,
    TokenBook,
    UnknownInstance,
)


class Desk:
    """A book whose token calls are answered by hand."""

    def __init__(
        self, shared: bool = False, policy: UnknownInstance = UnknownInstance.DEAD_LETTER
    ) -> None:
        self.now = 0.0
        self.timers = Timers()
        self.asked: list[str] = []
        self.readied: list[str] = []
        pauses = Backoff(2.0, 60.0, lambda: 1.0)
        self.rejections: list[tuple[str, str]] = []
        self.unknown: list[str] = []
        self.app_news: list[str] = []
        self.unwanted: set[str] = set()
        self.book = TokenBook(
            shared,
            self.timers,
            pauses,
            self.asked.append,
            self.readied.append,
            lambda scope, why: self.rejections.append((scope, why)),
            is_wanted=lambda scope: scope not in self.unwanted,
            policy=policy,
            unknown=lambda scope, why, now: self.unknown.append(scope),
            tell_app=self.app_news.append,
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

    def reject(self, instance: str, token: str, began: float | None = None) -> None:
        """A call that began then, or now, is answered 401."""
        self.book.rejected(instance, token, self.now if began is None else began, self.now)

    def take(self, instance: str, token: str, began: float | None = None) -> None:
        """The endpoint takes a call that began then, or now."""
        self.book.worked(instance, token, self.now if began is None else began)

    def hang(self, instance: str) -> None:
        """Its token call ends by its time-out."""
        late = self.now + 10.0
        self.timers.at(late, lambda now: self.book.unavailable(instance, "no answer", None, now))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.timers.next_due) is not None and due <= end:
            self.now = max(self.now, due)
            self.timers.fire(self.now)
        self.now = end

    def run(self, seconds: float, answer: Callable[[str], None]) -> int:
        """Let time pass; each token call is answered at once. Gives how many there were."""
        calls = 0
        end = self.now + seconds
        while True:
            while asked := self.take_asked():
                calls += len(asked)
                for instance in asked:
                    answer(instance)
            due = self.timers.next_due
            if due is None or due > end:
                self.now = end
                return calls
            self.now = max(self.now, due)
            self.timers.fire(self.now)


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


def desk_with_a_refused_ready_token() -> Desk:
    desk = Desk(shared=True)
    desk.token("a")
    desk.grant("", "ready", None)
    desk.take_asked()
    desk.reject("a", "ready")
    assert desk.take_asked() == [""], "the secret may have been rotated: it is read again"
    desk.grant("", "ready", None)
    assert desk.token("a") is None, "it is held"
    assert [scope for scope, _ in desk.rejections] == [""], "a person hears of it"
    return desk


def test_a_refused_ready_token_is_read_again_and_tried_again_after_a_pause() -> None:
    desk = desk_with_a_refused_ready_token()
    desk.wait(2.0)
    assert desk.take_asked() == [""]
    desk.readied.clear()
    desk.grant("", "ready", None)
    assert desk.readied == [""]
    assert desk.token("b") == "ready", "the 401 may have been a gateway's"
    desk.take("b", "ready")
    desk.wait(3600.0)
    assert desk.token("a") == "ready"
    assert desk.take_asked() == []
    assert len(desk.rejections) == 1


def test_a_secret_that_was_rotated_during_the_pause_is_used_after_it() -> None:
    desk = desk_with_a_refused_ready_token()
    desk.wait(2.0)
    assert desk.take_asked() == [""]
    desk.grant("", "rotated", None)
    assert desk.token("b") == "rotated"


def test_a_token_service_that_gives_the_same_token_until_it_ends_holds_nobody_for_one_401(
    desk: Desk,
) -> None:
    desk.token("a")
    desk.grant("a", "same", 14_400.0)
    desk.take_asked()
    desk.reject("a", "same")
    desk.run(10.0, lambda instance: desk.grant(instance, "same", 14_400.0))
    assert desk.token("a") == "same"


def test_a_ready_token_that_is_refused_for_good_is_read_and_tried_once_a_pause() -> None:
    desk = desk_with_a_refused_ready_token()
    tried: list[float] = []
    read = 0
    for _ in range(3600):
        for site in range(50):
            if (token := desk.token(f"s{site}")) is not None:
                tried.append(desk.now)
                desk.reject(f"s{site}", token)
        read += desk.run(1.0, lambda instance: desk.grant(instance, "ready", None))
    assert 60 <= len(tried) <= 75, "once a minute in the end"
    assert abs(read - len(tried)) <= 1, "before each try the secret is read again"
    assert tried[-1] - tried[-2] >= 60.0


def test_after_a_401_one_call_tries_the_token_and_the_others_wait_for_its_answer() -> None:
    desk = desk_with_a_refused_ready_token()
    desk.wait(2.0)
    desk.grant("", "ready", None)
    assert desk.token("a") == "ready"
    assert [desk.token(f"s{site}") for site in range(50)] == [None] * 50
    assert "one call tries" in desk.book.why_held("s0")
    desk.readied.clear()
    desk.take("a", "ready")
    assert desk.readied == [""], "they may go on"
    assert [desk.token(f"s{site}") for site in range(50)] == ["ready"] * 50
    assert desk.book.why_held("s0") == ""


def test_a_token_that_was_granted_after_a_try_failed_is_tried_without_another_wait() -> None:
    desk = desk_with_a_refused_ready_token()
    desk.wait(2.0)
    desk.grant("", "ready", None)
    assert desk.token("a") == "ready"
    desk.reject("a", "ready")
    desk.wait(4.0)
    desk.grant("", "ready", None)
    assert desk.token("b") == "ready"


def test_a_call_that_tells_nothing_of_the_token_keeps_the_others_for_a_bounded_time() -> None:
    desk = desk_with_a_refused_ready_token()
    desk.wait(2.0)
    desk.grant("", "ready", None)
    assert desk.token("hangs") == "ready"
    desk.readied.clear()
    desk.wait(TRIED_APART_S)
    assert desk.readied == [""]
    assert desk.token("b") == "ready"
    assert desk.token("c") is None, "one at a time"


def desk_that_tries_a_ready_token() -> Desk:
    """`a` has it for a call that begins now."""
    desk = desk_with_a_refused_ready_token()
    desk.wait(2.0)
    desk.take_asked()
    desk.grant("", "ready", None)
    assert desk.token("a") == "ready"
    desk.readied.clear()
    return desk


def test_a_try_that_is_not_made_leaves_it_to_the_next_lane_at_once() -> None:
    desk = desk_that_tries_a_ready_token()
    assert desk.token("b") is None
    desk.book.not_used("a", "ready", desk.now)
    assert desk.token("b") == "ready"
    assert desk.token("c") is None, "one at a time"


def test_lanes_that_wait_for_a_try_that_is_not_made_hear_of_it() -> None:
    desk = desk_that_tries_a_ready_token()
    desk.book.not_used("a", "ready", desk.now)
    desk.wait(0.0)
    assert desk.readied == [""]


def test_a_try_that_tells_nothing_is_followed_by_the_next_soon() -> None:
    desk = desk_that_tries_a_ready_token()
    began = desk.now
    desk.wait(0.1)
    desk.book.told_nothing("a", "ready", began, desk.now)
    assert desk.token("b") is None, "not each time thousands of lanes for a refused connection"
    desk.wait(TRIES_APART_S - 0.1)
    assert desk.readied == [""]
    assert desk.token("b") == "ready"
    assert desk.token("c") is None, "one at a time"


def test_a_try_that_tells_nothing_after_a_while_is_followed_by_the_next_at_once() -> None:
    desk = desk_that_tries_a_ready_token()
    began = desk.now
    desk.wait(3.0)
    desk.book.told_nothing("a", "ready", began, desk.now)
    assert desk.token("b") == "ready"


def test_a_call_from_before_the_try_that_tells_nothing_does_not_end_it() -> None:
    desk = desk_that_tries_a_ready_token()
    began = desk.now
    desk.wait(3.0)
    desk.book.told_nothing("b", "ready", began - 1.0, desk.now)
    assert desk.token("b") is None
    desk.wait(TRIED_APART_S - 3.0)
    assert desk.token("b") == "ready"
    desk.book.told_nothing("a", "ready", began, desk.now)
    assert desk.token("c") is None, "it hung, and another one tries by now"


# --- stray 401s -------------------------------------------------------------------------------


def desk_with_a_ready_token() -> Desk:
    desk = Desk(shared=True)
    desk.token("a")
    desk.grant("", "ready", None)
    desk.take_asked()
    desk.wait(100.0)
    desk.readied.clear()
    return desk


def test_a_call_that_began_after_the_refused_one_and_is_taken_gives_the_token_back_to_all() -> None:
    desk = desk_with_a_ready_token()
    desk.reject("a", "ready", began=99.0)
    assert desk.token("b") is None
    assert desk.take_asked() == [""], "it may have been rotated"
    desk.take("b", "ready", began=99.5)
    assert desk.readied == [""]
    assert [desk.token(f"s{site}") for site in range(50)] == ["ready"] * 50


def test_a_401_tells_nothing_of_a_token_that_a_later_call_was_taken_with() -> None:
    desk = desk_with_a_ready_token()
    desk.take("b", "ready", began=99.5)
    desk.reject("a", "ready", began=99.0)
    assert [desk.token(f"s{site}") for site in range(50)] == ["ready"] * 50
    assert desk.take_asked() == [""], "it may have been rotated"


def test_a_call_that_began_before_the_refused_one_does_not_show_that_its_token_is_good() -> None:
    desk = desk_with_a_ready_token()
    desk.take("b", "ready", began=98.0)
    desk.reject("a", "ready", began=99.0)
    desk.take("b", "ready", began=98.5)
    assert desk.token("b") is None
    assert desk.readied == []


def test_of_several_calls_that_were_refused_the_last_to_begin_counts() -> None:
    desk = desk_with_a_ready_token()
    desk.reject("a", "ready", began=98.0)
    desk.reject("b", "ready", began=99.5)
    desk.reject("c", "ready", began=97.0)
    desk.take("d", "ready", began=99.0)
    assert desk.token("d") is None


def test_a_call_with_an_older_token_does_not_end_the_try_of_a_new_one() -> None:
    desk = desk_with_a_ready_token()
    desk.reject("a", "ready", began=99.0)
    desk.grant("", "new", None)
    assert desk.token("a") == "new"
    desk.take("b", "ready", began=98.0)
    assert desk.token("b") is None
    desk.take("b", "older", began=99.5)
    assert desk.token("b") is None


def test_a_stray_401_puts_a_new_token_beyond_doubt_too() -> None:
    desk = desk_with_a_ready_token()
    desk.reject("a", "ready", began=99.0)
    desk.grant("", "new", None)
    assert desk.token("a") == "new"
    assert desk.token("b") is None
    desk.take("b", "ready", began=99.5)
    assert desk.token("b") == "new"


def test_a_token_that_ended_meanwhile_is_not_given_back() -> None:
    desk = Desk(shared=True)
    desk.token("a")
    desk.grant("", "old", 100.0)
    desk.wait(99.0)
    desk.reject("a", "old", began=98.0)
    desk.wait(1.0)
    desk.take("b", "old", began=98.5)
    assert desk.token("b") is None


def test_a_token_that_is_revoked_is_given_back_no_more_once_calls_begin_to_be_refused() -> None:
    """Calls of one second each; of those under way when it is revoked every other is taken."""
    desk = desk_with_a_ready_token()
    revoked_at, refused = desk.now + 0.5, 0
    for step in range(100):
        began = revoked_at - 1.0 + step / 50
        desk.wait(max(0.0, began + 1.0 - desk.now))
        if step % 2 and began < revoked_at:
            desk.take(f"s{step}", "ready", began)
        else:
            desk.reject(f"s{step}", "ready", began)
        refused += desk.token("x") is None
    assert desk.token("x") is None
    assert refused >= 75
    assert len(desk.take_asked()) == 1


def test_stray_401s_again_and_again_keep_nobody_waiting_for_ten_seconds() -> None:
    desk = desk_with_a_refused_ready_token()
    asked = 0
    for _ in range(20):
        waited = 0.0
        while (token := desk.token("a")) is None:
            asked += desk.run(0.1, lambda _: desk.grant("", "ready", None))
            waited += 0.1
        assert waited <= 2 * 2.0 + SAME_APART_S, "a pause, and what is between two askings"
        desk.take("a", token)
        desk.now += 0.1
        desk.reject("a", token)
    assert asked <= 3 * 20


def test_a_service_that_gives_the_same_token_again_is_not_asked_for_each_stray_401() -> None:
    desk = desk_with_a_ready_token()
    asked = 0
    for _ in range(6000):
        began = desk.now
        asked += desk.run(0.01, lambda _: desk.grant("", "ready", None))
        assert desk.token("a") == "ready"
        desk.take("b", "ready", began)
        desk.reject("a", "ready", began)
    assert asked <= 60 / SAME_APART_S + 1


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
    assert desk.book.state.held == 1
    assert desk.book.why_held("gone") == "401 invalid_client"
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
    assert desk.book.state.held == 0, "who was refused waits for the app, and has no pause"
    for instance in ("b", "c"):
        assert desk.token(instance) is None
    assert desk.take_asked() == []
    assert desk.token("fine") == "t", "a token that the endpoint still accepts goes on"

    assert desk.app_news == ["401 invalid_client"], "a person hears of it once"
    desk.wait(PROBE_EVERY_S)
    (probe,) = desk.take_asked()
    desk.refuse(probe)
    desk.wait(PROBE_EVERY_S)
    (probe,) = desk.take_asked()
    desk.grant(probe, "new", 10_000.0)
    assert desk.app_news[-1] == ""
    assert sorted([probe, *desk.take_asked()]) == ["a", "b", "c"]


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
    desk.reject("a", "old")
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
    desk.reject("a", "stale")
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


def test_a_site_that_is_gone_and_was_granted_last_does_not_hold_the_app_for_long(
    desk: Desk,
) -> None:
    desk.token("only")
    desk.grant("only")
    desk.take_asked()
    desk.reject("only", "t")
    desk.run(1.0, desk.refuse)
    assert desk.book.state.app_held, "there is no other to tell it from"
    desk.token("new")

    def answer(instance: str) -> None:
        desk.grant("new") if instance == "new" else desk.refuse("only")

    desk.run(2 * PROBE_EVERY_S, answer)
    assert desk.book.state.app_held == ""
    assert desk.token("new") == "t"


# --- unknown instances ------------------------------------------------------------------------


def answers_but(desk: Desk, gone: str) -> Callable[[str], None]:
    return lambda instance: desk.refuse(instance) if instance == gone else desk.grant(instance)


def desk_with_one_gone(policy: UnknownInstance = UnknownInstance.DEAD_LETTER) -> Desk:
    desk = Desk(policy=policy)
    desk.token("fine")
    desk.grant("fine")
    desk.take_asked()
    desk.token("gone")
    return desk


def test_an_instance_refused_three_times_over_five_minutes_by_its_own_fault_is_unknown() -> None:
    desk = desk_with_one_gone()
    answer = answers_but(desk, "gone")
    calls = desk.run(UNKNOWN_AFTER_S - 1.0, answer)
    assert desk.unknown == []
    assert not desk.book.is_unknown("gone")
    calls += desk.run(2 * PROBE_EVERY_S + 72.0, answer)
    assert desk.unknown == ["gone"]
    assert desk.book.is_unknown("gone")
    assert desk.book.state.unknown == 1
    assert desk.book.state.held == 0
    assert calls <= 8, "four for the instance, and the probes that tell it from the app"


def test_an_unknown_instance_is_asked_again_while_reports_come_until_it_is_granted_a_token() -> (
    None
):
    desk = desk_with_one_gone()
    answer = answers_but(desk, "gone")
    desk.run(500.0, answer)
    assert desk.book.is_unknown("gone")
    assert desk.run(7200.0, answer) == 0, "nobody asks for it"

    calls = 0
    for _ in range(7200):
        assert desk.token("gone") is None
        assert desk.book.is_unknown("gone"), "meanwhile too: what comes is settled at once"
        calls += desk.run(1.0, answer)
    assert 7200 // 900 <= calls <= 7200 // 600 + 1
    assert desk.unknown == ["gone"]

    desk.wait(900.0)
    desk.token("gone")
    desk.run(1.0, desk.grant)
    assert not desk.book.is_unknown("gone")
    assert desk.book.state.unknown == 0
    assert desk.token("gone") == "t"


def test_hold_keeps_an_instance_that_is_refused_for_ever_and_asks_again() -> None:
    desk = desk_with_one_gone(UnknownInstance.HOLD)
    calls = desk.run(24 * 3600.0, answers_but(desk, "gone"))
    assert not desk.book.is_unknown("gone")
    assert desk.unknown == []
    assert 24 * 3600 / 216 <= calls / 2 <= 24 * 3600 / 180 + 3
    desk.run(216.0, desk.grant)
    assert desk.token("gone") == "t"


def test_refusals_by_the_apps_fault_make_no_instance_unknown() -> None:
    desk = desk_with_one_gone()
    desk.token("other")
    calls = desk.run(24 * 3600.0, desk.refuse)
    assert desk.unknown == []
    assert calls <= 24 * 3600 / PROBE_EVERY_S + 3
    desk.run(60.0, desk.grant)
    assert desk.token("gone") == desk.token("other") == "t"


def test_refusals_before_a_grant_do_not_count_towards_unknown() -> None:
    desk = desk_with_one_gone()
    desk.run(200.0, answers_but(desk, "gone"))
    desk.run(200.0, desk.grant)
    desk.now += 200.0
    desk.token("gone")
    desk.run(200.0, answers_but(desk, "gone"))
    assert not desk.book.is_unknown("gone")


def test_a_token_that_still_works_serves_an_instance_whose_renewal_is_refused() -> None:
    desk = desk_with_one_gone()
    desk.grant("gone", life_s=100_000.0)
    desk.take_asked()
    desk.now = 99_800.0
    for _ in range(1000):
        assert desk.token("gone") == "t" or desk.now >= 100_000.0
        desk.run(1.0, answers_but(desk, "gone"))
    assert desk.book.is_unknown("gone")


# --- what a bad token answer costs ------------------------------------------------------------


@pytest.mark.parametrize("life_s", [-5.0, 0.0, 0.001, 1.0, 2.0, 5.0])
def test_tokens_that_end_at_once_are_made_a_few_times_a_minute(desk: Desk, life_s: float) -> None:
    asked = used = 0
    for _ in range(60_000):
        used += desk.token("a") is not None
        asked += desk.run(0.001, lambda instance: desk.grant(instance, life_s=life_s))
    assert asked <= 13, "at most two in ten seconds"
    assert used > 0


def test_tokens_that_the_endpoint_refuses_soon_are_made_a_few_times_a_minute(desk: Desk) -> None:
    made: list[float] = []

    def grant(instance: str) -> None:
        made.append(desk.now)
        desk.grant(instance, f"t{len(made)}", 14_400.0)

    for _ in range(60_000):
        token = desk.token("a")
        if token is not None and desk.now > made[-1] + 1.0:
            desk.reject("a", token)
        elif token is not None:
            desk.take("a", token)
        desk.run(0.001, grant)
    assert 6 <= len(made) <= 13


def test_a_token_that_ends_before_any_call_is_through_is_held_with_growing_pauses(
    desk: Desk,
) -> None:
    made: list[float] = []

    def grant(instance: str) -> None:
        made.append(desk.now)
        desk.grant(instance, f"t{len(made)}", 14_400.0)

    for _ in range(3600):
        if (token := desk.token("a")) is not None:
            desk.reject("a", token)
        desk.run(1.0, grant)
    assert 40 <= len(made) <= 80, "once a minute in the end"
    assert len(desk.rejections) >= 40, "a person hears of it"


def test_a_retry_after_of_a_year_is_kept_to_an_hour(desk: Desk) -> None:
    desk.token("a")
    desk.take_asked()
    desk.book.unavailable("a", "429", 365 * 86_400.0, desk.now)
    desk.wait(3600.0 + 60.0)
    assert desk.take_asked() == ["a"]


def test_where_nobody_answers_thousands_of_scopes_do_not_each_ask_again_and_again(
    desk: Desk,
) -> None:
    for number in range(5_000):
        desk.token(f"i{number}")
    down = desk.run(3600.0, lambda instance: desk.book.unavailable(instance, "503", None, desk.now))
    assert down <= 3600 / 60 * TOKEN_CALLS_MOST * 1.3
    desk.run(61.0, desk.grant)
    assert all(desk.token(f"i{number}") == "t" for number in range(5_000))


# --- token calls that hang --------------------------------------------------------------------


def desk_where_many_hang(hanging: int, each: int = 1) -> Desk:
    """Each had so many calls without an answer; the pause of all that they tried is over."""
    desk = Desk()
    calls: Counter[str] = Counter()

    def hang(instance: str) -> None:
        calls[instance] += 1
        desk.hang(instance)

    for number in range(hanging):
        desk.token(f"hangs{number}")
    while len(calls) < hanging or min(calls.values()) < each:
        desk.run(10.0, hang)
    desk.run(10.0 + 60.0, hang)
    return desk


@pytest.mark.parametrize("every_s", [0.7, 5.0, 60.0])
@pytest.mark.parametrize("hanging", [1, 4, 16, 17, 200, 1000])
def test_however_many_hang_a_new_instance_is_asked_for_at_once_after_its_first_time_peers(
    hanging: int, every_s: float
) -> None:
    desk = desk_where_many_hang(hanging)
    for number in range(200):
        desk.run(every_s, desk.hang)
        desk.token(f"new{number}")
        assert desk.take_asked() == [f"new{number}"]
        desk.grant(f"new{number}", life_s=100_000.0)


def test_who_had_no_answer_once_does_not_wait_for_hundreds_that_hang_each_time() -> None:
    desk = desk_where_many_hang(200, each=2)
    desk.token("other")
    desk.grant("other")
    desk.token("fine")
    assert {"other", "fine"} <= set(desk.asked)
    desk.asked.remove("other")
    desk.run(0.0, desk.hang)
    asked_at: list[float] = []

    def answer(instance: str) -> None:
        if instance == "fine":
            asked_at.append(desk.now)
        if instance.startswith("hangs"):
            desk.hang(instance)
        else:
            desk.grant(instance)

    began = desk.now
    for number in range(20):
        desk.token(f"new{number}")  # it is answered, so that there is no pause of all
        desk.run(5.0, answer)
    assert asked_at[0] - began <= 10.0 + 2.0 + 10.0, "its time-out, its pause, a free call"


@pytest.mark.parametrize("answer", [Desk.refuse, Desk.grant])
def test_who_was_answered_again_does_not_wait_for_those_that_hang(
    desk: Desk, answer: Callable[[Desk, str], None]
) -> None:
    desk.token("other")
    desk.grant("other", life_s=100_000.0)
    hanging = [f"hangs{number}" for number in range(AGAIN_LEAST + 1)]
    for instance in ("fine", *hanging):
        desk.token(instance)
        desk.book.unavailable(instance, "no answer", None, desk.now)
    desk.take_asked()
    desk.wait(2.0)
    assert desk.take_asked() == ["fine", *hanging[: AGAIN_LEAST - 1]]
    answer(desk, "fine")
    assert hanging[AGAIN_LEAST - 1] in desk.asked, "its place is free for another"
    if "other" in desk.take_asked():
        desk.grant("other", life_s=100_000.0)  # the probe: the refusal was its own
    desk.wait(100.0)
    desk.token("fine")
    assert "fine" in desk.take_asked()


class Calls:
    """Token calls that run; each is ended by hand."""

    def __init__(self) -> None:
        self.calls = TokenCalls(Backoff(2.0, 60.0, lambda: 1.0))
        self.number = 0

    def start_all(self, silences: int = 1) -> list[str]:
        """As many as may at once."""
        started = []
        while self.calls.may_start(silences, 0.0):
            self.number += 1
            started.append(f"i{self.number}")
            self.calls.start(started[-1], silences, 0.0)
        return started


def test_scopes_without_an_answer_have_four_calls_at_once_and_more_while_they_are_answered() -> (
    None
):
    calls = Calls()
    running = calls.start_all()
    assert len(running) == AGAIN_LEAST
    for _ in range(50):
        calls.calls.answered(running.pop())
        running += calls.start_all()
    assert len(running) == AGAIN_MOST
    assert len(calls.start_all(silences=0)) == TOKEN_CALLS_MOST - AGAIN_MOST, "for the others"
    calls.calls.unavailable(running.pop(), 0.0)
    assert calls.start_all() == []
    for name in running[: AGAIN_MOST - AGAIN_LEAST]:
        calls.calls.unavailable(name, 0.0)
    assert len(calls.start_all()) == 1


def test_only_scopes_without_an_answer_have_fewer_calls() -> None:
    assert len(Calls().start_all(silences=0)) == TOKEN_CALLS_MOST


def test_while_all_pause_one_more_scope_may_ask_and_its_answer_ends_the_pause(
    desk: Desk,
) -> None:
    for number in range(TOKEN_CALLS_MOST):
        desk.token(f"down{number}")
    for instance in desk.take_asked():
        desk.book.unavailable(instance, "503", None, desk.now)
    assert desk.book.nobody_answers(desk.now)
    for name in ("new", "newer"):
        desk.token(name)
    assert desk.take_asked() == ["new"]
    desk.grant("new")
    assert not desk.book.nobody_answers(desk.now)
    assert desk.take_asked() == ["newer"]


# --- many instances ---------------------------------------------------------------------------


def test_what_is_kept_is_what_was_used_last(desk: Desk) -> None:
    desk.token("busy")
    desk.grant("busy")
    for number in range(2 * TOKENS_KEPT):
        desk.token(f"i{number}")
        desk.grant(f"i{number}")
        assert desk.token("busy") == "t"


def test_no_token_is_asked_for_that_nobody_waits_for_when_its_turn_comes(desk: Desk) -> None:
    names = [f"i{number}" for number in range(TOKEN_CALLS_MOST + 5)]
    for name in names:
        desk.token(name)
    first = desk.take_asked()
    desk.unwanted.update(names[-5:-1])
    desk.grant(first[0])
    assert desk.take_asked() == [names[-1]]
    assert set(names[-5:-1]) <= set(desk.readied), "their lanes may be forgotten"


def test_a_renewal_does_not_wait_for_thousands_of_new_names(desk: Desk) -> None:
    desk.token("a")
    desk.grant("a", life_s=100.0)
    for number in range(10_000):
        desk.token(f"junk{number}")
    desk.take_asked()
    desk.now = 95.0
    assert desk.token("a") == "t"
    desk.grant("junk0")
    desk.grant("junk1")
    assert "a" in desk.take_asked()


def steps_of(action: Callable[[], object]) -> int:
    """How many lines of Python the action runs: a measure that no other process disturbs."""
    steps = 0

    def trace(frame: object, event: str, arg: object) -> object:
        nonlocal steps
        steps += event == "line"
        return trace

    gc.disable()  # a collection calls back what others have registered
    sys.settrace(trace)  # type: ignore[arg-type]  # its return type has no name
    try:
        action()
    finally:
        sys.settrace(None)
        gc.enable()
    return steps


@pytest.mark.parametrize("many", [100, 20_000])
def test_no_fact_costs_more_because_many_scopes_wait(many: int) -> None:
    desk = Desk()
    desk.token("fine")
    desk.grant("fine")
    desk.token("fine2")
    desk.grant("fine2")
    desk.take_asked()
    for number in range(many):
        desk.token(f"i{number}")
    asked = desk.take_asked()
    assert steps_of(lambda: desk.token("new")) < 70
    assert steps_of(lambda: desk.token("fine")) < 30
    assert steps_of(lambda: desk.book.state) < 10
    assert steps_of(lambda: desk.grant(asked[0])) < 150
    assert steps_of(lambda: desk.refuse(asked[1])) < 150
    assert steps_of(lambda: desk.book.unavailable(asked[2], "503", None, desk.now)) < 150
    probe = desk.take_asked()[-1]
    assert steps_of(lambda: desk.refuse(probe)) < 150
    assert steps_of(lambda: desk.token("newer")) < 70
    assert steps_of(lambda: desk.wait(PROBE_EVERY_S)) < 300


def test_a_hundred_thousand_instances_seen_leave_ten_thousand_remembered(desk: Desk) -> None:
    for number in range(100_000):
        name = f"i{number}"
        desk.token(name)
        for asked in desk.take_asked():
            if number % 3 == 0:
                desk.book.unavailable(asked, "503", None, desk.now)
                desk.unwanted.add(asked)
            else:
                desk.grant(asked)
        desk.now += 0.001
    desk.unwanted.update(f"i{number}" for number in range(100_000))
    desk.run(3600.0, desk.grant)
    assert desk.book.state.held == 0
    assert desk.book.remembered <= TOKENS_KEPT


def test_a_renewal_on_its_way_is_waited_for_when_its_old_token_is_refused_too(desk: Desk) -> None:
    desk.token("a")
    desk.grant("a", "one", 100.0)
    desk.reject("a", "one")
    desk.grant("a", "two", 100.0)
    desk.take_asked()
    desk.now = 95.0
    desk.token("a")
    assert desk.take_asked() == ["a"]
    desk.reject("a", "two")
    desk.wait(60.0)
    assert desk.take_asked() == [], "never two calls of one instance"
    desk.grant("a", "three")
    assert desk.token("a") == "three"
