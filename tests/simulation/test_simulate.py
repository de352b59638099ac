"""Does `make simulate` tell which world is broken, and make it smaller without losing it?"""

import argparse
from dataclasses import replace

import pytest

from tests.simulation import simulate
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.shrink import plan_of, shrink, written


def needs_a_crash(plan: Plan) -> str | None:
    """A stand-in for a broken core: it fails with a crash, two sites and enough messages."""
    fails = plan.crashes > 0 and plan.sites > 1 and plan.messages >= 20
    return f"Broken: {plan.messages}" if fails else None


def test_a_broken_world_is_made_as_small_as_it_can_be() -> None:
    drawn = next(plan for plan in map(draw_plan, range(100)) if needs_a_crash(plan))

    plan, said = shrink(drawn, needs_a_crash, 60)

    assert (plan.messages, plan.crashes, said) == (20, 1, "Broken: 20")
    assert plan.sites == drawn.sites
    assert (plan.rebalances, plan.stalls, plan.unavailable, plan.processes) == (0, 0, 0, 1)


def test_a_world_that_is_broken_in_another_way_is_not_the_same_made_smaller() -> None:
    drawn = next(plan for plan in map(draw_plan, range(100)) if needs_a_crash(plan))

    def fault(plan: Plan) -> str | None:
        return f"Broken: {plan.messages} lost" if plan.crashes > 0 else "Broken: not done"

    assert shrink(drawn, fault, 60)[0].crashes == 1


def test_no_time_to_make_it_smaller_leaves_it_as_it_was() -> None:
    drawn = next(plan for plan in map(draw_plan, range(100)) if needs_a_crash(plan))

    assert shrink(drawn, needs_a_crash, -1)[0] == drawn


@pytest.mark.parametrize("seed", range(10))
def test_what_is_written_of_a_world_is_the_world(seed: int) -> None:
    plan = replace(
        draw_plan(seed), messages=31, crashes=0, hold_after_s=None, unavailable=0.25, entries=1
    )

    assert plan_of(written(plan)) == plan
    assert plan_of(written(draw_plan(seed))) == draw_plan(seed)
    assert written(draw_plan(seed)) == str(seed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "does not begin with a seed"),
        ("messages=3", "does not begin with a seed"),
        ("17 mesages=3", "no field of a plan"),
        ("17 messages=many", "messages=many: it is no int"),
        ("17 ordering=sideways", "ordering=sideways: it is no Ordering"),
        ("17 counts_throttled=yes", "counts_throttled=yes: it is no bool"),
    ],
)
def test_a_world_that_is_written_wrongly_is_told_in_words(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        plan_of(text)


def test_seeds_are_a_number_or_a_first_and_a_last() -> None:
    assert simulate.seeds_of("300") == range(300)
    assert simulate.seeds_of("5000-5999") == range(5000, 6000)
    assert list(simulate.seeds_of("17-17")) == [17]
    assert list(simulate.seeds_of("0-0")) == [0]
    for wrong in ("", "0", "-3", "9-8", "a"):
        with pytest.raises(argparse.ArgumentTypeError, match="how many"):
            simulate.seeds_of(wrong)


def test_worlds_in_which_nothing_is_broken_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seeds", "1-2", "--jobs", "1"]) == 0

    told = capsys.readouterr().out
    assert "2 of 2 worlds, 0 broken" in told


def test_one_world_can_be_looked_at_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--world", "3 messages=20 crashes=0"]) == 0

    assert "nothing is broken" in capsys.readouterr().out


def test_a_broken_world_is_told_with_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "fault_in", needs_a_crash)
    seed = next(seed for seed in range(100) if needs_a_crash(draw_plan(seed)))

    told = simulate.written_small(simulate.Seen(seed, "Broken: lost"), 60)

    assert f"once more: make simulate SEEDS={seed}-{seed}\n" in told
    world = told.rpartition("--world '")[2].removesuffix("'\"")
    assert needs_a_crash(plan_of(world)) == "Broken: 20"
