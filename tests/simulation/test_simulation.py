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
    most = random.choice([1, 4, 64])
    unavailable = random.choice([0.0, 0.05, 0.3])
    return Plan(
        seed=seed,
        messages=200 + random.randrange(100),
        ordering=random.choice(list(Ordering)),
        batch_most=random.choice([1, 1, 10]),
        max_in_flight=most,
        metadata_limit=random.choice([4096, 4096, 260]),
        broker_limit=random.choice([4096, 270]),
        unavailable=unavailable,
        # Many failures in a row, or a long queue, may exhaust a report: nothing may otherwise.
        retry_for_s=900.0 if unavailable > 0.1 or most < 10 else random.choice([60.0, 900.0]),
        hanging=random.choice([0.02, 0.15]),
        gap_s=random.choice([0.02, 0.05, 0.2]),
        crashes=random.randrange(4),
        crashes_after_cancels=1 + random.randrange(2),
        rebalances=1 + random.randrange(6),
        stalls=random.randrange(3),
        stalls_at_assignments=random.randrange(2),
        outages=random.randrange(4),
        bad_deployment_s=random.choice([0.0, 0.0, 20.0]),
        flood_refusals=random.choice([100, 5]),
    )


@pytest.mark.parametrize("block", range(10))
def test_every_invariant_holds_through_crashes_rebalances_outages_and_stalls(block: int) -> None:
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        World(draw_plan(seed)).run()
