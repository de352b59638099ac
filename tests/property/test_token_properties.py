"""What must always hold of the book of tokens, whatever is asked and however it is answered."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.delivery.retry import Backoff
from streamer.delivery.timers import Timers
from streamer.delivery.token_calls import TOKEN_CALLS_MOST
from streamer.delivery.tokens import TokenBook, UnknownInstance
from tests.effort import examples

INSTANCES = [f"i{number}" for number in range(24)]
PAUSE_MOST_S = 3600.0 + 60.0
"""The longest that a `Retry-After` can make anything wait, with the pause on top."""


class BookMachine(RuleBasedStateMachine):
    """The sender's part is played as it plays it: whoever is given no token waits until `ready`,
    or is settled where the instance is unknown."""

    policy = UnknownInstance.DEAD_LETTER

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.timers = Timers()
        self.waiting: set[str] = set()
        self.on_the_way: list[str] = []
        self.calls_of_held_app = 0
        self.serial = 0
        self.in_use: dict[str, tuple[str, float]] = {}
        """The token of the call that each began last, and when."""
        self.book = TokenBook(
            False,
            self.timers,
            Backoff(2.0, 60.0, self._draw),
            self._ask,
            self._ready,
            lambda scope, why: None,
            is_wanted=lambda scope: scope in self.waiting,
            policy=self.policy,
            unknown=self._unknown,
            tell_app=self._app,
        )

    def _draw(self) -> float:
        self.serial += 1
        return (self.serial * 0.618) % 1.0

    # --- what the book calls ---------------------------------------------------------------------

    def _ask(self, scope: str) -> None:
        assert scope not in self.on_the_way, "never two calls for one scope"
        self.on_the_way.append(scope)
        assert len(self.on_the_way) <= TOKEN_CALLS_MOST
        if self.book.state.app_held:
            self.calls_of_held_app += 1
            assert self.calls_of_held_app <= 1, "while the app is held only the probe calls"

    def _ready(self, scope: str) -> None:
        self.waiting.discard(scope)

    def _unknown(self, scope: str, why: str, now: float) -> None:
        assert self.policy is not UnknownInstance.HOLD
        assert self.book.is_unknown(scope)
        assert why
        self.waiting.discard(scope)

    def _app(self, why: str) -> None:
        assert why == self.book.state.app_held
        self.calls_of_held_app = 0

    # --- what happens ----------------------------------------------------------------------------

    def _use(self, instance: str) -> None:
        token = self.book.token(instance, self.now)
        if token is not None:
            self.in_use[instance] = (token, self.now)
        elif not self.book.is_unknown(instance):
            self.waiting.add(instance)

    @rule(instance=st.sampled_from(INSTANCES))
    def sends(self, instance: str) -> None:
        self._use(instance)

    @rule()
    def all_send(self) -> None:
        for instance in INSTANCES:
            self._use(instance)

    @rule(instance=st.sampled_from(INSTANCES))
    def nobody_waits_any_more(self, instance: str) -> None:
        self.waiting.discard(instance)

    def _answered(self, number: int) -> str:
        scope = self.on_the_way.pop(number % len(self.on_the_way))
        self.calls_of_held_app = 0
        return scope

    @precondition(lambda self: self.on_the_way)
    @rule(number=st.integers(0, 15), life_s=st.sampled_from([-1.0, 0.0, 1.0, 60.0, 14_400.0, None]))
    def is_granted(self, number: int, life_s: float | None) -> None:
        scope = self._answered(number)
        self.serial += 1
        self.book.granted(scope, f"token-{self.serial}", life_s, self.now)

    @precondition(lambda self: self.on_the_way)
    @rule(number=st.integers(0, 15))
    def is_granted_the_same_again(self, number: int) -> None:
        scope = self._answered(number)
        self.book.granted(scope, self.in_use.get(scope, ("t", 0.0))[0], 14_400.0, self.now)

    @precondition(lambda self: self.on_the_way)
    @rule(number=st.integers(0, 15))
    def is_refused(self, number: int) -> None:
        self.book.refused(self._answered(number), "invalid_client", self.now)

    @precondition(lambda self: self.on_the_way)
    @rule(number=st.integers(0, 15), wait_s=st.sampled_from([None, 0.0, 30.0, 1e9]))
    def is_not_answered(self, number: int, wait_s: float | None) -> None:
        self.book.unavailable(self._answered(number), "503", wait_s, self.now)

    @precondition(lambda self: self.on_the_way)
    @rule(kind=st.sampled_from(["granted", "refused", "unavailable"]))
    def all_are_answered_alike(self, kind: str) -> None:
        for _ in range(len(self.on_the_way)):
            if kind == "granted":
                self.is_granted(0, 14_400.0)
            elif kind == "refused":
                self.is_refused(0)
            else:
                self.is_not_answered(0, None)

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def endpoint_answers_401(self, data: st.DataObject) -> None:
        instance = data.draw(st.sampled_from(sorted(self.in_use)))
        self.book.rejected(instance, *self.in_use.pop(instance), self.now)

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def endpoint_takes_it(self, data: st.DataObject) -> None:
        instance = data.draw(st.sampled_from(sorted(self.in_use)))
        self.book.worked(instance, *self.in_use[instance])

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def endpoint_tells_nothing(self, data: st.DataObject) -> None:
        instance = data.draw(st.sampled_from(sorted(self.in_use)))
        self.book.told_nothing(instance, *self.in_use.pop(instance), self.now)

    @rule(instance=st.sampled_from(INSTANCES))
    def wants_one_and_sends_nothing(self, instance: str) -> None:
        token = self.book.token(instance, self.now)
        if token is not None:
            self.book.not_used(instance, token, self.now)

    @rule(seconds=st.sampled_from([0.0, 1.0, 20.0, 31.0, 200.0, 1000.0, 20_000.0]))
    def time_passes(self, seconds: float) -> None:
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.timers.next_due) is not None and due <= end:
            self.now = max(self.now, due)
            self.timers.fire(self.now)
        self.now = end

    # --- what holds ------------------------------------------------------------------------------

    @invariant()
    def whoever_waits_is_asked_for_or_held_by_something_that_ends(self) -> None:
        assert self.timers.next_due is not None or self.on_the_way or not self.waiting
        if len(self.on_the_way) == TOKEN_CALLS_MOST or self.book.nobody_answers(self.now):
            return
        for scope in self.waiting:
            assert scope in self.on_the_way or self.book.why_held(scope), "nothing holds it"

    @invariant()
    def no_scope_is_both_known_to_be_gone_and_waited_for(self) -> None:
        assert not any(self.book.is_unknown(scope) for scope in self.waiting)

    def teardown(self) -> None:
        """From now on every call is granted: nobody waits in the end."""
        if self.on_the_way:
            self.all_are_answered_alike("granted")
        for _ in range(400):
            self._wait(PAUSE_MOST_S / 100)
            while self.on_the_way:
                self.is_granted(0, 14_400.0)
        assert not self.waiting
        assert self.book.state.app_held == ""
        assert self.book.state.held == 0
        for instance in INSTANCES:
            if not self.book.is_unknown(instance):
                self._use(instance)
        while self.on_the_way:
            self.is_granted(0, 14_400.0)
        assert not self.waiting


class HoldingBookMachine(BookMachine):
    policy = UnknownInstance.HOLD

    @invariant()
    def nobody_is_unknown(self) -> None:
        assert self.book.state.unknown == 0


TestBook = BookMachine.TestCase
TestBook.settings = settings(max_examples=examples(150), stateful_step_count=60)
TestHoldingBook = HoldingBookMachine.TestCase
TestHoldingBook.settings = settings(max_examples=examples(50), stateful_step_count=60)
