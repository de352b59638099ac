"""Is what a running process exposes what the catalogue lists, labels included?"""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from streamer.observability import catalogue
from tests.integration.bridge import Bridge
from tests.integration.conftest import StartsStreamer

OF_THE_CLIENT = ("process_", "python_")


def test_a_scrape_holds_exactly_the_catalogue_with_its_labels(
    bridge: Bridge, streamer_process: StartsStreamer
) -> None:
    bridge.produce(500, bad_every=50)
    streamer = streamer_process(bridge.config())
    bridge.wait_until_done([streamer])

    with urllib.request.urlopen(f"{streamer.url}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))

    ours = [family for family in families if not family.name.startswith(OF_THE_CLIENT)]
    specs = {spec.name: spec for spec in catalogue.ALL}
    assert {family.name for family in ours} == set(specs)
    for family in ours:
        for sample in family.samples:
            assert sample.name in specs[family.name].exposed
            assert set(sample.labels) - {"le"} == set(specs[family.name].labels), sample.name
    seen = {sample.name for family in ours for sample in family.samples}
    assert {"streamer_dead_letters_total", "streamer_lag_seconds", "streamer_calls_total"} <= seen
