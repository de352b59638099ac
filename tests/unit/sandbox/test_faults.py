"""Which faults hit which calls, how often, and how they are written."""

import re
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sandbox.fault_kinds import (
    Cut,
    DateAway,
    Delay,
    Drop,
    ExpiresIn,
    Fail,
    FailItem,
    Fixed,
    Hang,
    Html,
    LogNormal,
    Refuse,
    ResultsFault,
    Text,
    Undetailed,
    Uniform,
    WrongResults,
)
from streamer.sandbox.fault_text import CALLS, parse_fault, parse_fault_object
from streamer.sandbox.fault_writing import fault_text
from streamer.sandbox.faults import (
    BULK_CALLS,
    Call,
    CallKind,
    FaultRule,
    Faults,
)
from streamer.sandbox.quantities import (
    WordingError,
    duration_text,
    parse_distribution,
    parse_duration,
)

A_REPORT = Call(CallKind.REPORT, "t", "site-1")


TOKEN_CALLS = frozenset({CallKind.TOKEN})


def faults_of(*texts: str, seed: int = 1) -> Faults:
    return Faults([parse_fault(text) for text in texts], Random(seed), 0)


def share_of(faults: Faults, status: int, calls: int = 20_000) -> float:
    hits = sum(faults.judge(A_REPORT, 0).fault == Fail(status) for _ in range(calls))
    return hits / calls


def test_shares_are_shares_of_all_calls_side_by_side() -> None:
    faults = faults_of("500=50%", "429=30%")
    assert share_of(faults, 500) == pytest.approx(0.5, abs=0.02)
    assert share_of(faults, 429) == pytest.approx(0.3, abs=0.02)


def test_a_share_of_all_hits_all_and_a_share_of_none_hits_none() -> None:
    assert share_of(faults_of("500=0%", "429"), 429, calls=200) == 1


def test_the_same_seed_draws_the_same_faults() -> None:
    runs = [
        [faults.judge(A_REPORT, 0) for _ in range(200)]
        for faults in (faults_of("latency=1ms..9ms", "500=20%", seed=seed) for seed in (7, 7, 8))
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize(
    ("text", "call", "hit"),
    [
        ("500", A_REPORT, True),
        ("500", Call(CallKind.CANCEL, "t", "site-1"), True),
        ("500", Call(CallKind.TOKEN, None, "site-1"), False),
        ("500 call=token", Call(CallKind.TOKEN, None, "site-1"), True),
        ("500 call=token", A_REPORT, False),
        ("500 call=cancel", A_REPORT, False),
        ("500 call=all instance=site-1", Call(CallKind.TOKEN, None, "site-1"), True),
        ("500 trigger=t", A_REPORT, True),
        ("500 trigger=u", A_REPORT, False),
        ("500 trigger=t", Call(CallKind.REPORT, None, "site-1"), False),
        ("500 instance=site-2", A_REPORT, False),
        ("500 instance=site-1 trigger=u", A_REPORT, False),
        ("500 call=report", Call(CallKind.BULK_REPORT, "t", "site-1"), True),
        ("500 call=single", Call(CallKind.BULK_REPORT, "t", "site-1"), False),
        ("500 call=bulk", Call(CallKind.BULK_CANCEL, "t", "site-1"), True),
        ("500 call=cancel", Call(CallKind.BULK_CANCEL, "t", "site-1"), True),
        ("500 entity=E-1", Call(CallKind.REPORT, "t", "site-1", "e-1"), True),
        ("500 entity=e-1", Call(CallKind.REPORT, "t", "site-1", "e-2"), False),
        ("500 entity=e-1", Call(CallKind.BULK_REPORT, "t", "site-1"), False),
        ("html", A_REPORT, True),
        ("html call=token", Call(CallKind.TOKEN, None, "site-1"), True),
        ("expires_in:1", Call(CallKind.TOKEN, None, "site-1"), True),
        ("expires_in:1", A_REPORT, False),
        ("results:doubled", A_REPORT, False),
        ("results:doubled", Call(CallKind.BULK_REPORT, "t", "site-1"), True),
        ("item:UNAVAILABLE", Call(CallKind.BULK_REPORT, "t", "site-1"), False),
    ],
)
def test_a_fault_hits_the_calls_that_it_chooses(text: str, call: Call, hit: bool) -> None:
    assert (faults_of(text).judge(call, 0).fault is not None) is hit


BULK = Call(CallKind.BULK_REPORT, "t", "site-1")


def harmed(faults: Faults, entities: list[str | None], call: Call = BULK) -> list[object]:
    harms = faults.judge_items(call, entities, 0)
    return [None if harm is None else (harm.fault, harm.after) for harm in harms]


def test_items_of_a_bulk_call_fail_by_shares_side_by_side() -> None:
    faults = faults_of(
        "item:UNAVAILABLE=20%", "item:RESOURCE_EXHAUSTED=10%", "undetailed=30% after"
    )
    found = harmed(faults, [None] * 20_000)
    for harm, share in (
        ((FailItem("UNAVAILABLE"), False), 0.2),
        ((FailItem("RESOURCE_EXHAUSTED"), False), 0.1),
        ((Undetailed(), True), 0.3),
    ):
        assert found.count(harm) / len(found) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("words", "hit"),
    [
        ("item:INTERNAL", [True, True, True]),
        ("item:INTERNAL entity=E-1", [True, False, False]),
        ("item:INTERNAL trigger=u", [False, False, False]),
        ("item:INTERNAL instance=site-1 entity=e-2", [False, True, False]),
        ("item:INTERNAL call=cancel", [False, False, False]),
        ("item:INTERNAL call=report", [True, True, True]),
        ("item:INTERNAL in=1s", [False, False, False]),
    ],
)
def test_a_fault_of_items_hits_those_that_it_chooses(words: str, hit: list[bool]) -> None:
    found = harmed(faults_of(words), ["e-1", "e-2", None])
    assert [harm is not None for harm in found] == hit


