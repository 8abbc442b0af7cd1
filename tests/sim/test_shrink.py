"""The page of a failure: it fits, it can be read, and its command plays that very profile again."""

from __future__ import annotations

import shlex

from scripts.sim import asked_profile
from tests.sim.faults import draw
from tests.sim.play import Outcome
from tests.sim.shrink import LINES, again, page


def test_the_command_plays_the_profile_that_was_made_small() -> None:
    small = draw(7).without("pause", "busy").aimed("deals=1 seconds=37.5 workers=1")
    _, _, seed, given = shlex.split(again(small))
    words = shlex.split(given.removeprefix("SIM_ARGS="))
    assert asked_profile(["--seed", seed.removeprefix("SEED="), *words]) == small
    assert again(draw(7)) == "make sim SEED=7"


def test_the_page_counts_readings_and_ends_with_the_oracle() -> None:
    reading = f"{1.0:10.3f} worker0    sync_incremental"
    write = f"{2.0:10.3f} worker0    update_deal"
    told = f"{3.0:10.3f} oracle     no_value_is_lost: G4: lost"
    outcome = Outcome(
        7, "G4", "no_value_is_lost", "G4: lost", trace=[*[reading] * 500, write, told]
    )
    lines = page(draw(7), outcome).splitlines()
    assert lines[0] == "seed 7 breaks G4 (no_value_is_lost)"
    assert [line.strip() for line in lines[4:]] == ["(500 readings)", write.strip(), told.strip()]
    assert len(lines) <= LINES
