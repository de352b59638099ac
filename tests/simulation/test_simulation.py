"""Does what must always hold, hold in worlds drawn from seeds?"""

import os

import pytest

from tests.simulation.plan import draw_plan
from tests.simulation.world import World

SEEDS = int(os.environ.get("SEEDS", "300"))


@pytest.mark.parametrize("block", range(10))
def test_every_invariant_holds_through_crashes_rebalances_outages_and_stalls(block: int) -> None:
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        world = World(draw_plan(seed))
        world.run()
        # Every seed is to have them, or it shows less than it says.
        has = bool(world.group.moved and world.faults.crashed and world.traffic.cancels)
        assert has, f"seed {seed} has no orderly move, no crash, or no cancel"
