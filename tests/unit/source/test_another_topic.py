"""When a topic is believed to be another one."""

from streamer.source.another_topic import ANSWERS_BEFORE_ANOTHER, Doubts, Judged

OLD, NEW, NEWER = 1, 2, 3


def test_nothing_is_concluded_where_an_id_is_not_known() -> None:
    doubts = Doubts()

    for _ in range(ANSWERS_BEFORE_ANOTHER):
        assert doubts.judge("a", None, NEW) is Judged.SAME
        assert doubts.judge("a", OLD, None) is Judged.SAME


def test_it_takes_equal_answers_in_a_row() -> None:
    doubts = Doubts()
    told = [NEW, NEW, NEWER, NEW, NEW, OLD, NEW, NEW, NEW]

    judged = [doubts.judge("a", OLD, it) for it in told]

    assert judged == [
        *[Judged.PERHAPS] * 5,
        Judged.SAME,
        Judged.PERHAPS,
        Judged.PERHAPS,
        Judged.ANOTHER,
    ]


def test_answers_about_another_thing_do_not_count() -> None:
    doubts = Doubts()
    doubts.judge("a", OLD, NEW)
    doubts.judge("b", OLD, NEW)
    doubts.judge("a", OLD, NEW)
    doubts.drop("a")

    assert doubts.judge("a", OLD, NEW) is Judged.PERHAPS
