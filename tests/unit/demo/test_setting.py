"""Does the demo's routing table fit the demo's events?"""

from pathlib import Path
from random import Random

import msgspec
import pytest

from streamer.config.loading import Loaded, load
from streamer.decoding.decoder import Decoder
from streamer.decoding.directory import load_directory
from streamer.demo import wire
from streamer.demo.scenario import Scenario
from streamer.demo.setting import write_configuration
from streamer.model import Event, Generation, Message, Offset, Partition, Report

NOW_MS = 1_800_000_000_000


@pytest.fixture
def configured(tmp_path: Path) -> Loaded:
    file = tmp_path / "streamer.yaml"
    schemas = wire.schema_directory()
    write_configuration(file, bootstrap="b:1", schemas=schemas, sandbox="http://s", port=0)
    return load(file, {"DEMO_APP_SECRET": "secret"})


def test_every_field_of_every_payload_comes_in_some_event(configured: Loaded) -> None:
    random = Random(7)
    story = Scenario(wire.load(wire.schema_directory()), random, lambda: NOW_MS, spoil_every=10_000)
    decoder = Decoder(load_directory(wire.schema_directory(), {}))
    seen: dict[str, set[str]] = {}

    for offset in range(1_500):
        written = story.next()
        place = Partition(written.topic, 0)
        message = Message(place, Generation(1), Offset(offset), NOW_MS, written.key, written.value)
        event = decoder.decode(message)
        if isinstance(event, Event):
            for report in configured.table.route(event, NOW_MS).reports:
                if isinstance(report, Report) and report.payload:
                    seen.setdefault(report.trigger, set()).update(
                        msgspec.json.decode(report.payload, type=dict[str, object])
                    )

    named = {
        spec.trigger: set(spec.payload)
        for spec in configured.route_specs
        if spec.trigger is not None and isinstance(spec.payload, dict)
    }
    assert seen == named
