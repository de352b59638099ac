"""Are missing dead letter topics looked after until somebody mends them?"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from structlog.testing import capture_logs

from streamer.dead_letters.topics import Described, TopicState, WantedTopic
from streamer.edge.dependencies import Dependencies
from streamer.edge.letter_topics import LetterTopics
from streamer.errors import Finding
from tests.unit.edge.test_dependencies import StandingClock

SOURCE = TopicState(partitions=12, replication=3, max_message_bytes=1_000_000)
LETTERS = TopicState(12, 3, 1_065_536, writable=True)
NO_ANSWER = Finding("kafka", "the brokers did not answer", "check kafka.bootstrap_servers")


class Cluster:
    """Answers as its topics are at the moment; `create` makes them unless it is refused."""

    def __init__(self, **topics: TopicState) -> None:
        self.topics = {name.replace("_", "."): state for name, state in topics.items()}
        self.answers = True
        self.refuses: str | None = None
        self.asked: list[tuple[str, ...]] = []

    def describe(self, names: Iterable[str]) -> Described | Finding:
        self.asked.append(tuple(names))
        if not self.answers:
            return NO_ANSWER
        return Described({name: self.topics[name] for name in names if name in self.topics})

    def create(self, wanted: Sequence[WantedTopic]) -> Mapping[str, str | None]:
        if self.refuses is None:
            self.topics |= dict.fromkeys([topic.name for topic in wanted], LETTERS)
        return {topic.name: self.refuses for topic in wanted}


class After:
    """In the place of `sleep`: what happens in the pause before each next look."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self._events = list(events)

    async def __call__(self, seconds: float) -> None:
        assert self._events, "it looks again although nothing is left to wait for"
        self._events.pop(0)()


def letters(cluster: Cluster, create: bool, after: After) -> tuple[LetterTopics, Dependencies]:
    clock = StandingClock()
    dependencies = Dependencies(clock)
    topics = LetterTopics(lambda: cluster, "{topic}.dlq", create, dependencies, clock, after)
    return topics, dependencies


async def test_a_topic_that_is_made_needs_no_second_look() -> None:
    cluster = Cluster(a=SOURCE)
    topics, dependencies = letters(cluster, True, After())

    with capture_logs() as logs:
        await topics.look_after(["a"])

    assert "a.dlq" in cluster.topics
    assert (dependencies.refusals, logs) == ({}, [])


async def test_a_missing_topic_is_a_reason_until_somebody_makes_it() -> None:
    cluster = Cluster(a=SOURCE, b=SOURCE, b_dlq=LETTERS)
    seen: list[dict[str, str]] = []
    after = After(
        lambda: seen.append(dict(dependencies.refusals)),
        lambda: cluster.topics.update({"a.dlq": LETTERS}),
    )
    topics, dependencies = letters(cluster, False, after)

    with capture_logs() as logs:
        await topics.look_after(["a", "b"])

    assert list(seen[0]) == ["dead letters of a"]
    assert "dead_letters.create: true" in seen[0]["dead letters of a"]
    assert dependencies.refusals == {}
    assert [log["where"] for log in logs] == ["topic a.dlq"], "said once within half a minute"
    assert cluster.asked[-1] == ("a", "a.dlq"), "b is fine and asked for no more"


async def test_a_topic_that_may_not_be_written_is_a_reason_too() -> None:
    cluster = Cluster(a=SOURCE, a_dlq=TopicState(12, 3, 1_065_536, writable=False))
    seen: list[dict[str, str]] = []
    after = After(
        lambda: seen.append(dict(dependencies.refusals)),
        lambda: cluster.topics.update({"a.dlq": LETTERS}),
    )
    topics, dependencies = letters(cluster, True, after)
    await topics.look_after(["a"])

    assert "may not write" in seen[0]["dead letters of a"]
    assert dependencies.refusals == {}


async def test_brokers_that_do_not_answer_are_no_reason_and_are_asked_again() -> None:
    cluster = Cluster(a=SOURCE)
    cluster.answers = False
    seen: list[dict[str, str]] = []
    after = After(
        lambda: seen.append(dict(dependencies.refusals)),
        lambda: setattr(cluster, "answers", True),
    )
    topics, dependencies = letters(cluster, True, after)

    with capture_logs() as logs:
        await topics.look_after(["a"])

    assert seen == [{}]
    assert logs == [], "the source tells of brokers"
    assert "a.dlq" in cluster.topics


async def test_a_topic_that_could_not_be_made_is_a_warning_and_left_to_the_first_dead_letter() -> (
    None
):
    cluster = Cluster(a=SOURCE)
    cluster.refuses = "not authorized"
    topics, dependencies = letters(cluster, True, After())

    with capture_logs() as logs:
        await topics.look_after(["a"])
        await topics.look_after(["a"])

    assert [log["log_level"] for log in logs] == ["warning"], "and said once"
    assert dependencies.refusals == {}


async def test_a_topic_is_looked_after_by_one_at_a_time_and_again_later() -> None:
    cluster = Cluster(a=SOURCE)

    async def meanwhile(seconds: float) -> None:
        await topics.look_after(["a"])
        cluster.topics["a.dlq"] = LETTERS

    clock = StandingClock()
    dependencies = Dependencies(clock)
    topics = LetterTopics(lambda: cluster, "{topic}.dlq", False, dependencies, clock, meanwhile)
    await topics.look_after(["a"])
    assert len(cluster.asked) == 2, "the second caller left it to the first"

    await topics.look_after(["a"])
    assert len(cluster.asked) == 3
