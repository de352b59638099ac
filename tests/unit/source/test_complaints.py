"""Which findings are told, and which are forgotten?"""

from streamer.errors import Finding
from streamer.source.complaints import LASTS_S, REPEAT_S, Complaints


def finding(kind: str) -> Finding:
    return Finding(kind, "is wrong", "mend it")


def test_what_is_over_for_long_is_forgotten_and_told_again_when_it_comes_back() -> None:
    complaints = Complaints()
    now = 1000.0
    for number in range(10_000):
        assert complaints.raised(f"topic-{number}", finding("t"), now)
        now += 0.1

    assert len(complaints._logged_at) <= 2 * LASTS_S * 10 + 1
    assert complaints._logged_at.keys() == complaints._last.keys()
    assert complaints.raised("topic-0", finding("t"), now)


def test_what_lasts_is_not_forgotten() -> None:
    complaints = Complaints()
    told = [complaints.raised("broker", finding("b"), 1000.0 + second) for second in range(600)]

    assert sum(told) == 600 / REPEAT_S
    assert len(complaints.current(1599.0)) == 1
