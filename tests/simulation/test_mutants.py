"""Does each mutant still change the code? What the simulation makes of it shows `make mutants`."""

from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, ROOT
from tests.simulation.mutations.mutant import Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_changes_stands_once_in_its_room(mutant: Mutant) -> None:
    room: Path = ROOT / "streamer" / mutant.room
    assert sum(path.read_text().count(mutant.old) for path in room.glob("*.py")) == 1