def test_a_window_starts_and_ends_by_the_clock() -> None:
    faults = faults_of("503 in=10s for=30s")
    hits = [faults.judge(A_REPORT, now_ms).fault is not None for now_ms in range(0, 50_000, 5_000)]
    assert hits == [False, False, *[True] * 6, False, False]


def test_a_window_counts_from_when_the_faults_were_set() -> None:
    faults = faults_of("503 for=30s")
    faults.set([parse_fault("503 for=30s")], 100_000)
    assert faults.judge(A_REPORT, 129_999).fault == Fail(503)
    assert faults.judge(A_REPORT, 130_000).fault is None


def test_a_delay_comes_with_a_fault_and_the_first_that_matches_counts() -> None:
    verdict = faults_of("latency=2s trigger=t", "latency=1s", "500 after").judge(A_REPORT, 0)
    assert (verdict.delay_after_s, verdict.fault, verdict.after) == (2.0, Fail(500), True)


def test_a_delay_is_before_the_call_is_taken_in_where_told_so() -> None:
    verdict = faults_of("latency=2s before").judge(A_REPORT, 0)
    assert (verdict.delay_before_s, verdict.delay_after_s) == (2.0, 0.0)


def test_a_delay_may_have_a_share() -> None:
    faults = faults_of("latency=2s share=10%")
    slow = sum(faults.judge(A_REPORT, 0).delay_after_s > 0 for _ in range(10_000))
    assert slow == pytest.approx(1_000, abs=150)


def test_a_log_normal_latency_has_the_percentiles_that_it_names() -> None:
    random = Random(1)
    drawn = sorted(LogNormal(0.05, 0.4).draw(random) for _ in range(50_000))
    assert drawn[25_000] == pytest.approx(0.05, rel=0.03)
    assert drawn[49_500] == pytest.approx(0.4, rel=0.1)


