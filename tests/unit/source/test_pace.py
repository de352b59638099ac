"""How far may the poll thread be ahead of the event loop?"""

from threading import Thread

from streamer.source.pace import Pace


def test_there_is_room_until_as_many_are_ahead_as_may_be() -> None:
    pace = Pace(2)
    room = []
    for fact in (pace.gave, pace.gave, pace.took, pace.gave):
        fact()
        room.append(pace.has_room)

    assert room == [True, False, True, False]


def test_waiting_ends_as_soon_as_one_is_taken() -> None:
    pace = Pace(1)
    pace.gave()
    waiting = Thread(target=pace.wait, args=(60.0,))
    waiting.start()
    pace.took()
    waiting.join(30)

    assert not waiting.is_alive()


def test_neither_side_ever_waits_for_what_has_happened() -> None:
    pace = Pace(1)
    rounds = 200

    def take() -> None:
        taken = 0
        while taken < rounds:
            if not pace.has_room:
                pace.took()
                taken += 1

    taker = Thread(target=take)
    taker.start()
    for _ in range(rounds):
        while not pace.has_room:
            pace.wait(60.0)
        pace.gave()
    taker.join(60)

    assert not taker.is_alive()
