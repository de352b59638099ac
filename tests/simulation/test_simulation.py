"""Does what must always hold, hold in worlds drawn from seeds?"""

import os
from random import Random

import pytest

from streamer.delivery.order import Ordering
from tests.simulation.world import Plan, World

SEEDS = int(os.environ.get("SEEDS", "300"))


def draw_plan(seed: int) -> Plan:
    """Every seed has messages, crashes, rebalances and cancels; the rest varies."""
    random = Random(seed)
    return Plan(
        seed=seed,
        messages=200 + random.randrange(100),
        ordering=random.choice(list(Ordering)),
        batch_most=random.choice([1, 1, 10]),
        max_in_flight=random.choice([1, 4, 64]),
        metadata_limit=random.choice([4096, 4096, 320]),
        broker_limit=random.choice([4096, 4096, 4096, 400]),
        unavailable=random.choice([0.0, 0.05, 0.3]),
        gap_s=random.choice([0.02, 0.05, 0.2]),
        crashes=random.randrange(3),
        crashes_after_cancels=1 + random.randrange(2),
        rebalances=1 + random.randrange(6),
        stalls=random.randrange(3),
        outages=random.randrange(2),
        bad_deployment_s=random.choice([0.0, 0.0, 20.0]),
        flood_refusals=random.choice([100, 10]),
    )


@pytest.mark.parametrize("block", range(10))
def test_every_invariant_holds_through_crashes_rebalances_outages_and_stalls(block: int) -> None:
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        World(draw_plan(seed)).run()