def test_a_uniform_latency_stays_between_its_ends() -> None:
    random = Random(1)
    drawn = [Uniform(0.02, 0.08).draw(random) for _ in range(5_000)]
    assert 0.02 <= min(drawn) < 0.021
    assert 0.079 < max(drawn) <= 0.08


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("500", FaultRule(Fail(500))),
        ("500=5% after", FaultRule(Fail(500), 0.05, after=True)),
        ("429=1% retry_after=2", FaultRule(Fail(429, "2"), 0.01)),
        ("latency=50ms", FaultRule(Delay(Fixed(0.05)), after=True)),
        ("latency=20ms..80ms before", FaultRule(Delay(Uniform(0.02, 0.08)))),
        ("latency=p50=50ms,p99=400ms", FaultRule(Delay(LogNormal(0.05, 0.4)), after=True)),
        ("drop=1% trigger=t", FaultRule(Drop(), 0.01, trigger="t")),
        ("cut=2%", FaultRule(Cut(), 0.02, after=True)),
        ("hang instance='a b'", FaultRule(Hang(), instance="a b")),
        ("503 in=10s for=1.5m", FaultRule(Fail(503), starts_in_s=10, lasts_s=90)),
        ("refuse for=30s", FaultRule(Refuse(), lasts_s=30)),
        ("401 call=token", FaultRule(Fail(401), calls=frozenset({CallKind.TOKEN}))),
        ("429 retry_after=date+31536000s", FaultRule(Fail(429, DateAway(31_536_000)))),
        ("429 retry_after=date-1.5m", FaultRule(Fail(429, DateAway(-90)))),
        ("302 location=http://h/x", FaultRule(Fail(302, None, "http://h/x"))),
        ("409:ALREADY_EXISTS=1%", FaultRule(Fail(409, code="ALREADY_EXISTS"), 0.01)),
        ("500=33.33333333333333%", FaultRule(Fail(500), 0.33333333)),
        ("500=1e-06%", FaultRule(Fail(500), 1e-8)),
        ("html=1%", FaultRule(Html(), 0.01)),
        ("html:502 after", FaultRule(Html(502), after=True)),
        ("text:10MB=1%", FaultRule(Text(10_000_000), 0.01)),
        ("text:1MiB", FaultRule(Text(1024 * 1024))),
        ("item:ABORTED=2%", FaultRule(FailItem("ABORTED"), 0.02, calls=BULK_CALLS)),
        ("item:503 entity=e", FaultRule(FailItem("503"), calls=BULK_CALLS, entity="e")),
        ("undetailed after", FaultRule(Undetailed(), after=True, calls=BULK_CALLS)),
        (
            "results:out-of-range=3%",
            FaultRule(WrongResults(ResultsFault.OUT_OF_RANGE), 0.03, after=True, calls=BULK_CALLS),
        ),
        *(
            (f"expires_in:{said}", FaultRule(ExpiresIn(json), after=True, calls=TOKEN_CALLS))
            for said, json in (
                ("none", None),
                ("-1", "-1"),
                ("1", "1"),
                ("1e300", "1e300"),
                ("soon", '"soon"'),
                ("NaN", '"NaN"'),
                ("null", "null"),
            )
        ),
    ],
)
def test_a_fault_is_read_from_words_and_written_back(text: str, rule: FaultRule) -> None:
    assert parse_fault(text) == rule
    assert parse_fault(fault_text(rule)) == rule


def test_a_fault_is_read_from_an_object_too() -> None:
    said = {"status": 500, "share": 0.05, "after": True, "trigger": "t", "for": "30s"}
    assert parse_fault_object(said) == parse_fault("500=5% after trigger=t for=30s")
    assert parse_fault_object({"drop": True, "share": "5%"}) == parse_fault("drop=5%")
    assert parse_fault_object({"item": "ABORTED", "entity": "E"}) == parse_fault(
        "item:ABORTED entity=e"
    )
    assert parse_fault_object({"html": True}) == parse_fault("html")
    assert parse_fault_object({"expires_in": -1}) == parse_fault("expires_in:-1")
    assert parse_fault_object({"drop": True, "after": False}) == parse_fault("drop")
    assert parse_fault_object({"status": "409:ALREADY_EXISTS"}) == parse_fault("409:ALREADY_EXISTS")


@pytest.mark.parametrize(
    "share", [-0.1, 1.1, 2, 10**4299, 1e-9], ids=["below", "above", "2", "long", "too fine"]
)
def test_a_share_in_an_object_is_from_0_to_1(share: float) -> None:
    with pytest.raises(WordingError, match="share"):
        parse_fault_object({"status": 500, "share": share})


@given(st.floats(1e-8, 1) | st.just(0.0))
def test_a_share_of_an_object_is_that_of_the_words_it_is_shown_in(share: float) -> None:
    rule = parse_fault_object({"status": 500, "share": share})
    assert rule.share == pytest.approx(share, abs=1e-8)
    assert parse_fault(fault_text(rule)) == rule


