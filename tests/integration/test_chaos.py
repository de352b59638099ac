"""Are the campaigns of `make chaos` that show what no other test does clean, made small?"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chaos.catalogue import CAMPAIGNS
from tests.chaos.outcome import Size
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaCluster
from tests.servers.registry import ApicurioRegistry

SMALL = Size(quick=True, soak_minutes=0)

SHARE = (
    ("cancels", "delivery.ordering key"),
    ("security", "everything guarded, httptools"),
    ("topics", "deleted and made anew, consumer protocol"),
)
"""Campaigns and their parts."""


class _Given:
    """The servers of the test run in the place of the campaigns' own."""

    def __init__(self, kafka: KafkaCluster, registry: ApicurioRegistry) -> None:
        self._kafka = kafka
        self._registry = registry

    def kafka(self) -> KafkaCluster:
        return self._kafka

    def registry(self) -> ApicurioRegistry:
        return self._registry


@pytest.fixture
def stage(kafka: KafkaCluster, registry: ApicurioRegistry, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "chaos", _Given(kafka, registry), Random(1))
    try:
        yield stage
    finally:
        stage.close()


@pytest.mark.parametrize(("campaign", "says"), SHARE)
def test_a_small_campaign_is_clean(stage: Stage, campaign: str, says: str) -> None:
    [part] = [it for it in CAMPAIGNS[campaign].parts(stage, SMALL) if it.says == says]

    assert part.run(stage).faults == []
