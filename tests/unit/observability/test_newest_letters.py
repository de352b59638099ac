"""Are the newest dead letters at hand, newest first, and only so many?"""

from streamer.dead_letters.record import letter_id
from streamer.observability.newest_letters import KEPT, NewestLetters
from tests.unit.dead_letters.topic import letter


def test_the_last_ones_are_kept_with_why_and_the_id_that_the_commands_know() -> None:
    newest = NewestLetters()
    for number in range(KEPT + 5):
        newest.add(letter(number), 1_000 + number)
    rows = newest.newest_first
    assert len(rows) == KEPT
    assert rows[0].written_ms == 1_000 + KEPT + 4
    assert rows[0].id == letter_id(letter(KEPT + 4))
    assert (rows[0].reason, rows[0].route, rows[0].status) == ("refused", "overdue", 428)
