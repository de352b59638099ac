"""Which idempotency key, entity and instance does a report have?"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest

from streamer.routing import keys
from streamer.routing.keys import Unusable
from streamer.routing.language.texts import NAMESPACE
from tests.unit.routing.samples import INSTANCE, message

GUID = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"


def test_a_key_by_place_is_fixed_for_all_time() -> None:
    """A change of this digest would send every event again that is on its way at an upgrade."""
    assert keys.message_key(INSTANCE, "overdue", message()) == (
        "e5ca2e22b2c48a055d890864a16669da8fed1d9de8441a64935bfaf1a9b6ab8d"
    )
    assert keys.hashed_key(INSTANCE, "overdue", "e-1") == (
        "48122b842863398bb382ecaa695f69793e37ec745670a940437fec5d002a291b"
    )


def test_whatever_differs_makes_another_key() -> None:
    made = [
        keys.message_key("i", "r", message()),
        keys.message_key("i2", "r", message()),
        keys.message_key("i", "r2", message()),
        keys.message_key("i", "r", message(topic="t2")),
        keys.message_key("i", "r", message(offset=43)),
        keys.message_key("i", "r", message(timestamp_ms=1_001)),
        keys.hashed_key("i", "r", "x"),
        keys.hashed_key("i2", "r", "x"),
        keys.hashed_key("i", "r2", "x"),
        keys.hashed_key("i", "r", "x2"),
        keys.hashed_key("ir", "", "x"),
        keys.hashed_key("", "ir", "x"),
    ]
    assert len(set(made)) == len(made)
    assert all(1 <= len(key) <= keys.LONGEST_KEY for key in made)


def test_a_guid_is_an_entity_in_lower_case() -> None:
    assert keys.entity_id(GUID) == GUID.lower()
    assert keys.entity_id(UUID(GUID)) == GUID.lower()


@pytest.mark.parametrize(
    "text", ["INV-7", "3F2504E04F8911D39A0C0305E82C3301", "{" + GUID + "}", "ü"]
)
def test_any_other_text_is_a_version_5_uuid_of_itself(text: str) -> None:
    assert keys.entity_id(text) == str(uuid5(NAMESPACE, text))


def test_values_that_are_no_text_become_entities_by_their_text() -> None:
    assert keys.entity_id(17) == keys.entity_id("17")
    assert keys.entity_id(Decimal("1.50")) == keys.entity_id("1.50")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert keys.entity_id(moment) == keys.entity_id("2026-01-01T00:00:00Z")


@pytest.mark.parametrize("made_of", [keys.entity_id, keys.key_text, keys.own_key, keys.instance_id])
@pytest.mark.parametrize("value", [None, "", b"x", [1], {"a": 1}])
def test_what_has_no_text_is_unusable(made_of: Any, value: Any) -> None:
    assert isinstance(made_of(value), Unusable)


def test_a_key_as_it_is_is_text_of_at_most_80_characters() -> None:
    assert keys.own_key("x" * 80) == "x" * 80
    too_long = keys.own_key("x" * 81)
    assert isinstance(too_long, Unusable)
    assert "80" in too_long.found
    assert keys.own_key(UUID(GUID)) == GUID.lower(), "as in the payload"
    number = keys.own_key(5)
    assert isinstance(number, Unusable)
    assert "an integer" in number.found


def test_an_instance_is_text_or_a_uuid() -> None:
    assert keys.instance_id("site-1") == "site-1"
    assert keys.instance_id(UUID(GUID)) == GUID.lower()
    assert isinstance(keys.instance_id(5), Unusable)
    assert isinstance(keys.instance_id("x" * 10_000), Unusable)
