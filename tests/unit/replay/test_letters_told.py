"""Is a letter told whatever its headers say, without a value of the event?"""

import pytest

from streamer.dead_letters.found import read_found
from streamer.dead_letters.newest import Standing, State
from streamer.model import Headers
from streamer.replay.shown import COLUMNS, as_object, as_row
from tests.unit.dead_letters.topic import Topic, letter
from tests.unit.replay.source import AsTheyAre


def standing(*more: tuple[str, bytes], group: str = "") -> Standing:
    """A letter with further headers behind its own."""
    topic = Topic()
    topic.letter(letter(1), group=group)
    ((record,),) = topic.partitions.values()
    headers: Headers = (*record.headers, *more)
    topic.other(headers)
    ((_, record),) = topic.partitions.values()
    return Standing(read_found(record), State.OPEN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("streamer-origin-timestamp", b"9223372036854775807"),
        ("streamer-written", b"99999999999999999999"),
        ("streamer-written", b"253370764800000"),
        ("streamer-first-attempt", b"-1"),
        ("streamer-history", b'[{"reason":"refused","written_ms":99999999999999999}]'),
    ],
)
def test_a_moment_that_no_calendar_has_breaks_nothing(name: str, value: bytes) -> None:
    some = standing((name, value))
    assert len(as_row(some)) == len(COLUMNS)
    assert as_object(some, AsTheyAre())["kind"] in ("letter", "corrupt")


def test_a_timestamp_in_nanoseconds_is_told_as_it_is() -> None:
    told = as_object(standing(("streamer-origin-timestamp", b"1764000000000000000")), AsTheyAre())
    assert told["origin"]["timestamp"] == "1764000000000000000 ms"


def test_a_letter_that_is_corrupt_is_told_as_far_as_it_can_be_read() -> None:
    some = standing(("streamer-origin-partition", b"-5"), group="billing")
    told = as_object(some, AsTheyAre())
    assert "streamer-origin-partition is not between 0 and" in told["detail"]
    assert (told["kind"], told["route"], told["group"]) == ("corrupt", "overdue", "billing")
    assert told["origin_topic"] == "billing.invoices"
    assert as_row(some)[2:5] == ("corrupt", "overdue", "site")


def test_an_idempotency_key_is_told_as_it_may_be() -> None:
    class Hidden(AsTheyAre):
        def key(self, route: str, key: str) -> str:
            return f"{route}: hidden"

        def entity(self, route: str, entity: str) -> str:
            return f"{route}: hidden too"

    told = as_object(standing(), Hidden())
    assert told["idempotency_key"] == "overdue: hidden"
    assert told["entity"] == "overdue: hidden too"
