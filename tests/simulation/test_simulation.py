"""Does what must always hold, hold in worlds drawn from seeds?"""

import os
from collections.abc import Iterable

import pytest

from streamer.delivery.core import Core
from streamer.delivery.jobs import OwnedPartition
from streamer.source.handover import CommitPlan
from tests.simulation.invariants.broken import Broken
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


def test_a_last_commit_of_one_partition_of_several_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Core.last_plans

    def of_one(core: Core, parts: Iterable[OwnedPartition]) -> tuple[CommitPlan, ...]:
        return whole(core, parts)[:1]

    monkeypatch.setattr(Core, "last_plans", of_one)

    with pytest.raises(Broken, match="has not committed"):
        _run_worlds(60)


def _run_worlds(seeds: int) -> None:
    for seed in range(seeds):
        World(draw_plan(seed)).run()
