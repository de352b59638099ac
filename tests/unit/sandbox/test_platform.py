"""Keys, tokens, cancels and memory: what the platform decides, without HTTP."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from streamer.sandbox.answers import ApiError
from streamer.sandbox.calls import CancelCall, ReportCall, TokenCall
from streamer.sandbox.ledger import Entry
from streamer.sandbox.platform import Accepted, Arrival, Platform
from streamer.sandbox.rules import Rules
from streamer.sandbox.tokens import Caller
from streamer.sandbox.trigger_schemas import TriggerSchemas

WEEK_MS = 7 * 24 * 3600 * 1000
SITE = Caller("app-1", "site-1")


def make_platform(rules: Rules | None = None) -> Platform:
    numbers = count(1)
    return Platform(rules or Rules(), lambda: f"id-{next(numbers)}")


def a_report(
    key: str | None = "k",
    *,
    trigger: str = "t",
    payload: bytes = b"{}",
    entity: str | None = None,
    ttl_ms: int = WEEK_MS,
) -> ReportCall:
    return ReportCall(trigger, payload, entity, key, ttl_ms)


def at(now_ms: int) -> Arrival:
    return Arrival(now_ms, started=now_ms, request_id=f"r-{now_ms}")


def report(
    platform: Platform, call: ReportCall, now_ms: int = 0, caller: Caller = SITE
) -> Entry | ApiError | None:
    """The new entry; None where the call was ignored; the error where it was refused."""
    result = platform.report(caller, call, at(now_ms))
    return result.entry if isinstance(result, Accepted) else result


def accepted(platform: Platform) -> list[Entry]:
    return list(platform.ledger.page(limit=10_000).entries)


# --- idempotency ------------------------------------------------------------------------------


def test_a_repeat_of_a_key_is_a_success_that_activates_nothing() -> None:
    platform = make_platform()
    platform.report(SITE, a_report(), at(0))
    repeat = platform.report(SITE, a_report(), at(1))
    assert isinstance(repeat, Accepted)
    assert repeat.entry is None
    (entry,) = accepted(platform)
    assert entry.came == 2
    assert platform.ledger.trigger("t").ignored == 1


def test_a_report_without_a_key_is_never_a_repeat() -> None:
    platform = make_platform()
    for now_ms in range(3):
        report(platform, a_report(None), now_ms)
    assert len(accepted(platform)) == 3


def test_a_key_is_good_for_its_time_to_live_and_not_longer() -> None:
    platform = make_platform()
    report(platform, a_report(ttl_ms=1000), 0)
    assert report(platform, a_report(), 999) is None
    assert isinstance(report(platform, a_report(ttl_ms=1000), 1000), Entry)
    assert report(platform, a_report(), 1999) is None


def test_a_repeat_does_not_lengthen_a_keys_life() -> None:
    platform = make_platform()
    report(platform, a_report(ttl_ms=1000), 0)
    report(platform, a_report(ttl_ms=WEEK_MS), 500)
    assert isinstance(report(platform, a_report(), 1000), Entry)


def test_a_keys_scope_is_trigger_and_app_but_not_instance() -> None:
    platform = make_platform()
    report(platform, a_report())
    assert report(platform, a_report(), caller=Caller("app-1", "site-2")) is None
    assert isinstance(report(platform, a_report(trigger="other")), Entry)
    assert isinstance(report(platform, a_report(), caller=Caller("app-2", "site-1")), Entry)


def test_a_repeat_that_differs_from_what_was_accepted_is_counted_as_such() -> None:
    platform = make_platform()
    report(platform, a_report())
    report(platform, a_report())
    assert platform.ledger.ignored_differing == 0
    report(platform, a_report(payload=b'{"a":1}'))
    report(platform, a_report(), caller=Caller("app-1", "site-2"))
    report(platform, a_report(entity="e"))
    assert platform.ledger.ignored_differing == 3


UNFIT = Rules(schemas=TriggerSchemas({"t": {"required": ["amount"]}}))


def test_a_refused_report_does_not_use_up_its_key() -> None:
    platform = make_platform(UNFIT)
    assert isinstance(report(platform, a_report()), ApiError)
    assert isinstance(report(platform, a_report(payload=b'{"amount":1}')), Entry)
    assert platform.ledger.trigger("t").refused == 1


def test_a_refused_report_uses_up_its_key_where_told_so() -> None:
    platform = make_platform(Rules(schemas=UNFIT.schemas, failed_use_up_keys=True))
    assert isinstance(report(platform, a_report()), ApiError)
    assert report(platform, a_report(payload=b'{"amount":1}')) is None
    assert accepted(platform) == []


def test_a_failed_report_uses_up_its_key_only_where_told_so() -> None:
    for told, expected in ((False, 1), (True, 0)):
        platform = make_platform(Rules(failed_use_up_keys=told))
        platform.fail(SITE, a_report(), 0)
        report(platform, a_report())
        assert len(accepted(platform)) == expected


def test_a_failure_after_the_acceptance_leaves_the_key_with_what_was_accepted() -> None:
    platform = make_platform(Rules(failed_use_up_keys=True))
    report(platform, a_report())
    platform.fail(SITE, a_report(), 1)
    report(platform, a_report(), 2)
    assert accepted(platform)[0].came == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["site-1", "site-2"]),
            st.sampled_from(["t", "u"]),
            st.sampled_from(["k", "l", None]),
            st.integers(1, 50),
            st.integers(0, 30),
        ),
        max_size=60,
    )
)
def test_every_call_is_accepted_unless_its_key_lives(
    calls: list[tuple[str, str, str | None, int, int]],
) -> None:
    platform = make_platform()
    lives_until: dict[tuple[str, str], int] = {}
    expected: list[tuple[str, str | None, int]] = []
    now_ms = 0
    for instance, trigger, key, ttl_ms, passed_ms in calls:
        now_ms += passed_ms
        if key is None or lives_until.get((trigger, key), 0) <= now_ms:
            expected.append((trigger, key, now_ms))
            if key is not None:
                lives_until[trigger, key] = now_ms + ttl_ms
        call = a_report(key, trigger=trigger, ttl_ms=ttl_ms)
        report(platform, call, now_ms, Caller("app-1", instance))
    entries = accepted(platform)
    assert [(e.trigger, e.idempotency_key, e.accepted_at_ms) for e in entries] == expected
    assert [e.number for e in entries] == list(range(1, len(expected) + 1))
    assert sum(e.came for e in entries) == len(calls)


# --- cancels ----------------------------------------------------------------------------------


def test_a_cancel_ends_every_report_of_its_instance_trigger_and_entity() -> None:
    platform = make_platform()
    for key, trigger, entity, caller in (
        ("1", "t", "e", SITE),
        ("2", "t", "e", SITE),
        ("3", "t", "other", SITE),
        ("4", "u", "e", SITE),
        ("5", "t", "e", Caller("app-1", "site-2")),
        ("6", "t", None, SITE),
    ):
        report(platform, a_report(key, trigger=trigger, entity=entity), caller=caller)
    platform.cancel(SITE, CancelCall("t", "e"), at(9))
    *reports, cancel = accepted(platform)
    assert [entry.cancelled_by for entry in reports] == [7, 7, None, None, None, None]
    assert (cancel.number, cancel.action, cancel.cancels) == (7, "cancel", (1, 2))
    assert platform.ledger.trigger("t").cancelled == 2


def test_a_report_after_a_cancel_is_not_cancelled_by_it() -> None:
    platform = make_platform()
    platform.cancel(SITE, CancelCall("t", "e"), at(0))
    entry = report(platform, a_report(entity="e"), 1)
    assert isinstance(entry, Entry)
    assert entry.cancelled_by is None
    assert platform.ledger.cancels_of_nothing == 1


def test_a_second_cancel_ends_nothing_more() -> None:
    platform = make_platform()
    report(platform, a_report(entity="e"))
    for now_ms in (1, 2):
        platform.cancel(SITE, CancelCall("t", "e"), at(now_ms))
    assert [entry.cancels for entry in accepted(platform)] == [(), (1,), ()]
    assert platform.ledger.cancels_of_nothing == 1


def test_a_repeat_of_a_cancelled_report_does_not_bring_it_back() -> None:
    platform = make_platform()
    report(platform, a_report(entity="e"))
    platform.cancel(SITE, CancelCall("t", "e"), at(1))
    assert report(platform, a_report(entity="e"), 2) is None
    assert platform.ledger.trigger("t").cancelled == 1


# --- tokens -----------------------------------------------------------------------------------

ASKED = TokenCall("client_credentials", "app-1", "secret-1", "site-1")


def test_a_token_is_good_until_it_expires() -> None:
    platform = make_platform(Rules(token_lifetime_s=60))
    token = platform.tokens.make(ASKED, 0)
    assert isinstance(token, str)
    assert platform.tokens.caller(token, 59_999) == Caller("app-1", "site-1", 60_000)
    assert isinstance(platform.tokens.caller(token, 60_000), ApiError)


def test_expired_tokens_leave_the_memory() -> None:
    platform = make_platform(Rules(token_lifetime_s=1))
    for now_ms in range(0, 100_000, 500):
        platform.tokens.make(ASKED, now_ms)
    assert len(platform.tokens) <= 2


def test_a_ready_token_never_expires_and_is_not_lost_by_a_reset() -> None:
    platform = make_platform(Rules(apps={"app-1": "s"}, ready_tokens={"ready": "site-9"}))
    platform.reset(tokens=True)
    assert platform.tokens.caller("Bearer ready", 10**15) == Caller("app-1", "site-9")


def test_a_reset_forgets_reports_and_keys_and_tokens_only_where_asked() -> None:
    platform = make_platform()
    token = platform.tokens.make(ASKED, 0)
    assert isinstance(token, str)
    report(platform, a_report())
    platform.reset()
    assert accepted(platform) == []
    assert isinstance(platform.tokens.caller(token, 1), Caller)
    entry = report(platform, a_report())
    assert isinstance(entry, Entry)
    assert entry.number == 1
    platform.reset(tokens=True)
    assert isinstance(platform.tokens.caller(token, 1), ApiError)


# --- memory -----------------------------------------------------------------------------------


def test_the_newest_entries_are_kept_and_all_are_counted_and_known() -> None:
    platform = make_platform(Rules(keep=10))
    for number in range(5_000):
        report(platform, a_report(f"k{number}", entity="e"), number)
        report(platform, a_report(f"k{number // 2}", entity="e"), number)
    page = platform.ledger.page()
    assert [entry.number for entry in page.entries] == list(range(4_991, 5_001))
    assert (page.first, page.last) == (4_991, 5_000)
    assert platform.ledger.trigger("t").reports == 5_000
    assert platform.ledger.trigger("t").ignored == 5_000
    assert platform.ledger.ignored_differing == 0
    platform.cancel(SITE, CancelCall("t", "e"), at(6_000))
    # The oldest kept one left to make room for the cancel itself.
    assert accepted(platform)[-1].cancels == tuple(range(4_991, 5_001))


def test_a_repeat_of_an_entry_that_was_let_go_is_ignored_without_a_comparison() -> None:
    platform = make_platform(Rules(keep=1))
    report(platform, a_report("k1"))
    report(platform, a_report("k2"))
    assert report(platform, a_report("k1", payload=b'{"a":1}')) is None
    assert platform.ledger.ignored_differing == 0


@given(st.integers(1, 7), st.integers(0, 40), st.integers(1, 5))
def test_pages_put_together_are_the_ledger_in_order(keep: int, reports: int, limit: int) -> None:
    platform = make_platform(Rules(keep=keep))
    for number in range(reports):
        report(platform, a_report(f"k{number}"), number)
    numbers: list[int] = []
    after: int | None = 0
    while after is not None:
        page = platform.ledger.page(after, limit)
        numbers += [entry.number for entry in page.entries]
        after = page.next
    assert numbers == list(range(max(1, reports - keep + 1), reports + 1))
