"""Does the demo's routing table make of its events what their triggers name?"""

from pathlib import Path
from random import Random

import pytest

from streamer.config.loading import Loaded, load
from streamer.decoding.decoder import Decoder
from streamer.decoding.directory import load_directory
from streamer.demo.scenario import Scenario
from streamer.demo.setting import TRIGGERS, write_configuration
from streamer.demo.wire import load as load_schemas
from streamer.demo.wire import schema_directory
from streamer.model import Decoded, Message, Offset, Partition, Report

NOW_MS = 1_800_000_000_000


@pytest.fixture
def configured(tmp_path: Path) -> Loaded:
    file = tmp_path / "streamer.yaml"
    write_configuration(
        file, bootstrap="localhost:9092", schemas=schema_directory(), sandbox="http://s", port=0
    )
    return load(file, {"DEMO_APP_SECRET": "secret"})


def test_every_field_that_a_trigger_names_is_in_some_payload(configured: Loaded) -> None:
    scenario = Scenario(
        load_schemas(schema_directory()), Random(7), lambda: NOW_MS, spoil_every=10_000
    )
    decoder = Decoder(load_directory(schema_directory(), {}))
    seen: dict[str, set[str]] = {}

    for offset in range(1_500):
        event = scenario.next()
        message = Message(
            Partition(event.topic, 0), Offset(offset), NOW_MS, event.key, event.value, ()
        )
        decoded = decoder.decode(message, False)
        if isinstance(decoded, Decoded):
            for report in configured.table.route(decoded.event, NOW_MS).reports:
                if isinstance(report, Report):
                    seen.setdefault(report.trigger, set()).update(report.payload or {})

    assert {trigger: set(schema["properties"]) for trigger, schema in TRIGGERS.items()} == seen
