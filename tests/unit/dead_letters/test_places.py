"""Is what is known of an id what was put for it, at some bytes an id?"""

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.dead_letters.places import Places
from tests.effort import examples


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.text(max_size=3), st.integers(-3, 2**62)), max_size=300))
def test_it_is_a_map(steps: list[tuple[str, int]]) -> None:
    places, wanted = Places(), dict[str, int]()
    for name, number in steps:
        places.put(name, number)
        wanted[name] = number
    assert {name: places.get(name) for name in wanted} == wanted
    assert places.get("no such name") is None
    assert len(places) == len(wanted)


def test_it_grows_and_stays_small() -> None:
    places = Places()
    for number in range(50_000):
        places.put(str(number), number)
    assert all(places.get(str(number)) == number for number in range(50_000))
    assert places.size <= 50_000 * 48
