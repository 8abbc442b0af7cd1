"""The figures of `make mutation` on record: every module is counted, and few mutants live."""

from __future__ import annotations

import pytest

from scripts.pages.mutation import ROOMS, modules, of_room, percent, reasons, recorded, why

ENOUGH = 90.0
"""The share of mutants that must be killed in each room (reliability 3.7)."""

AGAIN = "make mutation MODULE=... MUTATION_ARGS=--record"


@pytest.mark.parametrize("room", ROOMS)
def test_enough_mutants_of_a_room_are_killed(room: str) -> None:
    killed, tried = of_room(recorded(), room)
    assert tried > 300
    assert percent(killed, tried) >= ENOUGH


def test_every_module_was_counted() -> None:
    found = recorded()
    assert [one.name for one in found] == modules(), AGAIN
    for one in found:
        assert not one.undecided, AGAIN
        assert one.mutants <= one.of


def test_every_survivor_is_listed_with_its_reason() -> None:
    known = reasons()
    for one in recorded():
        assert len(one.survivors) == one.mutants - one.killed, AGAIN
        assert not [left for left in one.survivors if not why(left, known)]


def test_every_reason_is_about_a_survivor() -> None:
    """Of a module whose mutants were only drawn, a survivor may not have been among them."""
    whole = {one.name for one in recorded() if one.mutants == one.of}
    alive = [left for one in recorded() for left in one.survivors]
    idle = [x for x in reasons() if x.module in whole and not any(map(x.explains, alive))]
    assert not idle, f"no such mutant survives: {idle}"
