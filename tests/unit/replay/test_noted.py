"""Is a person told why nothing was found, and what there is instead?"""

from streamer.dead_letters.found import read_found
from streamer.dead_letters.newest import Standing, State
from streamer.dead_letters.wanted import Wanted
from streamer.replay.events import EventFilter
from streamer.replay.noted import Noted
from tests.unit.dead_letters.topic import Topic, letter
from tests.unit.replay.source import JsonEvents, Source, value

OPEN = frozenset({State.OPEN})


async def noted(
    wanted: Wanted, expression: EventFilter | None = None, state: State = State.OPEN
) -> Noted:
    """What is noted of two letters, of the routes `overdue` and `paid`."""
    topic, made = Topic(), Noted(wanted, expression)
    made.begin(OPEN, {}, None)
    for number, route in enumerate(("overdue", "paid")):
        topic.letter(letter(number, route=route))
    event = await JsonEvents().read(Source().put(value("Overdue")))
    for record in topic.partitions[next(iter(topic.partitions))]:
        found = read_found(record)
        made.saw(found)
        if wanted.by_headers(found) and (expression is None or expression.wants(event)):
            made.chose(Standing(found, state))
    made.ended()
    return made


def told(made: Noted) -> str:
    return "\n".join(made.lines())


async def test_of_a_name_that_no_letter_has_those_that_there_are_are_told() -> None:
    made = await noted(Wanted(routes=frozenset({"paid", "overdew"})))
    assert told(made) == "no letter has the route overdew; there are overdue, paid"
    assert not made.found_none
    made = await noted(Wanted(triggers=frozenset({"overdew"})))
    assert "no letter has the trigger overdew; there are overdue" in told(made)
    assert "no dead letters that are asked for among 2" in told(made)
    assert made.found_none


async def test_of_a_time_in_which_nothing_was_written_it_is_told_when_something_was() -> None:
    made = await noted(Wanted(since_ms=10**15))
    assert "among 2, which were written from 1970-01-01T" in told(made)
    assert made.found_none


async def test_an_expression_over_what_no_event_has_is_told() -> None:
    made = await noted(Wanted(), EventFilter("event.invoize > 0"))
    assert "2 of 2 events have not what the expression names" in told(made)
    assert "event has no field invoize" in told(made)
    assert made.found_none
    some = EventFilter('event.invoice == "i-1" or event.invoize > 0')
    assert told(await noted(Wanted(), some)) == ""


async def test_an_expression_that_fails_on_every_event_is_told() -> None:
    made = await noted(Wanted(), EventFilter("event.invoice > 5"))
    assert "the expression failed on 2 events" in told(made)
    assert made.found_none


async def test_where_all_was_dealt_with_something_was_found() -> None:
    made = await noted(Wanted(routes=frozenset({"paid"})), state=State.REPLAYED)
    assert told(made) == ("no dead letters that are asked for are open: 1 were replayed or dropped")
    assert not made.found_none


def test_without_a_filter_nothing_is_missed() -> None:
    made = Noted(Wanted(), None)
    made.begin(OPEN, {"theirs": 3}, ("billing.dlq",))
    made.ended()
    assert not made.found_none
    assert "there is no dead letter topic yet: billing.dlq" in told(made)
    assert "3 letters of other groups (theirs) are passed over" in told(made)


async def test_whoever_had_enough_before_the_end_is_told_of_no_name_that_was_not_seen() -> None:
    made = Noted(Wanted(routes=frozenset({"paid"})), None)
    made.begin(OPEN, {}, None)
    assert "no letter has" not in told(made)
