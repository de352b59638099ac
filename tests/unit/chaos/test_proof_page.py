"""Is the page of proof what the last full runs say?"""

from tests.chaos.catalogue import CAMPAIGNS, question
from tests.chaos.outcome import Counts, Outcome
from tests.chaos.page import PAGE, page
from tests.chaos.record import Kept, Told, read


def kept(*parts: Told) -> Kept:
    return Kept("kill", question("kill"), "2026-11-24", 700.0, 5, {"Kafka": "4.3.0"}, parts)


def test_the_page_is_made_of_the_last_runs() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(list(read().values()))


def test_every_campaign_has_a_question() -> None:
    for name in CAMPAIGNS:
        assert question(name).endswith("?"), name


def test_counts_figures_and_versions_stand_on_the_page() -> None:
    counts = Counts(produced=200_000, accepted=199_800, dead_letters=200, sent_again=17)
    outcome = Outcome(counts, figures={"kills": "5"})

    text = page([kept(Told("with the done-set", outcome, 61.0))])

    assert "| with the done-set | 200,000 | 199,800 | 200 | 0 | 0 | 0 | 17 | 61 s |" in text
    assert "- with the done-set: kills: 5." in text
    assert "1 of 1 parts" in text
    assert "ARGS='kill --seed 5'` on 2026-11-24, Kafka 4.3.0." in text


def test_what_is_not_clean_is_said() -> None:
    outcome = Outcome(Counts(lost=1), ["lost: k1:7"])

    text = page([kept(Told("with the done-set", outcome, 61.0))])

    assert "0 of 1 parts" in text
    assert "**Not clean**: lost: k1:7." in text
