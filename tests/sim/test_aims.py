"""The aimed profiles in the normal suite; the engine keeps its promises under each of them."""

from __future__ import annotations

import pytest

from tests.sim.aims import Aim, aims
from tests.sim.faults import draw
from tests.sim.play import play
from tests.sim.shrink import page

AIMED = [
    pytest.param(one, seed, id=f"{one.name}-{seed}")
    for one in aims().values()
    for seed in one.seeds
]


@pytest.mark.parametrize(("aim", "seed"), AIMED)
def test_every_promise_holds(aim: Aim, seed: int) -> None:
    profile = draw(seed).aimed(aim.words)
    outcome = play(profile)
    assert not outcome.law, page(profile, outcome)


def test_a_profile_told_in_words_is_the_same_profile() -> None:
    for seed in range(20):
        profile = draw(seed)
        assert draw(seed).aimed(profile.told()) == profile


def test_words_that_no_profile_has_are_refused() -> None:
    with pytest.raises(ValueError, match="no 'lost_replies=1'"):
        draw(1).aimed("lost_replies=1")