_shares = st.sampled_from([0.0, 1.0, 0.009]) | st.floats(1e-8, 1).map(lambda it: round(it, 8))
_seconds = st.integers(1, 10_000).map(lambda ms: ms / 1000) | st.floats(1e-6, 315_360_000)
_names = st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text)
_rules = st.builds(
    FaultRule,
    kind=st.one_of(
        st.builds(
            Fail,
            st.integers(200, 599),
            st.none() | st.just("2") | st.builds(DateAway, _seconds | _seconds.map(lambda s: -s)),
            code=st.none() | st.just("ALREADY_EXISTS"),
        ),
        st.builds(Html, st.integers(200, 599)),
        st.builds(Text, st.integers(1, 10**8)),
        st.sampled_from([Drop(), Hang()]),
        st.builds(Delay, st.builds(Fixed, _seconds)),
        st.builds(Delay, st.builds(Uniform, st.just(1e-7), _seconds)),
        st.builds(Delay, st.builds(LogNormal, st.just(1e-7), _seconds)),
    ),
    share=_shares,
    after=st.booleans(),
    calls=st.sampled_from(list(CALLS.values())),
    trigger=st.none() | _names,
    instance=st.none() | _names,
    entity=st.none() | _names.map(str.lower),
    starts_in_s=st.just(0.0) | _seconds,
    lasts_s=st.none() | _seconds,
)


@given(_rules)
def test_every_fault_written_in_words_is_read_as_itself(rule: FaultRule) -> None:
    assert parse_fault(fault_text(rule)) == rule


@given(st.text() | st.sampled_from(["500=", "latency=p50=,p99=", "503 for=", "drop=nan%", "'"]))
def test_any_text_is_a_fault_or_a_sentence(text: str) -> None:
    with suppress(WordingError):
        fault_text(parse_fault(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("slow=5%", "begins no fault"),
        ("600", "begins no fault"),
        ("500=5", "5% (0% to 100%)"),
        ("500=101%", "0% to 100%"),
        ("500=nan%", "0% to 100%"),
        ("500 often", "no word of a fault"),
        ("500 drop", "exactly one of"),
        ("500 for=30", "no duration"),
        ("500 for=87601h", "longer than ten years"),
        (f"500 in={'9' * 400}h", "longer than ten years"),
        ("latency=99999999h", "longer than ten years"),
        ("429 retry_after=date+99999999h", "longer than ten years"),
        ("429 retry_after=date-99999999h", "longer than ten years"),
        ("409:", "is no code"),
        ("409:already", "is no code"),
        ("600:ABORTED", "begins no fault"),
        ("500=0.0000001%", "too fine"),
        ("latency=80ms..20ms", "must not be above"),
        ("latency=p50=0ms,p99=1s", "above 0"),
        ("latency=fast", "no duration"),
        ("cut before", "taken in"),
        ("500 after before", "choose"),
        ("500 after after", "twice"),
        ("500 call=bulks", "unknown"),
        ("item=5%", "write item:UNAVAILABLE"),
        ("item:a-b", "write item:UNAVAILABLE"),
        ("item:ABORTED call=single", "never hit"),
        ("results:upside-down", "one of doubled"),
        ("results:cut before", "taken in"),
        ("expires_in:1 call=report", "never hit"),
        ("expires_in", "expires_in:none"),
        ("text:10TB", "text:10MB"),
        ("text:101MB", "text:10MB"),
        ("html:soon", "html:502"),
        ("drop:5", "begins no fault"),
        ("503 location=http://h", "belongs to a redirect"),
        ("drop location=http://h", "belongs to a status"),
        ("429 retry_after=date+soon", "no duration"),
        ("drop retry_after=1", "belongs to a status"),
        ("refuse", "for=30s"),
        ("refuse=5% for=3s", "take it out"),
        ("500 'trigger=a", "quotation mark"),
        ("429 retry_after='2\r\nX: y'", "no header can hold"),
    ],
)
def test_a_wrong_fault_is_told_in_a_sentence_that_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(WordingError, match=re.escape(said)):
        parse_fault(text)


def test_durations_and_distributions_have_their_units() -> None:
    durations = [parse_duration(text) for text in ("50ms", "1.5s", "2m", "4h")]
    assert durations == [0.05, 1.5, 120.0, 14_400.0]
    assert parse_distribution("1s..2s") == Uniform(1.0, 2.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.05, "50ms"), (90, "90s"), (120, "2m"), (7200.0, "2h"), (1e6, "1000000s")),
        *((0.0, "0s"), (1e-7, "0.0001ms"), (0.035, "35ms"), (315_360_000, "87600h")),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_without_a_fraction(
    seconds: float, text: str
) -> None:
    assert duration_text(seconds) == text
    assert parse_duration(text) == seconds
