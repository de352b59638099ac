"""Which faults hit which calls, how often, and how they are written."""

import re
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sandbox.fault_text import (
    FaultTextError,
    fault_text,
    parse_distribution,
    parse_duration,
    parse_fault,
    parse_fault_object,
)
from streamer.sandbox.faults import (
    EVENT_CALLS,
    Call,
    CallKind,
    Cut,
    Delay,
    Drop,
    Fail,
    FaultRule,
    Faults,
    Fixed,
    Hang,
    LogNormal,
    Refuse,
    Uniform,
)

A_REPORT = Call(CallKind.REPORT, "t", "site-1")


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
    ],
)
def test_a_fault_hits_the_calls_that_it_chooses(text: str, call: Call, hit: bool) -> None:
    assert (faults_of(text).judge(call, 0).fault is not None) is hit


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
    ],
)
def test_a_fault_is_read_from_words_and_written_back(text: str, rule: FaultRule) -> None:
    assert parse_fault(text) == rule
    assert parse_fault(fault_text(rule)) == rule


def test_a_fault_is_read_from_an_object_too() -> None:
    said = {"status": 500, "share": 0.05, "after": True, "trigger": "t", "for": "30s"}
    assert parse_fault_object(said) == parse_fault("500=5% after trigger=t for=30s")
    assert parse_fault_object({"drop": True, "share": "5%"}) == parse_fault("drop=5%")
    assert parse_fault_object({"drop": True, "after": False}) == parse_fault("drop")


_shares = st.integers(0, 1000).map(lambda tenths: tenths / 1000)
_seconds = st.integers(1, 10_000).map(lambda ms: ms / 1000)
_names = st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text)
_rules = st.builds(
    FaultRule,
    kind=st.one_of(
        st.builds(Fail, st.integers(200, 599), st.none() | st.just("2")),
        st.sampled_from([Drop(), Hang()]),
        st.builds(Delay, st.builds(Fixed, _seconds)),
        st.builds(Delay, st.builds(Uniform, st.just(0.001), _seconds)),
    ),
    share=_shares,
    after=st.booleans(),
    calls=st.sampled_from([EVENT_CALLS, frozenset(CallKind), frozenset({CallKind.CANCEL})]),
    trigger=st.none() | _names,
    instance=st.none() | _names,
    starts_in_s=st.just(0.0) | _seconds,
    lasts_s=st.none() | _seconds,
)


@given(_rules)
def test_every_fault_written_in_words_is_read_as_itself(rule: FaultRule) -> None:
    again = parse_fault(fault_text(rule))
    assert again.share == pytest.approx(rule.share)
    assert fault_text(again) == fault_text(rule)
    assert (again.trigger, again.instance, again.after) == (rule.trigger, rule.instance, rule.after)


@given(st.text() | st.sampled_from(["500=", "latency=p50=,p99=", "503 for=", "drop=nan%", "'"]))
def test_any_text_is_a_fault_or_a_sentence(text: str) -> None:
    with suppress(FaultTextError):
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
        ("latency=80ms..20ms", "must not be above"),
        ("latency=p50=0ms,p99=1s", "above 0"),
        ("latency=fast", "no duration"),
        ("cut before", "taken in"),
        ("500 after before", "choose"),
        ("500 after after", "twice"),
        ("500 call=bulk", "unknown"),
        ("drop retry_after=1", "belongs to a status"),
        ("refuse", "for=30s"),
        ("refuse=5% for=3s", "take it out"),
        ("500 'trigger=a", "quotation mark"),
        ("429 retry_after='2\r\nX: y'", "no header can hold"),
    ],
)
def test_a_wrong_fault_is_told_in_a_sentence_that_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(FaultTextError, match=re.escape(said)):
        parse_fault(text)


def test_durations_and_distributions_have_their_units() -> None:
    durations = [parse_duration(text) for text in ("50ms", "1.5s", "2m", "4h")]
    assert durations == [0.05, 1.5, 120.0, 14_400.0]
    assert parse_distribution("1s..2s") == Uniform(1.0, 2.0)
