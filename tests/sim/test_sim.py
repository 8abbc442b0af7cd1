"""The simulation in the normal suite: the seed book, a few fresh seeds, and that it can fail."""

from __future__ import annotations

import pytest

from tests.sim.book import seeds
from tests.sim.faults import draw
from tests.sim.play import play
from tests.sim.run import another_play_elsewhere
from tests.sim.shrink import page

FRESH = range(1000, 1016)


@pytest.mark.parametrize("seed", sorted({*seeds(), *FRESH}))
def test_every_promise_holds(seed: int) -> None:
    outcome = play(draw(seed))
    assert not outcome.law, page(draw(seed), outcome)


def test_a_seed_decides_everything() -> None:
    """Another process, another hash seed, another time zone: the same bytes (G7)."""
    digests = {seed: play(draw(seed)).digest for seed in (1001, 1004)}
    assert another_play_elsewhere(digests) == [], "another_play_elsewhere"


def test_another_seed_is_another_play() -> None:
    assert play(draw(1)).digest != play(draw(2)).digest


def test_faults_that_are_off_strike_nobody() -> None:
    profile = draw(1005)
    calm = profile.without(*profile.rates)
    outcome = play(calm)
    assert not [name for name in outcome.probes if name.startswith("fault ")]
    assert outcome.crashes == 0
    assert outcome.acknowledged > 0
