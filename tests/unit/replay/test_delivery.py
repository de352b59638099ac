"""What of the configuration holds for a replay, and what does a letter say that failed again?"""

from pathlib import Path

import pytest

from streamer.config.loading import Loaded, load
from streamer.config.settings import EndpointSettings
from streamer.dead_letters.record import letter_id
from streamer.model import DeadLetter, Reason, Refusal
from streamer.replay.delivery import history_of, sharing, written_again
from tests.unit.config_samples import MINIMAL
from tests.unit.replay.source import NOW_MS, SITE, Source, item_of, letter_of, value


def loaded(tmp_path: Path, endpoint: str = "", more: str = "") -> Loaded:
    file = tmp_path / "streamer.yaml"
    text = MINIMAL.replace("  token: a-ready-token\n", f"  token: a-ready-token\n{endpoint}")
    file.write_text(text + more)
    return load(file, {})


def entry(of: Loaded) -> EndpointSettings:
    return of.settings.entries["default"]


@pytest.mark.parametrize(
    ("quota", "share", "wanted"),
    [("200/min", 10, 20), ("200/min", 100, 200), ("5/min", 10, 1), ("none", 10, None)],
)
def test_a_replay_takes_its_share_of_the_quota_and_one_call_a_minute_at_least(
    tmp_path: Path, quota: str, share: float, wanted: int | None
) -> None:
    shared = sharing(loaded(tmp_path, f"  quota: {quota}\n"), share)
    assert entry(shared).quota.per_minute == wanted


def test_what_cannot_be_delivered_waits_and_is_never_skipped_in_a_replay(tmp_path: Path) -> None:
    more = "delivery: {hold: {after: 6h, then: dead-letter}}\n"
    shared = sharing(loaded(tmp_path, "  unknown_instance: skip\n", more), 10)
    assert shared.settings.delivery.hold == "wait"
    assert entry(shared).unknown_instance == "dead-letter"
    held = sharing(loaded(tmp_path, "  unknown_instance: hold\n"), 10)
    assert entry(held).unknown_instance == "hold"


def test_several_endpoints_have_their_share_each(tmp_path: Path) -> None:
    file = tmp_path / "several.yaml"
    text = MINIMAL.replace("endpoint:\n", "endpoints:\n  billing:\n").replace(
        "  token: a-ready", "    token: a-ready"
    )
    text = text.replace("  instance: 1d1c", "    instance: 1d1c")
    text = text.replace("    topic: billing", "    endpoint: billing\n    topic: billing")
    file.write_text(text)
    shared = sharing(load(file, {}), 50)
    assert {name: it.quota.per_minute for name, it in shared.settings.entries.items()} == {
        "billing": 100
    }


def test_what_fails_again_is_of_the_same_id_and_goes_on_counting() -> None:
    source = Source()
    old = letter_of(source.put(value("Overdue")), attempts=3, entity="entity")
    item = item_of(old)
    refusal = Refusal(Reason.REFUSED, "still no", 428)
    new = DeadLetter(
        item.record,
        refusal,
        route="overdue",
        instance=SITE,
        attempts=2,
        first_attempt_ms=NOW_MS,
        last_attempt_ms=NOW_MS + 1,
        idempotency_key="sent-with",
    )
    again = written_again(new, item)
    assert letter_id(again) == letter_id(old)
    assert (again.attempts, again.entity) == (5, "entity")
    assert (again.first_attempt_ms, again.last_attempt_ms) == (old.first_attempt_ms, NOW_MS + 1)
    assert again.refusal == refusal
    assert (again.message.partition, again.message.offset) == (old.message.partition, 0)


def test_the_history_grows_by_what_the_old_letter_said() -> None:
    item = item_of(letter_of(Source().put(value("Overdue"))))
    assert item.letter is not None
    (earlier,) = history_of(item.letter)
    assert (earlier.reason, earlier.status, earlier.attempts) == ("refused", 400, 1)
    assert earlier.written_ms == NOW_MS
