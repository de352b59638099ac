"""What becomes of open partitions whose topic was deleted and made again."""

from structlog.testing import capture_logs

from streamer.model import Position
from streamer.source.another_topic import ANSWERS_BEFORE_ANOTHER
from streamer.source.ends import Ends
from streamer.source.made_anew import LOOK_AGAIN_S, LOOK_S, MadeAnew
from tests.unit.source.fake_client import CLUSTER
from tests.unit.source.test_rebalances import A0, A1, parts
from tests.unit.source.test_rebalances import Case as Rebalancing

FIRST, SECOND, THIRD = 11, 22, 33


class Case(Rebalancing):
    def __init__(self, first: int | None = FIRST) -> None:
        super().__init__()
        self.client.ids["a"] = first
        self.client.ends = {A0: (Position(3), Position(500)), A1: (Position(4), Position(500))}
        self.gone = self.owns(A0, A1)
        self.loop.facts.clear()
        self.made_anew = MadeAnew(
            self.client.cast(),
            self.rebalances,
            Ends(lambda partition: None),
            self.client.topic_ids(),
            self.watch,
            lambda owned: 7,
            30.0,
        )

    def looks(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += LOOK_S
            self.made_anew.turn(self.now)


def test_a_topic_that_stays_the_same_is_left_alone() -> None:
    case = Case()
    case.looks(9)

    assert case.loop.facts == []
    assert len(case.rebalances.owned) == 2


def test_partitions_of_another_topic_begin_at_its_first_message_in_a_new_generation() -> None:
    case = Case()
    case.client.ids["a"] = SECOND
    with capture_logs() as logs:
        case.looks(ANSWERS_BEFORE_ANOTHER)

    assert [fact for fact in case.loop.facts if fact[0] == "revoked"] == [
        ("revoked", (owned,)) for owned in case.gone
    ]
    assert not case.rebalances.owned
    assert case.watch.events[-1] == ("made-anew", "a")
    (said,) = [it for it in logs if it["event"] == "topic_made_anew"]
    assert (said["topic"], said["partitions"], said["unsettled"]) == ("a", 2, 14)

    opened = case.opening.turn(case.now, CLUSTER)
    assert [(it.position, it.topic_digest) for it in opened] == [(3, SECOND), (4, SECOND)]
    assert opened[0].owned.generation > case.gone[0].generation
    for assigned in opened:
        case.rebalances.open(assigned)
    case.looks(9)
    assert len(case.rebalances.owned) == 2


def test_one_answer_of_another_id_is_looked_at_again_soon_and_changes_nothing() -> None:
    case = Case()
    case.client.ids["a"] = SECOND
    case.looks()
    asked = case.client.calls.count("ids")
    case.client.ids["a"] = FIRST

    case.now += LOOK_AGAIN_S
    case.made_anew.turn(case.now)
    case.client.ids["a"] = SECOND
    case.looks(ANSWERS_BEFORE_ANOTHER - 1)

    assert case.client.calls.count("ids") == asked + ANSWERS_BEFORE_ANOTHER
    assert case.loop.facts == []


def test_between_two_looks_nobody_is_asked_without_cause() -> None:
    case = Case()
    case.looks()
    asked = case.client.calls.count("ids")

    case.made_anew.turn(case.now + LOOK_S / 2)

    assert case.client.calls.count("ids") == asked
    case.made_anew.look_soon()
    case.made_anew.turn(case.now + LOOK_S / 2)
    assert case.client.calls.count("ids") == asked + 1


def test_a_partition_whose_leader_does_not_answer_stays_until_it_does() -> None:
    case = Case()
    case.client.ids["a"] = SECOND
    case.looks(ANSWERS_BEFORE_ANOTHER - 1)
    case.client.answers = False
    case.looks(3)
    assert len(case.rebalances.owned) == 2

    case.client.answers = True
    case.now += LOOK_AGAIN_S
    case.made_anew.turn(case.now)
    assert not case.rebalances.owned


def test_an_id_that_was_not_known_at_first_is_what_later_answers_are_compared_with() -> None:
    case = Case(first=None)
    case.looks(2)
    case.client.ids["a"] = FIRST
    case.looks(9)
    assert len(case.rebalances.owned) == 2

    case.client.ids["a"] = SECOND
    case.looks(ANSWERS_BEFORE_ANOTHER)
    assert not case.rebalances.owned


def test_a_topic_without_an_answer_says_nothing() -> None:
    case = Case()
    del case.client.ids["a"]
    case.looks(9)
    case.client.ids["a"] = None
    case.looks(9)

    assert len(case.rebalances.owned) == 2


def test_what_is_known_of_a_partition_goes_with_it() -> None:
    case = Case()
    case.rebalances.lost(case.consumer, parts(A0))
    assert set(case.rebalances.topic_digests) == {A1}

    case.rebalances.revoked(case.consumer, parts(A1))
    assert not case.rebalances.topic_digests
